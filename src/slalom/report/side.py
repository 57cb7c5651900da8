"""Side by side: several races on one page: their verdicts, scores, winners' recipes and curves."""

from collections.abc import Sequence
from typing import Any

from slalom.board import number, short
from slalom.errors import SlalomError
from slalom.report.document import dressed
from slalom.report.plots import COLOURS, axis, figure, scored, words
from slalom.result import ENSEMBLE

MOST = 6  # races on one page, as many as there are colours

OF_DIVISION = ("target", "seed", "rows", "task")  # what, beside the rows, decides what scores are of

Told = dict[str, Any]


def side_by_side(names: Sequence[str], told: Sequence[Told]) -> str:
    """The page of several races as the text of one HTML file. names: what each is called on it, all different; told: of
    each what report.json holds.

    Scores stand in one table where metric and target are the same; the page says so where they are not. SlalomError for
    fewer than two races or more than six.
    """
    if not 2 <= len(told) <= MOST:
        raise SlalomError(f"slalom compare takes two to {MOST} runs. Got {len(told)}.")
    metrics = {(one["metric"], one["greater_is_better"]) for one in told}
    same = {str([(one.get("data") or {}).get("fingerprint", i), *(one.get(name) for name in OF_DIVISION)])
            for i, one in enumerate(told)}  # fmt: skip
    comparable = len(metrics) == len(same) == 1
    drawn = [made for made in (_curves(names, told) if comparable else None,) if made]
    return dressed(
        "side.html.jinja",
        f"Slalom: {len(told)} races side by side",
        drawn,
        names=list(names),
        told=list(told),
        scores=[_scores(name, one) for name, one in zip(names, told, strict=True)],
        differing=_differing(told),
        metric=next(iter(metrics))[0] if len(metrics) == 1 else "",
        greater=next(iter(metrics))[1],
        comparable=comparable,
        metrics=len(metrics),
    )


def _scores(name: str, told: Told) -> dict[str, str]:
    """The line of a race in the table of scores."""
    baselines = {one: score for one, score in told["tests"].items() if one not in (told["winner"], ENSEMBLE)}
    known = {one: score for one, score in baselines.items() if score is not None}
    best = (max if told["greater_is_better"] else min)(known, key=lambda one: known[one], default="")
    corrected = told.get("corrected_score")
    standing = (told.get("evidence") or {}).get("standing") or {}
    return {
        "run": name,
        "metric": told["metric"],
        "winner": told["winner"],
        "score": number(told["score"]),
        "corrected": number(corrected[0]) if corrected else "–",
        "evidence": number(standing.get("score")),
        "test": number(told.get("test")),
        "ensemble": number(told["tests"].get(ENSEMBLE)),
        "baseline": f"{short(best)} {number(known[best])}" if best else "–",
        "recipes": f"{told['recipes']:,}",
        "seconds": f"{told['seconds']:.1f}",
    }


def _differing(told: Sequence[Told]) -> list[tuple[str, list[str]]]:
    """The fields of the winners' recipes in which they are not all alike, with the value of each."""
    flat = [dict(_flat(one["recipe"])) for one in told]
    fields = dict.fromkeys(field for one in flat for field in one)
    rows = [(field, [_cell(one.get(field)) for one in flat]) for field in fields]
    return [(field, cells) for field, cells in rows if len(set(cells)) > 1]


def _flat(table: Told, before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value))
    return found


def _cell(value: Any) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _curves(names: Sequence[str], told: Sequence[Told]) -> Told | None:
    """The curve of each race's winner."""
    data = []
    for i, (name, one) in enumerate(zip(names, told, strict=True)):
        curve: list[list[float]] = next((r["curve"] for r in one["race"]["racers"] if r["name"] == one["winner"]), [])
        if curve:
            data.append(
                {"type": "scatter", "mode": "lines+markers", "name": words(f"{name}: {one['winner']}", 60),
                 "x": [point[0] for point in curve], "y": [point[1] for point in curve],
                 "line": {"color": COLOURS[i % len(COLOURS)], "width": 2.2}, "marker": {"size": 4},
                 "hovertemplate": "epoch %{x:.4g}: %{y:.5g}"}
            )  # fmt: skip
    if not data:
        return None
    y = axis(scored(told[0], " on choosing rows"))
    caption = "The score of each race's winner on its choosing rows, over its epochs."
    return figure("winners", data, caption, height=420, xaxis=axis("epochs", rangemode="tozero"), yaxis=y)
