"""Record in float64 what PyTorch 2.13.0 computes, into torch.json beside this file; --check compares instead.

    python tests/recorded/record_torch.py            write tests/recorded/torch.json
    python tests/recorded/record_torch.py --check    record again and compare: exit code 1 where a number moved

It needs torch==2.13.0 and numpy alone. All inputs stand in the file too, so that the tests need no torch
(tests/oracles/test_torch.py replays it). Every recording names the part of Slalom it is to equal.
"""

import json
import sys
from pathlib import Path

import torch
import torch_parts
import torch_walks

VERSION = "2.13.0"
FILE = Path(__file__).with_name("torch.json")
TOLERANCE = 1e-12  # of the largest number of a list: other machines round a sum in another order


def recorded():
    """Everything, as plain data."""
    torch.set_default_dtype(torch.float64)  # NAdam's product of its betas, say, is kept in the default type
    torch.set_num_threads(1)
    return {
        "torch": VERSION,
        "problems": torch_walks.problems(),
        "steps": torch_walks.STEPS,
        "fall": torch_walks.FALL,
        "walks": torch_walks.walks(),
        "without counterpart": torch_walks.WITHOUT_COUNTERPART,
        "schedules": torch_parts.schedules(),
        "plateaus": torch_parts.plateaus(),
        "layers": torch_parts.layers(),
        "activations": torch_parts.activations(),
        "losses": torch_parts.losses(),
        "criteria": torch_parts.criteria(),
        "weighted": torch_parts.weighted(),
    }


def written(value, indent=""):
    """JSON with one line for each list of numbers: compact, and a change is seen where it is."""
    deeper = indent + " "
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(k, ensure_ascii=False)}: {written(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(v, dict) for v in value):
        return "[\n" + ",\n".join(deeper + written(v, deeper) for v in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def flat(value):
    """The numbers of nested lists, or None where something else stands in them."""
    if isinstance(value, list):
        inner = [flat(v) for v in value]
        return None if None in inner else [x for part in inner for x in part]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def difference(new, old, where=""):
    """Where two recordings differ, in half a sentence; None where they agree."""
    if type(new) is not type(old):
        return f"{where or 'the file'} is a {type(old).__name__} in the file and now a {type(new).__name__}"
    if isinstance(new, dict):
        if list(new) != list(old):
            return f"{where or 'the file'} has the names {list(old)} and now {list(new)}"
        return next((d for k in new if (d := difference(new[k], old[k], f"{where}/{k}"))), None)
    if isinstance(new, list):
        if len(new) != len(old):
            return f"{where} has {len(old)} members in the file and now {len(new)}"
        numbers, before = flat(new), flat(old)
        if numbers is None or before is None or len(numbers) != len(before):
            pairs = zip(new, old, strict=True)
            return next((d for i, (n, o) in enumerate(pairs) if (d := difference(n, o, f"{where}/{i}"))), None)
        moved = max((abs(n - o) for n, o in zip(numbers, before, strict=True)), default=0.0)
        size = max((abs(o) for o in before), default=0.0)
        return f"{where} moved by {moved:.1e} beside {size:.1e}" if not moved <= TOLERANCE * size else None
    if isinstance(new, float):
        return difference([new], [old], where)
    return f"{where} is {old!r} in the file and now {new!r}" if new != old else None


def main(arguments):
    """The exit code."""
    if arguments not in ([], ["--check"]):
        print(f"record_torch.py takes --check or nothing. Got {' '.join(arguments)}.", file=sys.stderr)
        return 2
    if torch.__version__.partition("+")[0] != VERSION:
        print(f"torch must be {VERSION}. Got {torch.__version__}.", file=sys.stderr)
        return 2
    new = recorded()
    if not arguments:
        FILE.write_text(written(new) + "\n", encoding="utf-8")
        print(f"{FILE}: {len(new['walks'])} walks, {FILE.stat().st_size:,} bytes.")
        return 0
    moved = difference(new, json.loads(FILE.read_text(encoding="utf-8")))
    if moved:
        print(f"{FILE.name} is not what torch {VERSION} computes: {moved}.", file=sys.stderr)
        return 1
    print(f"{FILE.name} is what torch {VERSION} computes.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
