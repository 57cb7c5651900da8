"""Explained: evidence in plain sentences, as `slalom explain` prints it."""

import math
from typing import Any

from slalom.board import clean, number, numbers
from slalom.evidence import HELPS, HURTS, LEVEL_WITH, NOT_COMPARED, NOT_MEASURED, UNSTABLE, Dropping, Evidence, Worth

SHOWN = 6  # fields that mattered
COLUMNS = 8  # that are worth most
T = 2.78  # standard errors of a column's worth: the 97.5 % quantile with 4 degrees of freedom
CHANCE = 0.05
SECONDS = 300  # that a call of `explain` is worth, at least


def sentences(evidence: Evidence, program: str = "slalom", folder: str = "DIR") -> list[str]:
    """What the evidence says, a paragraph each: the winner, its parts, what dropping may have cost, what mattered."""
    said = [*standing(evidence), *intervals(evidence), *parts(evidence)]
    said += [dropping(one, evidence.metric) for one in evidence.droppings]
    said += columns(evidence) + scalings(evidence)
    said += mattered(evidence)
    if left := evidence.missing:
        needed = evidence.needed
        seconds = max(SECONDS, 60 * math.ceil(1.5 * needed / 60))
        said.append(
            f"Not measured: {', '.join(left)}. `{program} explain {folder} --seconds {seconds}` goes on where this"
            f" stopped{f'; the next step of it takes about {math.ceil(needed)} s' if needed else ''}."
        )
    return said


def standing(evidence: Evidence, *, brief: bool = False) -> list[str]:
    """The winning recipe with seeds and rows that chose nothing. brief: without the score of the search."""
    one = evidence.standing
    if one is None:
        return []
    if one.diverged:
        return [f"{one.diverged} of {one.seeds} further trainings of the winning recipe diverged: do not rely on it."]
    if one.score is None:
        return [f"The winning recipe could not be scored on the {one.rows:,} evidence rows."]
    texts = numbers([one.score, one.low, one.high, one.found, *(one.corrected or (None,) * 3)])
    known = one.low is not None and one.high is not None
    interval = f"95 % interval {texts[1]} to {texts[2]}" if known else "no interval for this metric, or of so few runs"
    said = (
        f"The winning recipe, trained with {one.seeds} further seeds, has {evidence.metric} {texts[0]} on average on"
        f" the {one.rows:,} evidence rows ({interval}): that is what to expect of it."
    )
    if one.found is not None and not brief:
        said += f" Its score in the search, {texts[3]}, is optimistic"
        corrected = (
            f"; the best score of the search, corrected for the choice, is {texts[4]} ({texts[5]} to {texts[6]})."
        )
        said += corrected if one.corrected else "."
    if evidence.metric == "log_loss":
        said += (
            " These are nets as they were trained; the model that is kept is calibrated on choosing rows besides, which"
            " changes its probabilities."
        )
    return [said]


def intervals(evidence: Evidence) -> list[str]:
    """How often the intervals or sets of the winner's network held the truth."""
    one = evidence.intervals
    if not one:
        return []
    size = "" if one["size"] is None else f"; they are {number(one['size'])} wide on average"
    if one["what"] != "Intervals" and one["size"] is not None:
        size = f"; a set has {number(one['size'])} classes on average"
    whose = "network" if one["folds"] == 1 else "networks of the folds"
    return [
        f"{one['what']} of the winner's {whose} that are to hold the truth of {one['level']:.0%} of the rows held that"
        f" of {one['covered']:.1%} of the {one['rows']:,} evidence rows{size}."
    ]


def parts(evidence: Evidence) -> list[str]:
    """What each part is worth: those that help first."""
    known = [worth for worth in evidence.worths if worth.verdict != NOT_MEASURED]
    if not known:
        return []
    order = [UNSTABLE, HELPS, HURTS, LEVEL_WITH, NOT_COMPARED]
    known.sort(key=lambda w: (order.index(w.verdict), -abs(w.worth or 0)))
    n = len(evidence.worths)
    return [
        "What each part is worth: the winning recipe beside the same one without it, both at their best of a grid of"
        " learning rates, 10 new seeds a side, on evidence rows. Each interval is for its part alone; whether a part is"
        f" said to help is decided by p values corrected for {n} comparison{'s' * (n != 1)}.",
        *[worth(one, evidence.metric) for one in known],
    ]


