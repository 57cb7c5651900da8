"""What is measured: Slalom and its rivals on a case, in turn and in rounds, beside the machine's matrix product."""

import contextlib
import importlib.metadata
import importlib.util
import math
import platform
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from slalom.bench.cases import Case
from slalom.bench.contest import NO_CACHE, ONE_THREAD, Contestant
from slalom.cost import step_seconds
from slalom.errors import wrong
from slalom.executor import cores
from slalom.lane import width
from slalom.program import processor
from slalom.recipe import Recipe
from slalom.step import Structure

ROUNDS = 2
SPREAD = 1.2  # a ratio that moves by more from round to round is told
WIDTHS = (4, 16, 64)  # populations that PyTorch is tried with
WIDTHS_ON_GPU = (64, 256, 1024)
LEAST_STEPS = 32  # of a measurement
TRIED = 60  # steps of such a trial, which is run twice
TRIED_ALONE = 300  # of one racer
SIMPLE = {"depth", "width", "batch_size"}  # the fields of shapes that every rival can train
Say = Callable[[str], None]


def case_of(shape: str, racers: int, rows: int, seconds: float, *, mixed: bool = False) -> Case:
    """The case of a shape that takes Slalom about so many seconds, by its cost model."""
    if not math.isfinite(seconds):
        raise wrong("slalom bench: --seconds", "a finite number", seconds)
    case = Case(shape, racers, rows, 1, mixed)
    net = Recipe().with_fields(case.fields).net(case.columns, 3)
    structure = Structure(net, case.batch, "softmax")
    steps = seconds * cores() / (racers * step_seconds(structure, width(structure, "cpu")))
    return replace(case, steps=int(min(max(steps, LEAST_STEPS), 20_000)))


def side_by_side(contestants: Iterable[Contestant], rounds: int = ROUNDS, say: Say = lambda text: None) -> None:
    """Measure them in turn, round after round; all stay ready, and one runs at a time."""
    with contextlib.ExitStack() as stack:
        ready = []
        for one in contestants:
            say(f"{one.title} is made ready")
            ready.append((one, stack.enter_context(one.ready())))
        for i in range(rounds):
            for one, again in ready:
                say(f"{one.title}, round {i + 1} of {rounds}")
                again()


def compared(case: Case, say: Say = lambda text: None) -> dict[str, Any]:
    """Slalom beside everybody else on a case, as plain data: contestants, ratios, headline, and what is to be noted."""
    products = Contestant("matrix product", "matrix", Case("A"))
    mine = Contestant("Slalom", "slalom", case, environment=NO_CACHE)
    others = rivals(case, say)
    side_by_side([products, mine, *others], say=say)
    limit = max((a["gflops"] for answers in products.answers for a in answers), default=float("nan"))
    told = []
    for one in [mine, *others]:
        ratios = [a / b for a, b in zip(mine.rates, one.rates, strict=False)]
        share = one.rate * case.flops / 1e9 / limit
        told.append(one.plain() | {"share": share, "slalom_is_faster": mine.rate / one.rate if one.rate else None})
        told[-1]["unsteady"] = bool(ratios) and max(ratios) / min(ratios) > SPREAD
    well = [one for one in told[1:] if not one["failure"]]
    fastest = max(well, key=lambda one: one["racer_steps_per_second"], default=None)
    return {
        "case": case.plain(),
        "columns": case.columns,
        "sizes": case.sizes,
        "batch": case.batch,
        "flops_per_step": case.flops,
        "matrix_product_gflops": limit,
        "contestants": told,
        "fastest_rival": fastest and fastest["contestant"],
        "headline": fastest and fastest["slalom_is_faster"],
        "losses_alike": case.mixed or losses_alike([one.loss for one in [mine, *others]]),
    }


def losses_alike(losses: list[float | None]) -> bool:
    """Whether all fell alike: from ln 3 of three classes at the start, by amounts that differ by less than a quarter.

    >>> losses_alike([0.50, 0.47, None, 0.52]), losses_alike([0.50, 0.9])
    (True, False)
    """
    falls = [1.0986 - loss for loss in losses if loss is not None]
    if not all(map(math.isfinite, falls)):
        return False
    return not falls or max(falls) - min(falls) < max(falls) / 4


def rivals(case: Case, say: Say = lambda text: None) -> list[Contestant]:
    """Those that can be measured here; racers that train one after the other are fewer, since none costs another."""
    case = replace(case, mixed=False)
    few, each, found = replace(case, racers=min(8, max(1, 4000 // case.steps))), {"threads": 1}, []
    if has_torch():
        say("PyTorch's threads and population are chosen")
        found.append(_one_process(few))
        if not on_gpu():
            found.append(Contestant("PyTorch, one process a core", "torch_loop", few, cores(), each, ONE_THREAD))
        found.append(best_population(case))
    if set(case.fields) <= SIMPLE:
        if case.fields["depth"]:
            title = "scikit-learn, one process a core"
            found.append(Contestant(title, "scikit_learn", few, cores(), environment=ONE_THREAD))
        found.append(Contestant("JAX, scan and vmap", "usual_jax", case))
    return found


def _one_process(case: Case) -> Contestant:
    """PyTorch's loop with one thread or all of them, whichever trains a short while faster."""
    short = replace(case, racers=1, steps=TRIED_ALONE)
    tried = [Contestant("", "torch_loop", short, given={"threads": n}).measure(2) for n in {1, cores()}]
    given = max(tried, key=lambda one: one.rate).given
    return Contestant("PyTorch, one process", "torch_loop", case, given=given)


def best_population(case: Case) -> Contestant:
    """PyTorch's population of the best width, in one process with all threads or one process a core."""
    tried, gpu = [], on_gpu()
    for n in WIDTHS_ON_GPU if gpu else WIDTHS:
        for processes, threads in {(1, cores()), (1 if gpu else cores(), 1)}:
            given = {"threads": threads, "width": n}
            environment = ONE_THREAD if processes > 1 else {}
            short = replace(case, racers=n, steps=TRIED)
            tried.append(Contestant("", "torch_population", short, processes, given, environment).measure(2))
    best = max(tried, key=lambda one: one.rate)
    racers = max(best.given["width"], min(case.racers, 64) // best.processes)
    return replace(best, title="PyTorch, best population", case=replace(case, racers=racers), answers=[])


def has_torch() -> bool:
    """Whether PyTorch is installed; `pip install 'slalom[bench]'` brings it."""
    return importlib.util.find_spec("torch") is not None


def on_gpu() -> bool:
    """Whether JAX, and so everybody, uses a GPU here."""
    import jax

    return jax.default_backend() == "gpu"


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    names = ("slalom", "jax", "jaxlib", "numpy", "scikit-learn", "torch")
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    abilities = processor()
    return {
        "processor": re.split(r"\s(?=fpu\b)", abilities)[0] or platform.processor(),
        "cores": cores(),
        "avx512": "avx512f" in abilities,
        "system": f"{platform.system()} {platform.machine()}",  # not the kernel: its name says who runs it
        "python": platform.python_version(),
        **versions,
    }
