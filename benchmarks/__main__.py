"""Racer-steps a second of the whole command, beside the machine's own matrix-product rate in the same run.

    python -m benchmarks [--epochs 300] [--json]

64 recipes of two hidden layers of 64 on 16 columns, batch 64, Adam, by `slalom race … --json` in a process of its own;
racer-steps are updates of living racers, the time includes start, reading, scoring and saving, less compiling.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS, ROWS, RECIPES = 16, 20_000, 64
FIXED = ("depth=2", "width=64", "batch_size=64", "rule=adam", "normalisation=none", "activation=relu", "embedding=none")


def made_table(path: Path) -> None:
    """A made regression table: a smooth function of 16 columns with noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, COLUMNS))
    y = np.sin(x[:, :8] @ rng.normal(size=8)) + x[:, 8] * x[:, 9] + 0.1 * rng.normal(size=ROWS)
    names = ",".join([f"x{i}" for i in range(COLUMNS)] + ["y"])
    np.savetxt(path, np.column_stack([x, y]), delimiter=",", header=names, comments="", fmt="%.6g")


def throughput(epochs: int) -> dict[str, Any]:
    """Run the command; racer-steps a second of everything but compiling."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        made_table(table)
        command = [
            str(Path(sys.executable).parent / "slalom"),
            "race",
            str(table),
            "--target",
            "y",
            "--json",
            "--quiet",
        ]
        command += ["--recipes", str(RECIPES), "--epochs", str(epochs), "--out", str(Path(folder) / "run")]
        for field in FIXED:
            command += ["--set", field]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    rate = told["racer_steps"] / (told["seconds"] - told["compile_seconds"])
    kept = {key: told[key] for key in ("racer_steps", "seconds", "compile_seconds", "score")}
    return {"racer_steps_per_second": round(rate), **kept}


def matrix_rate() -> float:
    """GFLOP/s of the best matrix product of n = 1024, 1536, 2048, one caller: the practical limit of the machine."""
    import jax
    import jax.numpy as jnp

    rates = []
    for n in (1024, 1536, 2048):
        a = jnp.ones((n, n))
        product = jax.jit(jnp.matmul)
        product(a, a).block_until_ready()
        start = time.perf_counter()
        for _ in range(10):
            answer = product(a, a)
        answer.block_until_ready()
        rates.append(20 * n**3 / (time.perf_counter() - start) / 1e9)
    return max(rates)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    limit = matrix_rate()
    told = throughput(given.epochs)
    flops = 6 * 64 * (16 * 64 + 64 * 64 + 64) - 2 * 64 * 16 * 64  # of a step: 6 B Σ w − 2 B d h₁
    told["gflops"] = round(told["racer_steps_per_second"] * flops / 1e9)
    told["matrix_product_gflops"] = round(limit)
    told["share_of_matrix_product"] = round(told["gflops"] / limit, 3)
    if given.json:
        print(json.dumps(told))
        return
    for name, value in told.items():
        print(f"{name:28} {value:,}")


if __name__ == "__main__":
    main()
