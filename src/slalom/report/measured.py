"""Figures of what was measured: learning rates, schedules, what parts were worth, which fields decided."""

import math
from typing import Any

from slalom.report.plots import (
    BAND,
    COLOURS,
    GREY,
    INK,
    LINE,
    QUIET,
    axis,
    cut,
    figure,
    labels,
    note,
    scored,
    unit_of,
    words,
)

FIELDS, COLUMNS = 10, 15  # that are drawn
STEPS = 24  # heights of a schedule, up to which it is one of steps
RATES = [digit * 10.0**power for power in range(-7, 3) for digit in (1, 2, 5)]  # that are written at an axis

Told = dict[str, Any]


def rates(told: Told) -> Told | None:
    """The score over the learning rate: what `explain` measured, or the recipes of the race with the winner's rule."""
    y = axis(scored(told))
    x = axis("learning rate, logarithmic", type="log", tickvals=RATES, ticktext=[f"{rate:g}" for rate in RATES])
    if told.get("grids"):
        return _grids(told, x, y)
    rule = told["recipe"]["rule"]["name"]
    rows = [
        row for row in told["leaderboard"]
        if row["kind"] == "recipe" and row.get("rule") == rule and row["score"] is not None
    ]  # fmt: skip
    if len(rows) < 3:
        return None
    names = [row["name"] == told["winner"] for row in rows]
    data = {
        "type": "scatter", "mode": "markers", "x": [row["learning_rate"] for row in rows],
        "y": [row["score"] for row in rows], "text": [words(f"{row['name']}: {row['outcome']}", 80) for row in rows],
        "hovertemplate": "%{text}<br>rate %{x:.3g}: %{y:.5g}<extra></extra>",
        "marker": {"size": [12 if wins else 7 for wins in names], "opacity": 0.85,
                   "color": [COLOURS[0] if wins else GREY for wins in names]},
    }  # fmt: skip
    reached = [row["score"] for row in rows]
    sane = sorted(reached, reverse=told["greater_is_better"])[: max(3, int(0.9 * len(reached)))]
    room = 0.1 * abs(sane[-1] - sane[0]) or 0.05 * abs(sane[0]) or 1.0
    low, high = min(sane[0], sane[-1]) - room, max(sane[0], sane[-1]) + room
    caption = (
        f"The {len(rows)} recipes with the winner's update rule, {cut(rule)}, by their learning rate, each at its"
        " best moment; the winner is blue. They differ in other fields too, and ran for different times: this is where"
        " the race looked, not a measurement of the rate."
    )
    return figure("rates", [data], caption, xaxis=x, yaxis=y | {"range": [low, high]}, showlegend=False)


def _grids(told: Told, x: Told, y: Told) -> Told:
    """The grids of `explain`: two seeds a rate, the winner's with the edge from which it diverges."""
    data, shapes, notes = [], [], []
    own = told["recipe"].get("learning_rate")
    if own:
        shapes.append(_line(own, QUIET, "dot"))
        notes.append(note("the winner’s", math.log10(own), 1, yref="paper", yanchor="bottom", xanchor="center"))
    for i, grid in enumerate(told["grids"]):
        scores = sorted(grid["scores"], key=lambda one: one[0])
        known = [(rate, score) for rate, score, _ in scores if score is not None]
        first = i == 0
        if first:
            data += _band(scores)
        data.append(
            {"type": "scatter", "mode": "lines+markers", "name": words(grid["of"]), "x": [rate for rate, _ in known],
             "y": [score for _, score in known], "visible": True if i < 4 else "legendonly",
             "hovertemplate": "rate %{x:.3g}: %{y:.5g}", "marker": {"size": 7 if first else 5},
             "line": {"color": COLOURS[i % len(COLOURS)], "width": 2.6 if first else 1.3}}
        )  # fmt: skip
        lost = [rate for rate, score, _ in scores if score is None and (not known or rate > known[-1][0])]
        if first and lost and known:
            edge = math.sqrt(lost[0] * known[-1][0])
            shapes.append(_line(edge, COLOURS[3], "dash"))
            notes.append(note(f"diverges from {edge:.3g}", math.log10(edge), 1, yref="paper", textangle=90))
    caption = (
        "Each point is a whole training at that learning rate (two seeds, their mean, on choosing rows; band: each"
        " alone): the winner, and the winner without each of its parts. Where the best rate lies at an edge, more were"
        " tried."
        " Dotted: the winner’s own rate; dashed, where there is such a line: where it begins to diverge."
    )
    return figure("rates", data, caption, xaxis=x, yaxis=y, shapes=shapes, annotations=notes)


def _line(x: float, colour: str, dash: str) -> Told:
    """A line from the bottom to the top of a figure."""
    line = {"color": colour, "width": 1.5, "dash": dash}
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": line}


def _band(scores: list[list[Any]]) -> list[Told]:
    """Between the worst and the best seed of each rate."""
    there = [(rate, [score for score in seeds if score is not None]) for rate, _, seeds in scores]
    there = [(rate, seeds) for rate, seeds in there if seeds]
    edge = {"type": "scatter", "mode": "lines", "x": [rate for rate, _ in there], "line": {"width": 0},
            "hoverinfo": "skip", "showlegend": False}  # fmt: skip
    return [edge | {"y": [max(seeds) for _, seeds in there]},
            edge | {"y": [min(seeds) for _, seeds in there], "fill": "tonexty", "fillcolor": BAND}]  # fmt: skip


