"""The figure of the race itself: every racer's curve, the rungs, the baselines."""

import itertools
import math
from typing import Any

from slalom.board import number
from slalom.report.plots import COLOURS, GREY, PAPER, QUIET, axis, figure, note, scored, words

FADE = (0.55, 0.3, 0.12)  # how strong the thirds of the last stretch of a dropped curve are
STRETCH = 0.4  # of a dropped curve, that fades
WIDE, LONG = 25.0, 6.0  # from which ratios axes are logarithmic
RANGE = 0.9  # the share of racers whose last score is in sight

Told = dict[str, Any]


def race(told: Told) -> Told | None:
    """Every racer's score on the choosing rows over its epochs."""
    racers = [racer for racer in told["race"]["racers"] if racer["curve"]]
    if not racers:
        return None
    winner = told["winner"]
    plain = [r for r in racers if r["name"] != winner and not r["finalist"]]
    dropped = [r for r in plain if r["outcome"].startswith("dropped")]
    others = [r for r in plain if not r["outcome"].startswith("dropped")]
    data = [*_faded(dropped)]
    if others:
        data.append(_together("others", [r["curve"] for r in others], [_of(r) for r in others], COLOURS[4], 1.0, 0.75))
    gone = [r for r in racers if r["outcome"].startswith("diverged")]
    if gone:
        ends = [r["curve"][-1] for r in gone]
        data.append(
            {"type": "scatter", "mode": "markers", "name": "diverged", "x": [p[0] for p in ends],
             "y": [p[1] for p in ends], "text": [_of(r) for r in gone], "hovertemplate": "%{text}<extra></extra>",
             "marker": {"symbol": "x", "size": 7, "color": COLOURS[3]}}
        )  # fmt: skip
    finalists = [r for r in racers if r["finalist"] and r["name"] != winner]
    if finalists:
        curves, names = [r["curve"] for r in finalists], [_of(r) for r in finalists]
        data.append(_together("finalists", curves, names, COLOURS[1], 1.4, 1.0))
    for r in racers:
        if r["name"] == winner:
            data += _winner(r, greater=told["greater_is_better"])
    epochs = _epochs(racers, told["race"]["rungs"])
    x = axis("epochs (passes over the training rows)" + "<br>logarithmic" * (epochs.get("type") == "log"), **epochs)
    y = axis(scored(told, " on choosing rows"), **_scores(told, racers))
    shapes, notes = _marks(told, logarithmic=x.get("type") == "log", top=_top(y))
    count = len(told["race"]["racers"])
    caption = (
        f"The {'curves' if count != 1 else 'curve'} of {count:,} recipe{'s' * (count != 1)} over the epochs."
        f"{' Those that were dropped are grey and fade where they were dropped, or are dots.' * bool(dropped)} Vertical"
        " lines are the rungs, horizontal ones the baselines. Point at a curve for its recipe; choose in the legend"
        " what is shown."
    )
    return figure("race", data, caption, height=460, xaxis=x, yaxis=y, shapes=shapes, annotations=notes)


def _of(racer: Told) -> str:
    return words(f"{racer['name']}: {racer['outcome']}", 80)


def _together(name: str, curves: list[Any], texts: list[str], colour: str, width: float, opacity: float) -> Told:
    """Many curves as one trace, with gaps between them: a page holds hundreds. A curve of one point is a dot."""
    x: list[Any] = []
    y: list[Any] = []
    said: list[Any] = []
    sizes: list[int] = []
    for curve, text in zip(curves, texts, strict=True):
        x += [*(point[0] for point in curve), None]
        y += [*(point[1] for point in curve), None]
        said += [text] * len(curve) + [None]
        sizes += [5 if len(curve) == 1 else 0] * (len(curve) + 1)
    single = {len(curve) == 1 for curve in curves}
    return {
        "type": "scatter", "mode": "lines" if single == {False} else "markers" if single == {True} else "lines+markers",
        "name": name, "x": x, "y": y, "text": said,
        "hovertemplate": "%{text}<br>epoch %{x:.4g}: %{y:.5g}<extra></extra>", "opacity": opacity,
        "line": {"color": colour, "width": width}, "connectgaps": False,
        "marker": {"color": colour, "size": sizes if single == {True, False} else 5},
    }  # fmt: skip


def _faded(dropped: list[Told]) -> list[Told]:
    """Dropped curves: whole up to their last stretch, which fades in three steps."""
    if not dropped:
        return []
    pieces: list[tuple[list[Any], list[str]]] = [([], []) for _ in range(4)]
    for racer in dropped:
        for place, piece in enumerate(_pieces(racer["curve"])):
            if piece:
                pieces[place][0].append(piece)
                pieces[place][1].append(_of(racer))
    traces: list[Told] = []
    for place, (curves, texts) in enumerate(pieces):
        if curves:
            trace = _together("dropped", curves, texts, GREY, 1.0, (0.7, *FADE)[place])
            traces.append(trace | {"legendgroup": "dropped", "showlegend": not traces})
    return traces


