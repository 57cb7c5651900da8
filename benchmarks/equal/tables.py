"""The tables of docs/results.md: medians over the seeds, and who was better how often."""

import math
import statistics
from collections.abc import Callable
from typing import Any

from benchmarks import page
from benchmarks.equal import costs, wanted
from slalom.bench import shown

Told = dict[str, Any]

SLALOM, ENSEMBLE = "slalom", "slalom ensemble"
NAMES = {
    "slalom": "Slalom",
    "slalom ensemble": "Slalom, ensemble",
    "slalom-topk": "Slalom, best K after one epoch",
    "optuna": "Optuna + PyTorch",
    "halving": "scikit-learn, halving",
    "trees": "boosted trees",
}
WENT = ("late", "nothing in time", "broke off")  # in how many runs
Group = tuple[float, int, bool]  # seconds, cores, whether compiled programs were kept: only such runs compare


def metrics(runs: list[Told]) -> dict[str, str]:
    """The metric that decides in each set."""
    return {run["set"]: run["metric"] for run in runs}


def groups(told: Told) -> dict[Group, list[Told]]:
    """The runs that compare with each other."""
    found: dict[Group, list[Told]] = {}
    for run in told["runs"]:
        found.setdefault((run["limit"], run["cores"], run["kept_programs"]), []).append(run)
    return dict(sorted(found.items()))


def answers(runs: list[Told]) -> dict[str, dict[str, dict[int, Told | None]]]:
    """set → label → seed → the metrics on its test rows; None where a run left nothing in time."""
    found: dict[str, dict[str, dict[int, Told | None]]] = {}
    for run in runs:
        own = [label for label in run["answers"] if label != run["contestant"]]
        for label in (run["contestant"], *own):
            found.setdefault(run["set"], {}).setdefault(label, {})[run["seed"]] = run["answers"].get(label)
    return found


def digits(metric: str, value: float) -> str:
    """A value of a metric, to four digits: accuracy in per cent.

    >>> digits("rmse", 0.463), digits("accuracy", 0.86154), digits("rmse", 2345.6), digits("rmse", 23456.7)
    ('0.4630', '86.15%', '2346', '23,457')
    """
    if metric == "accuracy":
        return f"{value:.2%}"
    return f"{value:#.4g}".rstrip(".") if abs(value) < 1e4 else f"{value:,.0f}"


def cell(metric: str, seeds: dict[int, Told | None] | None) -> str:
    """The median over the seeds, and the least and the largest."""
    if not seeds:
        return "–"
    values = [one[metric] for one in seeds.values() if one is not None]
    failed = len(seeds) - len(values)
    short = f" (nothing from {failed} of {len(seeds)})" if failed else ""
    if not values:
        return short.strip()
    middle = digits(metric, statistics.median(values))
    if len(values) == 1:
        return middle + short
    return f"{middle} ({digits(metric, min(values))}–{digits(metric, max(values))}){short}"


def differences(metric: str, mine: dict[int, Told | None], other: dict[int, Told | None]) -> list[float]:
    """What the rival costs more than Slalom, for each seed that both ran: above 0 where Slalom is better; infinite
    where one of them left nothing in time."""
    sign = -1.0 if metric in costs.LARGER_IS_BETTER else 1.0
    cost = lambda one: math.inf if one is None else sign * one[metric]  # noqa: E731
    pairs = [(cost(mine[seed]), cost(other[seed])) for seed in sorted(mine.keys() & other.keys())]
    return [theirs - ours for ours, theirs in pairs if ours < math.inf or theirs < math.inf]


def verdict(apart: list[float]) -> str:
    """win: Slalom is better on every seed; loss: worse on every seed; tie: 0 lies within the spread of the seeds.

    Fewer than three seeds have no spread to speak of: no verdict.

    >>> verdict([0.1, 0.2, 0.1]), verdict([0.1, -0.2, 0.1]), verdict([-1.0, -1.0, -2.0]), verdict([0.1, 0.2])
    ('win', 'tie', 'loss', '')
    """
    if len(apart) < 3:
        return ""
    return "win" if min(apart) > 0 else "loss" if max(apart) < 0 else "tie"


