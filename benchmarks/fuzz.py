"""Feeds the readers of strangers' files with bytes that a coverage-guided fuzzer (Atheris, libFuzzer) makes.

    pip install atheris==3.0.0
    python -m benchmarks.fuzz recipe space table model journal order checkpoint --seconds 300

Each target (tests/security/targets.py) runs for so many seconds from the corpus that is kept in tests/security/corpus;
inputs that reach new lines are added to build/fuzz/TARGET, and what crashed a target, or took it 10 seconds or 2 GB,
stands there as crash-…, timeout-… or oom-…. Prints for each target how many inputs were run.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "security" / "corpus"


def child(name: str) -> None:
    """Fuzz one target in this process, with libFuzzer's own arguments behind its name."""
    import atheris

    with atheris.instrument_imports(include=["slalom", "tests.security", "json", "tomllib", "csv"]):
        from tests.security.targets import fed

    atheris.Setup([sys.argv[0], *sys.argv[3:]], lambda data: fed(name, data) and None)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the targets in turn; 1 where one crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--seconds", type=int, default=300)
    given = parser.parse_args()
    failed = 0
    for name in given.targets:
        found = ROOT / "build" / "fuzz" / name
        found.mkdir(parents=True, exist_ok=True)
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [
                sys.executable, "-m", "benchmarks.fuzz", "--child", name, str(found), str(CORPUS / name),
                f"-artifact_prefix={found}/", f"-max_total_time={given.seconds}", "-timeout=10", "-rss_limit_mb=2048",
                "-print_final_stats=1", "-max_len=65536",
            ],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            name,
            said[-1].split()[-1] if said else "?",
            "inputs,",
            "a fault" if done.returncode else "no fault",
            flush=True,
        )
        if done.returncode:
            failed = 1
            print(done.stderr[-3000:])
    return failed


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2])
    else:
        sys.exit(main())