def _pieces(curve: list[list[float]]) -> list[list[list[float]]]:
    """A curve up to its last stretch, and that stretch in three parts; a single point is the first."""
    if len(curve) < 2:
        return [curve, [], [], []]
    begin, end = curve[0][0], curve[-1][0]
    cuts = [end - STRETCH * (end - begin) * share for share in (1, 2 / 3, 1 / 3, 0)]
    pieces, low = [], begin
    for high in cuts:
        inside = [point for point in curve if low < point[0] < high]
        pieces.append([_at(curve, low), *inside, _at(curve, high)] if high > low else [])
        low = high
    return pieces


def _at(curve: list[list[float]], x: float) -> list[float]:
    """The point of a broken line at x."""
    for (a, b), (c, d) in itertools.pairwise(curve):
        if a <= x <= c:
            return [x, b if c == a else b + (d - b) * (x - a) / (c - a)]
    return curve[-1]


def _winner(racer: Told, *, greater: bool) -> list[Told]:
    curve = racer["curve"]
    best = (max if greater else min)(curve, key=lambda point: point[1])
    line = _together(f"{words(racer['name'])}, the winner", [curve], [_of(racer)], COLOURS[0], 2.8, 1.0)
    dot = {
        "type": "scatter", "mode": "markers", "x": [best[0]], "y": [best[1]], "showlegend": False,
        "hovertemplate": "the winner's best moment<br>epoch %{x:.4g}: %{y:.5g}<extra></extra>",
        "marker": {"size": 10, "color": COLOURS[0], "line": {"color": PAPER, "width": 1.5}},
    }  # fmt: skip
    return [line, dot]


def _epochs(racers: list[Told], rungs: list[float]) -> Told:
    first, last = min(r["curve"][0][0] for r in racers), max(r["curve"][-1][0] for r in racers)
    if rungs and first > 0 and last > LONG * rungs[0]:
        ticks = sorted({first, *rungs, last})
        texts = [f"{tick:.3g}" for tick in ticks]
        return {"type": "log", "tickvals": ticks, "ticktext": texts,
                "range": [math.log10(first) - 0.02, math.log10(last) + 0.04]}  # fmt: skip
    return {"range": [0, last * 1.03]}


def _scores(told: Told, racers: list[Told]) -> Told:
    """The range of the scores: to that with which nine of ten racers ended, the baselines but guessing in sight."""
    sign = -1 if told["greater_is_better"] else 1
    costs = sorted(sign * r["curve"][-1][1] for r in racers)
    best = min(sign * point[1] for r in racers for point in r["curve"])
    worst = costs[min(int(RANGE * len(costs)), len(costs) - 1)]
    if len(racers) == 1:  # its whole curve
        worst = max(sign * point[1] for point in racers[0]["curve"])
    known = [sign * one["score"] for one in told["race"]["baselines"] if not one["name"].startswith("mean or")]
    guess = [sign * one["score"] for one in told["race"]["baselines"] if one["name"].startswith("mean or")]
    best = min([best, *known])  # a baseline that is better is in sight
    worst = max(min(max([worst, *known]), *guess, math.inf), best)
    near, far = sign * best, sign * worst
    if sign > 0 and near > 0 and far > WIDE * near:
        low, high = math.log10(near * 0.85), math.log10(far * 1.2)
        return {"type": "log", "range": [low, high]} | (
            {"dtick": math.ceil((high - low) / 8)} if high - low > 3 else {}
        )
    room = 0.07 * abs(far - near) or 0.05 * abs(near) or 1.0
    low, high = sorted((near, far))
    return {"range": [low - room, high + room], "tickformat": ",.4~g" if high < 1e4 else ",.0f"}


def _top(y: Told) -> float:
    """The score from which a label has no room above its line."""
    low, high = y["range"]
    edge = high - 0.07 * (high - low)
    return float(10**edge if y.get("type") == "log" else edge)


def _marks(told: Told, *, logarithmic: bool, top: float) -> tuple[list[Told], list[Told]]:
    """The rungs and the baselines as lines with their names."""
    shapes, notes = [], []
    for i, epoch in enumerate(told["race"]["rungs"], start=1):
        shapes.append(
            {"type": "line", "x0": epoch, "x1": epoch, "y0": 0, "y1": 1, "yref": "paper", "layer": "below",
             "line": {"color": QUIET, "width": 1, "dash": "dot"}}
        )  # fmt: skip
        notes.append(note(f"rung {i}", math.log10(epoch) if logarithmic else epoch, 1, yref="paper", yanchor="bottom"))
    for one in told["race"]["baselines"]:
        shapes.append(
            {"type": "line", "x0": 0, "x1": 1, "xref": "paper", "y0": one["score"], "y1": one["score"],
             "line": {"color": COLOURS[2], "width": 1.2, "dash": "dash"}, "name": words(one["name"]),
             "label": {"text": f"{words(one['name'])} {number(one['score'])}", "textposition": "end",
                       "yanchor": "top" if one["score"] > top else "bottom", "font": {"size": 11, "color": COLOURS[2]}}}
        )  # fmt: skip
    return shapes, notes