def _labels(found: dict[str, Any]) -> list[str]:
    there = {label for by_label in found.values() for label in by_label}
    return [label for label in NAMES if label in there]


def scores(told: Told) -> str:
    """Sets down, contestants across: the deciding metric on test rows."""
    parts = []
    for group, runs in groups(told).items():
        found = answers(runs)
        labels = _labels(found)
        lines = [["set", "metric", "seeds", *[NAMES[label] for label in labels], "Slalom beside trees"]]
        for name, by_label in found.items():
            metric = metrics(runs)[name]
            cells = [cell(metric, by_label.get(label)) for label in labels]
            seeds = str(max(len(one) for one in by_label.values()))
            lines.append([name, metric.replace("_", " "), seeds, *cells, beside(metric, by_label)])
        parts.append(f"{titled(group)}\n\n{shown.markdown(lines)}")
    return "\n\n".join(parts)


def titled(group: Group) -> str:
    """What the runs of a group have in common."""
    seconds, cores, programs = group
    kept = "Slalom's compiled programs kept between runs" if programs else "Slalom compiles anew in every run"
    return f"**{seconds:g} s on {cores} cores; {kept}.**"


def beside(metric: str, by_label: dict[str, dict[int, Told | None]], label: str = SLALOM) -> str:
    """How far Slalom's median is from that of the trees: per cent of theirs, accuracy in points; above 0 is better."""
    mine, trees = median(metric, by_label.get(label)), median(metric, by_label.get("trees"))
    if mine is None or trees is None:
        return "–"
    if metric == "accuracy":
        return f"{100 * (mine - trees):+.2f} points"
    return f"{100 * (trees - mine) / trees:+.1f} %" if trees else "–"


def median(metric: str, seeds: dict[int, Told | None] | None) -> float | None:
    """The median over the seeds that have an answer; None where none has."""
    values = [one[metric] for one in (seeds or {}).values() if one is not None]
    return statistics.median(values) if values else None


def wins(told: Told) -> str:
    """Slalom's best network against each other contestant: wins, ties and losses over all sets. The ensemble of the
    same races is no contestant, and more than one network: it is left out."""
    parts = []
    for group, runs in groups(told).items():
        found = answers(runs)
        lines = [["Slalom against", "wins", "ties", "losses", "better in the median", "wins on", "losses on"]]
        for label in _labels(found):
            if label in (SLALOM, ENSEMBLE):
                continue
            said: dict[str, list[str]] = {"win": [], "tie": [], "loss": [], "": []}
            ahead = 0
            for name, by_label in found.items():
                if SLALOM not in by_label or label not in by_label:
                    continue
                apart = differences(metrics(runs)[name], by_label[SLALOM], by_label[label])
                if apart:
                    said[verdict(apart)].append(name)
                    ahead += statistics.median(apart) > 0
            total = sum(map(len, said.values()))
            counts = [str(len(said[one])) for one in ("win", "tie", "loss")]
            where = [", ".join(said[one]) or "–" for one in ("win", "loss")]
            lines.append([NAMES[label], *counts, f"{ahead} of {total}", *where])
        parts.append(f"{titled(group)}\n\n{shown.markdown(lines)}")
    return "\n\n".join(parts)


def second(told: Told) -> str:
    """The other metric of the sets with classes, which nobody chose by."""
    parts = []
    for group, runs in groups(told).items():
        found = {name: one for name, one in answers(runs).items() if metrics(runs)[name] != "rmse"}
        if not found:
            continue
        labels = _labels(found)
        lines = [["set", "metric", *[NAMES[label] for label in labels]]]
        for name, by_label in found.items():
            metric = costs.of_task(metrics(runs)[name])[1]
            lines.append([name, metric.replace("_", " "), *[cell(metric, by_label.get(label)) for label in labels]])
        parts.append(f"{titled(group)}\n\n{shown.markdown(lines)}")
    return "\n\n".join(parts)


