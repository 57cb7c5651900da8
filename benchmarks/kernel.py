"""A hand-written kernel beside Slalom on shapes A and D: what stands between a compiler's program and the machine.

    python -m benchmarks kernel

`kernel.c` is compiled for this processor by the C compiler that is there. It is checked against NumPy in float64 first.
It does what a racer with Adam needs and nothing else: no other rule, no scaling, no dropout, no scores.
"""

import ctypes
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from slalom.bench import jax_rival, measure, ours
from slalom.bench.cases import CLASSES, RATE, Case, first_weights, made_data, orders
from slalom.executor import cores
from slalom.types import Array

LANE = 16  # floats of a vector: columns and biases are filled up to a multiple of it
ROUNDS = 3
RACERS = 64
SHAPES = "AD"
MOST_THREADS = 64  # of kernel.c
CHECKED = 50  # steps that are compared with NumPy


def built(case: Case, folder: Path) -> Any:
    """The library for a case."""
    sizes = {"COLUMNS": _filled(case.columns), "WIDTH": case.fields["width"], "BATCH": case.batch}
    library = folder / f"kernel_{case.shape}.so"
    source = Path(__file__).with_name("kernel.c")
    flags = [f"-D{name}={size}" for name, size in sizes.items()]
    options = ["-O3", "-march=native", "-ffast-math", "-mprefer-vector-width=512", "-shared", "-fPIC", "-pthread"]
    subprocess.run(["cc", *options, *flags, "-o", str(library), str(source), "-lm"], check=True)
    return ctypes.CDLL(str(library))


def _filled(n: int) -> int:
    return -(-n // LANE) * LANE


def nets_of(case: Case, racers: int) -> Array:
    """The first weights of racers as the kernel has them [R, numbers]: W [out, in] and b of each layer."""
    parts = []
    for i, (w, b) in enumerate(first_weights(case, racers)):
        turned = np.swapaxes(w, 1, 2)
        if i == 0:
            turned = np.pad(turned, ((0, 0), (0, 0), (0, _filled(case.columns) - case.columns)))
        b = np.pad(b[:, 0], ((0, 0), (0, _filled(b.shape[2]) - b.shape[2])))
        parts += [turned.reshape(racers, -1), b]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def aligned(a: Array) -> Array:
    """A copy that begins at a multiple of 64 bytes."""
    raw = np.zeros(a.nbytes + 64, np.uint8)
    first = -raw.ctypes.data % 64
    made = raw[first : first + a.nbytes].view(a.dtype).reshape(a.shape)
    made[...] = a
    return made


def pointer(a: Array) -> Any:
    """For the library."""
    return a.ctypes.data_as(ctypes.c_void_p)


def trained(library: Any, threads: int, nets: Array, x: Array, y: Array, rows: Array) -> float:
    """Train the nets where they are; the seconds."""
    began = time.perf_counter()
    rate = ctypes.c_float(RATE)
    library.train(threads, len(nets), len(rows), rate, pointer(x), pointer(y), pointer(rows), pointer(nets))
    return time.perf_counter() - began


def plain(case: Case, x: Array, y: Array, rows: Array) -> list[Array]:
    """The weights and biases of one racer after the same steps in NumPy, float64."""
    weights = [np.array(part[0], np.float64) for pair in first_weights(case, 1) for part in pair]
    means, squares = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    for t, batch in enumerate(rows, 1):
        hidden = [x[batch].astype(np.float64)]
        for w, b in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            hidden.append(np.maximum(hidden[-1] @ w + b, 0))
        z = hidden[-1] @ weights[-2] + weights[-1]
        d = np.exp(z - z.max(1, keepdims=True))
        d = (d / d.sum(1, keepdims=True) - np.eye(CLASSES)[y[batch]]) / len(batch)
        gradients: list[Array] = []
        for i in range(len(hidden) - 1, -1, -1):
            gradients = [hidden[i].T @ d, d.sum(0, keepdims=True), *gradients]
            d = (d @ weights[2 * i].T) * (hidden[i] > 0)
        for w, m, v, g in zip(weights, means, squares, gradients, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= RATE * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return weights


def on_shape(case: Case, limit: float) -> dict[str, Any]:
    """The kernel and Slalom in turn, and how far the kernel is from NumPy after some steps."""
    x, y = made_data(case)
    x = np.pad((x - x.mean(0)) / x.std(0), ((0, 0), (0, _filled(case.columns) - case.columns)))
    x, y, rows = aligned(x.astype(np.float32)), y.astype(np.int32), orders(case, case.steps).astype(np.int32)
    run, _ = ours.contestant(case)
    rates: dict[str, list[float]] = {"kernel": [], "slalom": []}
    with tempfile.TemporaryDirectory() as folder:
        library = built(case, Path(folder))
        away = from_numpy(library, case, x, y, rows[:CHECKED])
        for _ in range(ROUNDS):
            nets = aligned(nets_of(case, case.racers))
            rates["kernel"].append(
                case.racers * case.steps / trained(library, min(cores(), MOST_THREADS), nets, x, y, rows)
            )
            answer = run()
            rates["slalom"].append(answer["updates"] / answer["seconds"])
    best = {name: max(found) for name, found in rates.items()}
    shares = {f"{name}_share": rate * case.flops / 1e9 / limit for name, rate in best.items()}
    return {"case": case.plain(), "from_numpy": away, "rates": rates, **best, **shares}


def from_numpy(library: Any, case: Case, x: Array, y: Array, rows: Array) -> float:
    """The largest difference of the second layer's weights from NumPy's after these steps."""
    one = aligned(nets_of(case, 1))
    if one.shape[1] != library.numbers():
        raise SystemExit(f"kernel.c has {library.numbers()} numbers of a net, kernel.py {one.shape[1]}")
    trained(library, 1, one, x, y, rows)
    wanted = plain(case, x[:, : case.columns], y, rows)[2].T.ravel()
    first = case.fields["width"] * (_filled(case.columns) + 1)
    return float(np.abs(one[0, first : first + wanted.size] - wanted).max())


def measured(shapes: str, seconds: float, say: measure.Say) -> list[dict[str, Any]]:
    """Shapes A and D, where they are asked for; nothing where there is no C compiler."""
    if not shutil.which("cc") or platform.machine() != "x86_64":
        say("no kernel: it takes a C compiler and a processor of the x86-64 kind")
        return []
    product, _ = jax_rival.matrix_product()
    limit = max(product()["gflops"] for _ in range(ROUNDS))
    told = []
    for letter in sorted(set(shapes) & set(SHAPES)):
        say(f"a kernel by hand, shape {letter}")
        told.append(on_shape(measure.case_of(letter, RACERS, 20_000, seconds), limit))
    return told
