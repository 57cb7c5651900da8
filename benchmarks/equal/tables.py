"""The tables of docs/results.md: medians over the seeds, and who was better how often."""

import math
import statistics
from collections.abc import Callable
from typing import Any

from benchmarks import page
from benchmarks.equal import costs
from slalom.bench import shown

Told = dict[str, Any]

SLALOM = "slalom"
NAMES = {
    "slalom": "Slalom",
    "slalom ensemble": "Slalom, ensemble",
    "slalom-topk": "Slalom, best K after one epoch",
    "optuna": "Optuna + PyTorch",
    "halving": "scikit-learn, halving",
    "trees": "boosted trees",
}
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
    """A value of a metric, to four digits or to a tenth of a per cent."""
    return f"{value:.1%}" if metric == "accuracy" else f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


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


def beside(metric: str, by_label: dict[str, dict[int, Told | None]]) -> str:
    """How far Slalom's median is from that of the trees: per cent of theirs, accuracy in points; above 0 is better."""
    middles = []
    for label in (SLALOM, "trees"):
        values = [one[metric] for one in by_label.get(label, {}).values() if one is not None]
        if not values:
            return "–"
        middles.append(statistics.median(values))
    mine, trees = middles
    if metric == "accuracy":
        return f"{100 * (mine - trees):+.1f} points"
    return f"{100 * (trees - mine) / trees:+.1f} %" if trees else "–"


def wins(told: Told) -> str:
    """Slalom's best network against each other: wins, ties and losses over all sets."""
    parts = []
    for group, runs in groups(told).items():
        found = answers(runs)
        lines = [["Slalom against", "wins", "ties", "losses", "better in the median", "wins on", "losses on"]]
        for label in _labels(found):
            if label == SLALOM:
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


def effort(told: Told) -> str:
    """What contestants did with their time, and whether all held to it."""
    lines = [["seconds", "contestant", "runs", "tried in a run", "process, s", "late", "nothing in time", "sources"]]
    for group, runs in groups(told).items():
        for name in NAMES:
            own = [run for run in runs if run["contestant"] == name]
            if not own:
                continue
            tried = [run["about"].get("tried", 0) for run in own]
            spent = [run["seconds"] for run in own]
            late, nothing = sum(run["late"] for run in own), sum(not run["answers"] for run in own)
            lines.append(
                [
                    f"{group[0]:g}", NAMES[name], str(len(own)),
                    f"{statistics.median(tried):,.0f} ({min(tried):,}–{max(tried):,})",
                    f"{statistics.median(spent):.1f} ({min(spent):.1f}–{max(spent):.1f})", str(late), str(nothing),
                    str(len({run["source"] for run in own})),
                ]
            )  # fmt: skip
    return shown.markdown(lines)


def about(told: Told) -> str:
    """The machine, the days and the versions."""
    return page.about(told | {"days": {run["day"]: run["day"] for run in told["runs"]}})


def line(run: Told) -> str:
    """A run for a person at a terminal."""
    said = "; ".join(
        f"{label} " + ", ".join(f"{name} {value:.5g}" for name, value in one.items())
        for label, one in run["answers"].items()
    )
    state = said or f"nothing in time: {run['failure']}"
    late = ", late" if run["late"] else ""
    return (
        f"{run['set']}, seed {run['seed']}, {run['contestant']}: {state} ({run['seconds']:.1f} s{late},"
        f" {run['about'].get('tried', 0)} tried)"
    )


TABLES: dict[str, tuple[str, Callable[[Told], str]]] = {
    "machine": ("machine", about),
    "scores": ("runs", scores),
    "wins": ("runs", wins),
    "second": ("runs", second),
    "effort": ("runs", effort),
}


def text(told: Told) -> str:
    """All tables."""
    return "\n\n".join(make(told) for _, make in TABLES.values())