def targets(told: Told) -> str:
    """What is wanted beside what was measured, nothing kept from earlier runs, and beside the trees' same seconds."""
    lines = [
        ["set", "seconds", "Slalom's", "wanted", "measured", "seeds", "better than wanted by", "boosted trees",
         "beside trees", "tuned MLP, published"],
    ]  # fmt: skip
    for one in wanted.WANTED:
        metric = wanted.METRIC[one.name]
        runs = groups(told).get((one.seconds, wanted.CORES, False), [])
        by_label = answers(runs).get(one.name, {})
        for label, value in ((SLALOM, one.single), (ENSEMBLE, one.ensemble)):
            measured = [seed for seed, answer in by_label.get(label, {}).items() if answer is not None]
            lines.append(
                [
                    one.name, f"{one.seconds:g}", "best network" if label == SLALOM else "ensemble",
                    digits(metric, value), cell(metric, by_label.get(label)), f"{len(measured)} of {wanted.SEEDS}",
                    _ahead(metric, median(metric, by_label.get(label)), value), cell(metric, by_label.get("trees")),
                    beside(metric, by_label, label), digits(metric, wanted.TUNED_MLP[one.name]),
                ]
            )  # fmt: skip
    return shown.markdown(lines)


def _ahead(metric: str, measured: float | None, value: float) -> str:
    if measured is None:
        return "–"
    return f"{100 * (measured - value):+.2f} points" if metric == "accuracy" else f"{value - measured:+.4f}"


def effort(told: Told) -> str:
    """What contestants did with their time, and whether all held to it."""
    lines = [["seconds", "contestant", "runs", "tried in a run", "process, s", *WENT, "sources"]]
    for group, runs in groups(told).items():
        for name in NAMES:
            own = [run for run in runs if run["contestant"] == name]
            if not own:
                continue
            tried = [run["about"].get("tried", 0) for run in own]
            spent = [run["seconds"] for run in own]
            late, nothing = sum(run["late"] for run in own), sum(not run["answers"] for run in own)
            broken = sum(run.get("attempt", 1) - 1 + bool(run.get("code")) for run in own)  # those tried again as well
            lines.append(
                [
                    f"{group[0]:g}", NAMES[name], str(len(own)),
                    f"{statistics.median(tried):,.0f} ({min(tried):,}–{max(tried):,})",
                    f"{statistics.median(spent):.1f} ({min(spent):.1f}–{max(spent):.1f})", str(late), str(nothing),
                    str(broken), str(len({run["source"] for run in own})),
                ]
            )  # fmt: skip
    return shown.markdown(lines)


def about(told: Told) -> str:
    """The machines of the runs, a line each: the days, the processor and the versions. A run without a machine of its
    own was made on the file's."""
    days: dict[str, list[str]] = {}
    for run in told["runs"]:
        days.setdefault(page.machine(run.get("machine") or told["machine"]), []).append(run["day"])
    lines = (f"{', '.join(sorted(set(found)))}: {machine}" for machine, found in days.items())
    return "\n\n".join(sorted(lines))


def line(run: Told) -> str:
    """A run for a person at a terminal."""
    said = "; ".join(
        f"{label} " + ", ".join(f"{name} {value:.5g}" for name, value in one.items())
        for label, one in run["answers"].items()
    )
    state = "; ".join(filter(None, (said, f"FAILED: {run['failure']}" if run["failure"] else "")))
    late = ", late" if run["late"] else ""
    return (
        f"{run['set']}, seed {run['seed']}, {run['contestant']}: {state} ({run['seconds']:.1f} s{late},"
        f" {run['about'].get('tried', 0)} tried)"
    )


TABLES: dict[str, tuple[str, Callable[[Told], str]]] = {
    "machine": ("machine", about),
    "scores": ("runs", scores),
    "targets": ("runs", targets),
    "wins": ("runs", wins),
    "second": ("runs", second),
    "effort": ("runs", effort),
}


def text(told: Told) -> str:
    """All tables."""
    return "\n\n".join(make(told) for _, make in TABLES.values())
