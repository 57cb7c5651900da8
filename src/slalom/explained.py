"""Explained: evidence in plain sentences, as `slalom explain` prints it."""

from typing import Any

from slalom.board import clean, number, numbers
from slalom.evidence import HELPS, HURTS, LEVEL_WITH, NOT_MEASURED, UNSTABLE, Dropping, Evidence, Standing, Worth

SHOWN = 6  # fields that mattered
COLUMNS = 8  # that are worth most
CHANCE = 0.05


def sentences(evidence: Evidence, program: str = "slalom", folder: str = "DIR") -> list[str]:
    """What the evidence says, a paragraph each: the winner, its parts, what dropping may have cost, what mattered."""
    said = [standing(evidence.standing, evidence.metric)] if evidence.standing else []
    said += intervals(evidence)
    said += parts(evidence)
    said += [dropping(one, evidence.metric) for one in evidence.droppings]
    said += columns(evidence) + scalings(evidence)
    said += mattered(evidence)
    if left := evidence.missing:
        said.append(
            f"Not measured: {', '.join(left)}. `{program} explain {folder} --seconds 300` goes on where this stopped."
        )
    return said


def standing(one: Standing, metric: str) -> str:
    """The named winner with seeds and rows that chose nothing, beside the score that it was chosen by."""
    if one.score is None:
        return f"The winner could not be scored on the {one.rows:,} evidence rows."
    corrected = one.corrected or (None,) * 3
    texts = numbers([one.score, one.low, one.high, one.found, *corrected])
    interval = (
        f" (95 % interval {texts[1]} to {texts[2]})" if one.low is not None else " (too few rows for an interval)"
    )
    said = (
        f"The winner, trained with {one.seeds} new seeds and scored on the {one.rows:,} evidence rows, which chose"
        f" nothing: {metric} {texts[0]}{interval}."
    )
    if one.found is not None:
        said += f" It was chosen by {texts[3]}, an optimistic score"
        interval = f" (95 % interval {texts[5]} to {texts[6]})"
        said += f"; corrected for the choice that is {texts[4]}{interval}." if one.corrected else "."
    return said


def intervals(evidence: Evidence) -> list[str]:
    """How often the winner's intervals or sets held the truth."""
    one = evidence.intervals
    if not one:
        return []
    unit = "wide" if one["what"] == "Intervals" else "classes"
    size = "" if one["size"] is None else f", {number(one['size'])} {unit} on average"
    return [
        f"{one['what']} that say {one['level']:.0%} held the truth of {one['covered']:.1%} of the {one['rows']:,}"
        f" evidence rows{size}."
    ]


def parts(evidence: Evidence) -> list[str]:
    """What each part is worth: those that help first."""
    known = [worth for worth in evidence.worths if worth.verdict != NOT_MEASURED]
    if not known:
        return []
    order = [UNSTABLE, HELPS, HURTS, LEVEL_WITH]
    known.sort(key=lambda w: (order.index(w.verdict), -abs(w.worth or 0)))
    lines = [worth(one, evidence.metric) for one in known]
    n = len(evidence.worths)
    return [
        "What each part is worth: the winner beside the same recipe without it, each at its best of a grid of learning"
        f" rates, 10 new seeds a side, on evidence rows; corrected for {n} comparison{'s' * (n != 1)}.",
        *lines,
    ]


def worth(one: Worth, metric: str) -> str:
    """The verdict on one part, in a line.

    >>> print(worth(Worth("scaling", "z_score", "none", HELPS, 0.312, 0.28, 0.344, 0.001, 0.05), "rmse"))
    - scaling (z_score, not none): worth 0.3120 rmse here, 95 % interval 0.2800 to 0.3440.
    """
    head = f"- {one.part} ({_value(one.value)}, not {_value(one.plain)}): "
    if one.verdict == UNSTABLE:
        gone = f"{one.diverged} of 10 trainings" if one.rate_without else "every training at every learning rate"
        return f"{head}without it {gone} diverged."
    if one.worth is None:
        return f"{head}not measured."
    if one.low is None or one.high is None:
        return f"{head}{number(one.worth)} {metric} here; too few runs or rows for an interval."
    texts = numbers([abs(one.worth), abs(one.low), abs(one.high), one.unseen])
    low, high = (("−" if end < 0 else "") + text for end, text in zip((one.low, one.high), texts[1:3], strict=True))
    interval = f"95 % interval {low} to {high}"
    if one.verdict == HELPS:
        return f"{head}worth {texts[0]} {metric} here, {interval}."
    if one.verdict == HURTS:
        return f"{head}does harm here: {texts[0]} {metric} better without it, {interval} of its worth."
    alone = (
        ", which leaves out 0, but not once it is corrected for all comparisons" if one.low > 0 or one.high < 0 else ""
    )
    return f"{head}no difference seen ({interval}{alone}); one smaller than {texts[3]} would go unseen."


def dropping(one: Dropping, metric: str) -> str:
    """What a rung may have cost."""
    best = f" The best of them has {metric} {number(one.best)}." if one.best is not None and one.better else ""
    return (
        f"Rung {one.rung} dropped {one.dropped:,} recipes. Of {one.drawn} of them, drawn at random and trained to their"
        f" end, {one.better or 'none'} came out better than the winner's mean over new seeds: at most"
        f" {one.most:.0%} of those that were dropped would have (95 %).{best}"
    )


def columns(evidence: Evidence) -> list[str]:
    """Which columns the winner lives on."""
    if not evidence.columns:
        return []
    shown = [one for one in evidence.columns if one["worth"] > 2 * (one["error"] or 0)][:COLUMNS]
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
        epochs = "never" if one["epochs"] is None else f"after {one['epochs']:.3g} epochs"
        lines.append(
            f"- {one['scaling']}: condition number {one['condition']:.3g}, sharpness {one['sharpness']:.3g};"
            f" there {epochs} at its best rate, {one['rate']:.3g}."
        )
    return [
        "How the columns are conditioned under each scaling (of a linear model; 1 is best), how sharply the winner's"
        " loss curves at its first weights (gradient descent leaves there with a rate above 2 / sharpness), and when"
        f" the winner came to {evidence.metric} {number(evidence.scalings[0]['to'])} with it:",
        *lines,
    ]


def mattered(evidence: Evidence) -> list[str]:
    """Which fields decided over all recipes, and where the winner lies at the edge of the space."""
    decided = [one for one in evidence.fields if one["p"] < CHANCE and one["divergence"] > 0][:SHOWN]
    said = []
    if decided:
        listed = [f"{one['field']} ({one['divergence']:.2f}; best {_best_level(one, evidence)})" for one in decided]
        said.append(
            "What decided over all recipes about being among the best fifth, at equal epochs (0 is chance): "
            + ", ".join(listed) + "."
        )  # fmt: skip
    elif evidence.fields:
        said.append("No field decided more than chance does about which recipes were the best fifth.")
    edges = [f"{one['field']} (at the {one['edge']} end)" for one in evidence.fields if one["edge"]]
    if edges:
        said.append(
            f"The winner lies at the edge of the space in {', '.join(edges)}: better ones may lie beyond; widen it with"
            " --space."
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