def schedules(told: Told) -> Told | None:
    """The learning rate of the winner and of other finalists over the epochs."""
    if not told["schedules"]:
        return None
    data = [
        {"type": "scatter", "mode": "lines", "name": f"{words(one['name'])}: {words(one['schedule'])}",
         "x": one["epochs"], "y": one["rates"], "hovertemplate": "epoch %{x:.4g}: %{y:.3g}",
         "line": {"color": COLOURS[i % len(COLOURS)], "shape": _shape(one["rates"]),
                  "width": 2.8 if one["name"] == told["winner"] else 1.5}}
        for i, one in enumerate(told["schedules"])
    ]  # fmt: skip
    many = max(max(one["rates"]) for one in told["schedules"]) > 30 * max(told["schedules"][0]["rates"])
    y = axis("learning rate", exponentformat="power", **({"type": "log"} if many else {"rangemode": "tozero"}))
    caption = (
        "The learning rate that each recipe's schedule gives over its horizon (a plateau falls while it trains: only"
        " its height at the start is drawn)."
    )
    return figure("schedules", data, caption, xaxis=axis("epochs"), yaxis=y)


def _shape(rates: list[float]) -> str:
    """How points of a schedule are joined: as steps where it has few heights."""
    return "hv" if len(set(rates)) <= STEPS else "linear"


def worths(told: Told) -> Told | None:
    """What each part of the winner is worth, with its interval."""
    found = [one for one in (told.get("evidence") or {}).get("worths", ()) if one["worth"] is not None]
    if not found:
        return None
    found = sorted(found, key=lambda one: one["worth"])
    names = labels([f"{one['part']} ({one['value']})" for one in found])
    colours = [
        COLOURS[0] if one["verdict"] == "helps" else COLOURS[1] if one["verdict"] == "hurts" else GREY for one in found
    ]
    data = {
        "type": "scatter", "mode": "markers", "x": [one["worth"] for one in found], "y": names,
        "marker": {"size": 10, "color": colours}, "text": [words(one["verdict"]) for one in found],
        "hovertemplate": "%{text}: %{x:.4g}<extra></extra>",
        "error_x": {"type": "data", "symmetric": False, "color": QUIET, "thickness": 1.5,
                    "array": [(one["high"] or one["worth"]) - one["worth"] for one in found],
                    "arrayminus": [one["worth"] - (one["low"] or one["worth"]) for one in found]},
    }  # fmt: skip
    x = axis(
        f"worth in {words(told['metric'])}{unit_of(told)}<br>(above 0: better with it)",
        zeroline=True,
        rangemode="tozero",
    )
    caption = (
        "By how much the winner is better with each part than without it, both with their best learning rates, ten"
        " fresh seeds a side, on evidence rows; 95 % intervals. Blue: helps; orange: hurts; grey: no difference seen."
    )
    side = {"automargin": True, "type": "category"}
    return figure("worths", [data], caption, height=130 + 34 * len(found), xaxis=x | {"zerolinecolor": INK}, yaxis=side)


def fields(told: Told) -> Told | None:
    """How much each field decided which recipes were the best fifth."""
    found = [one for one in (told.get("evidence") or {}).get("fields", ()) if one["divergence"] > 0][:FIELDS][::-1]
    if not found:
        return None
    data = {
        "type": "bar", "orientation": "h", "y": labels([one["field"] for one in found]),
        "x": [one["divergence"] for one in found], "hovertemplate": "%{y}: %{x:.3g}<extra></extra>",
        "marker": {"color": [COLOURS[0] if one.get("p", 1) <= 0.05 else GREY for one in found]},
    }  # fmt: skip
    caption = (
        "How much the values of a field differ between the best fifth of the recipes of the first start and all of them"
        " (Pearson divergence, PED-ANOVA). Blue: more than chance would make it in nineteen of twenty cases."
    )
    x = axis("divergence (0: the field decided nothing)", gridcolor=LINE)
    return figure("fields", [data], caption, height=120 + 28 * len(found), xaxis=x, yaxis={"automargin": True})


def columns(told: Told) -> Told | None:
    """What each column of the table is worth to the winner, by shuffling it."""
    found = list((told.get("evidence") or {}).get("columns", ()))[:COLUMNS][::-1]
    if not found:
        return None
    data = {
        "type": "bar", "orientation": "h", "y": labels([one["column"] for one in found]),
        "x": [one["worth"] for one in found], "marker": {"color": COLOURS[0]},
        "error_x": {"type": "data", "array": [2.78 * one["error"] for one in found], "color": QUIET, "thickness": 1.3},
        "hovertemplate": "%{y}: %{x:.4g}<extra></extra>",
    }  # fmt: skip
    x = axis(f"by how much {words(told['metric'])} is worse when the column is shuffled{unit_of(told)}", gridcolor=LINE)
    caption = (
        "What each column is worth to the winner on evidence rows, with 95 % intervals over five shuffles. Two columns"
        " that say the same stand in for each other, and both may look idle."
    )
    side = {"automargin": True, "type": "category"}
    return figure("columns", [data], caption, height=120 + 28 * len(found), xaxis=x, yaxis=side)