def worth(one: Worth, metric: str) -> str:
    """The verdict on one part, in a line.

    >>> print(worth(Worth("scaling", "z_score", "none", HELPS, 0.312, 0.28, 0.344, 0.001, 0.05), "rmse"))
    - scaling (z_score, not none): worth 0.3120 rmse here, 95 % interval 0.2800 to 0.3440.
    """
    head = f"- {one.part} ({_value(one.value)}, not {_value(one.plain)}): "
    if one.verdict == UNSTABLE:
        gone = f"{one.diverged} of 10 trainings" if one.rate_without else "every training at every learning rate"
        return f"{head}without it {gone} diverged, of the whole recipe none."
    if one.verdict == NOT_COMPARED:
        gone = (
            f"{one.diverged} of 10 trainings without it" if one.diverged else "some of the whole recipe's 10 trainings"
        )
        return f"{head}cannot be compared: {gone} diverged."
    if one.worth is None:
        return f"{head}not measured."
    if one.low is None or one.high is None:
        return f"{head}{number(one.worth)} {metric} here; too few runs or rows for an interval."
    texts = numbers([abs(one.worth), abs(one.low), abs(one.high), one.unseen])
    ends = list(zip((one.low, one.high), texts[1:3], strict=True))
    low, high = [("−" if end < 0 else "") + text for end, text in ends]
    kept = "" if one.kept is None else f" At the winner's own rate, on choosing rows: {number(one.kept)}."
    if one.verdict == HELPS:
        return f"{head}worth {texts[0]} {metric} here, 95 % interval {low} to {high}.{kept}"
    if one.verdict == HURTS:
        low, high = [("−" if end > 0 else "") + text for end, text in reversed(ends)]
        return f"{head}does harm here: {metric} is {texts[0]} better without it, 95 % interval {low} to {high}."
    alone = ", which leaves out 0, but not once it is corrected for all comparisons" * (one.low > 0 or one.high < 0)
    return (
        f"{head}no difference seen (95 % interval of its worth {low} to {high}{alone}); one smaller than {texts[3]}"
        " would often go unseen."
    )


def dropping(one: Dropping, metric: str) -> str:
    """What a rung may have cost."""
    best = f" The best of them has {metric} {number(one.best)}." if one.best is not None and one.better else ""
    return (
        f"Rung {one.rung} dropped {one.dropped:,} recipes. Of {one.drawn} of them, drawn at random and trained to their"
        f" end, {one.better or 'none'} came out better, on choosing rows and in a single run, than the winner's mean"
        f" over further seeds: at most {one.most:.0%} of those that were dropped would have (95 %).{best}"
    )


def columns(evidence: Evidence) -> list[str]:
    """Which columns the winner lives on."""
    if not evidence.columns:
        return []
    shown = [one for one in evidence.columns if one["worth"] > T * (one["error"] or 0)][:COLUMNS]
    rest = len(evidence.columns) - len(shown)
    if not shown:
        return ["Shuffling any one column changes the winner's score on evidence rows by no more than chance."]
    texts = numbers([one["worth"] for one in shown])
    listed = ", ".join(f"{clean(one['column'])} {text}" for one, text in zip(shown, texts, strict=True))
    less = f"; the other {rest} less, or no more than chance" if rest else ""
    return [f"What a shuffled column costs the winner on evidence rows, in {evidence.metric}: {listed}{less}."]


def scalings(evidence: Evidence) -> list[str]:
    """What each scaling does to the curvature, and to the time that training takes."""
    if not evidence.scalings:
        return []
    lines = []
    for one in evidence.scalings:
        epochs = "never got there" if one["epochs"] is None else f"there after {one['epochs']:.3g} epochs"
        lines.append(
            f"- {one['scaling']}: condition number {one['condition']:.3g}, sharpness {one['sharpness']:.3g}; {epochs},"
            f" at its best learning rate, {one['rate']:.3g}."
        )
    return [
        f"The condition number of the columns under {len(lines)} scalings (of a linear model; 1 is best); how sharply"
        " the winner's loss curves at its first weights (plain gradient descent with a constant rate above"
        f" 2 / sharpness leaves there); and when the winner's recipe came to {evidence.metric}"
        f" {number(evidence.scalings[0]['to'])} with each, one seed:",
        *lines,
    ]


def mattered(evidence: Evidence) -> list[str]:
    """Which fields decided over all recipes, and where the winner lies at the edge of the space."""
    decided = [one for one in evidence.fields if one["p"] < CHANCE and one["divergence"] > 0][:SHOWN]
    said = []
    if decided:
        listed = ", ".join(
            f"{one['field']} ({one['divergence']:.2f}; the best recipe had {_best_level(one, evidence)})"
            for one in decided
        )
        said.append(
            "What decided among the recipes of the first start about being in the best fifth, all compared at the same"
            f" epoch (0 is chance): {listed}."
        )
    elif evidence.fields:
        said.append("No field decided more than chance does about which recipes were the best fifth.")
    if gone := evidence.ended.get("diverged"):
        every = evidence.ended["recipes"]
        said.append(f"{gone:,} of {every:,} recipes diverged ({gone / every:.1%}).")
    edges = [f"{one['field']} (at the {one['edge']} end)" for one in evidence.fields if one["edge"]]
    if edges:
        said.append(
            f"The winner lies at the edge of the range that is drawn from in {', '.join(edges)}: better ones may lie"
            " beyond. --space widens it."
        )
    return said


def _best_level(one: dict[str, Any], evidence: Evidence) -> str:
    """The value, or the range, of the field whose best recipe was the best."""
    levels = [level for level in one["levels"] if level["best"] is not None]
    if not levels:
        return "none"
    best = (max if evidence.greater else min)(levels, key=lambda level: level["best"])
    low, high = best["low"], best["high"]
    return _value(low) if low == high else f"{_value(low)} to {_value(high)}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
