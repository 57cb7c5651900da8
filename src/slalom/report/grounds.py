"""Figures of the data and the net: columns under scalings, the loss around the winner, predictions beside the truth."""

import itertools
import math
from typing import Any

from slalom.report.plots import BAND, COLOURS, GROUND, INK, PAPER, QUIET, axis, cut, figure, labels, note, words

STEEP = 0.97  # the share of the points below the highest ring: what lies above it is one colour
FLOOR = 0.8  # how strong a cell of one row is, in units of ten times as many
SURE = 5  # rows of a tenth of the probabilities, below which it has no dot
LOSSES = {"softmax": "cross-entropy", "logistic": "cross-entropy"}
ABOVE = {"yanchor": "bottom", "font": {"size": 12, "color": INK}}

Told = dict[str, Any]


def scaling(told: Told) -> Told | None:
    """Columns as they came, and under the scaling that a button chooses."""
    found = told.get("scaling") or {}
    raw = next((one for one in found.get("scalings", ()) if one["scaling"] == "none"), None)
    others = [one for one in found.get("scalings", ()) if one["scaling"] != "none"]
    if raw is None or not others or not raw["columns"]:
        return None
    names, data = found["names"], []
    for i in range(len(names)):
        data.append(_bars(raw["columns"][i], i, f"x{2 * i + 1}", f"y{2 * i + 1}") | {"showlegend": False})
    for place, one in enumerate(others):
        for i in range(len(names)):
            data.append(
                _bars(one["columns"][i], i, f"x{2 * i + 2}", f"y{2 * i + 2}")
                | {"showlegend": False, "visible": place == 0}
            )
    buttons = []
    for place, one in enumerate(others):
        shown = [True] * len(names) + [at == place for at in range(len(others)) for _ in names]
        label = words(one["scaling"]) + (" (the winner’s)" if one["winner"] else "")
        axes = {f"xaxis{2 * i + 2}.range": _range(one) for i in range(len(names))}
        buttons.append({"label": label, "method": "update", "args": [{"visible": shown}, axes]})
    layout: Told = {"grid": {"rows": len(names), "columns": 2, "pattern": "independent", "ygap": 0.62}}
    above: list[Told] = []
    for i, name in enumerate(names):
        layout[f"xaxis{2 * i + 1}"] = {"nticks": 4}
        layout[f"xaxis{2 * i + 2}"] = {"range": _range(others[0]), "nticks": 5}
        layout[f"yaxis{2 * i + 1}"] = {"showticklabels": False, "showgrid": False}
        above.append(note(words(name), 0, 1.02, xref=f"x{2 * i + 1} domain", yref=f"y{2 * i + 1} domain", **ABOVE))
        layout[f"yaxis{2 * i + 2}"] = {"showticklabels": False, "showgrid": False}
    layout["updatemenus"] = [
        {"buttons": buttons, "direction": "down", "x": 0.55, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    ]
    layout["annotations"] = above
    rest = f", the first {len(names)} of {found['of']}" if found["of"] > len(names) else ""
    caption = (
        f"The columns of numbers{rest}, on {found['rows']:,} training rows: left as they came, each on its own axis;"
        " right under the scaling chosen above, all on one axis. What lies beyond half a percent at either end is in"
        " the outermost bars."
    )
    return figure("scaling", data, caption, height=110 + 105 * len(names), bargap=0.04, margin={"t": 60}, **layout)


def _bars(histogram: Told, i: int, x: str, y: str) -> Told:
    edges = histogram["edges"]
    return {
        "type": "bar", "x": [(a + b) / 2 for a, b in itertools.pairwise(edges)], "y": histogram["counts"],
        "width": [b - a for a, b in itertools.pairwise(edges)], "xaxis": x, "yaxis": y,
        "hovertemplate": "around %{x:.4g}: %{y} rows<extra></extra>",
        "marker": {"color": COLOURS[i % len(COLOURS)], "opacity": 0.8},
    }  # fmt: skip


def _range(one: Told) -> list[float]:
    low = min(column["edges"][0] for column in one["columns"])
    high = max(column["edges"][-1] for column in one["columns"])
    room = 0.03 * (high - low or 1.0)
    return [low - room, high + room]


def random_plane(told: Told) -> Told | None:
    """The loss over two random directions."""
    found = told.get("landscape")
    if not found:
        return None
    plane = found["random"]
    data = [_heights(plane, found["loss"]), _end()]
    x, y = (axis(f"random direction {i}") for i in (1, 2))
    caption = (
        f"Two random directions through the weights where the training of the winner’s recipe ends that is drawn above,"
        f" scaled unit by unit (at 1 every unit has moved by its own size); from −1 to 1 either way. {_ground(found)}"
    )
    inside = {"constrain": "domain"}
    x, y = x | inside | {"constraintoward": "left"}, y | inside | {"scaleanchor": "x"}
    return figure("random-plane", data, caption, height=460, xaxis=x, yaxis=y, showlegend=False)


def path_plane(told: Told) -> Told | None:
    """The loss over the principal components of the paths of several rules."""
    found = told.get("landscape")
    if not found or not found["path"]:
        return None
    plane = found["path"]
    data = [_heights(plane, found["loss"])]
    for i, path in enumerate(plane["paths"]):
        x, y = ([point[k] for point in path["points"]] for k in (0, 1))
        left = " (left this place)" if path["left"] else ""
        sizes = [4] * (len(x) - 1) + [10]
        data.append(
            {"type": "scatter", "mode": "lines+markers",
             "name": f"{words(path['rule'])}, rate {path['rate']:.3g}{left}", "x": x, "y": y,
             "text": [_loss(value) for value in path["losses"]],
             "hovertemplate": "%{text}", "marker": {"size": sizes, "color": COLOURS[i % len(COLOURS)]},
             "line": {"color": COLOURS[i % len(COLOURS)], "width": 3 if i == 0 else 1.8}}
        )  # fmt: skip
    first, second = (f"{share:.0%}" for share in plane["explained"])
    along, across = (axis(f"component {i} ({share} of the squares)") for i, share in ((1, first), (2, second)))
    extent = " by ".join(f"{plane[k][0]:.3g} to {plane[k][-1]:.3g}" for k in ("x", "y")).replace("-", "−")
    gone = " Of a rule that left this place the loss rose far above the start, at each rate that was tried."
    caption = (
        "Trainings of the winner’s recipe with its own rule and with others, all from the same first weights (not those"
        f" of the race), their whole horizon {found['steps']:,} steps ({found['epochs']:.3g} epochs); the large dot is"
        f" the end of each. The plane holds the first two principal components of the paths, {extent}: a path lies off"
        " it by what they do not explain (shares are of the squares about the end of the winner’s rule)."
        f"{gone * any(path['left'] for path in plane['paths'])} {_ground(found)}"
    )
    return figure("path-plane", data, caption, height=500, xaxis=along, yaxis=across)


def _loss(value: float | None) -> str:
    return "no number" if value is None or not math.isfinite(value) else f"loss {value:.4g}"


def _heights(plane: Told, loss: str) -> Told:
    """Heights as filled rings; what is far above the rest is one colour; NaN stays open."""
    values = sorted(v for row in plane["values"] for v in row if v is not None)
    top = values[int(STEEP * (len(values) - 1))] if values else 1.0
    low = values[0] if values else 0.0
    return {
        "type": "contour", "x": plane["x"], "y": plane["y"],
        "z": [[None if v is None else min(v, top) for v in row] for row in plane["values"]],
        "customdata": plane["values"], "hovertemplate": "loss %{customdata:.4g}<extra></extra>", "showlegend": False,
        "colorscale": GROUND, "contours": {"start": low, "end": top, "size": (top - low or 1.0) / 16},
        "line": {"width": 0.6, "color": QUIET}, "connectgaps": False,
        "colorbar": {"title": {"text": words(LOSSES.get(loss, loss.replace("_", " ")))}, "thickness": 12,
                     "tickformat": ".3~g"},
    }  # fmt: skip


def _end() -> Told:
    return {
        "type": "scatter", "mode": "markers+text", "x": [0], "y": [0], "text": ["the end of the training"],
        "textposition": "bottom right", "hoverinfo": "skip",
        "marker": {"size": 11, "color": COLOURS[0], "line": {"color": PAPER, "width": 1.5}},
    }  # fmt: skip


def _ground(found: Told) -> str:
    normed = "; batch norm takes its statistics anew at every point" if found["batch_norm"] else ""
    said = "without penalties, dropout, smoothing and class weights"
    return f"The loss is that of {found['rows']:,} training rows, {said}{normed}."


def predictions(told: Told) -> list[Told]:
    """Truth beside prediction: of numbers their cells and residuals, of classes confusion and calibration."""
    found = told.get("predictions") or {}
    if not found or found.get("why"):
        return []
    if found["task"] == "regression":
        return [_truth(told, found), _residuals(told, found)]
    return [_confusion(found), _calibration(found)]


def _where(found: Told) -> str:
    return f"{found['rows']:,} {found['kind']} rows, on which the winner’s network was not trained"


def _truth(told: Told, found: Told) -> Told:
    edges = found["edges"]
    centres = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
    data = [
        {"type": "heatmap", "x": centres, "y": centres, "colorscale": GROUND, "showlegend": False,
         "z": [[math.log10(n) + FLOOR if n else None for n in row] for row in found["counts"]], "zmin": 0,
         "zmax": math.log10(max(max(row) for row in found["counts"])) + FLOOR,
         "customdata": found["counts"],
         "hovertemplate": "predicted %{x:.4g}, true %{y:.4g}: %{customdata} rows<extra></extra>", "showscale": False},
        {"type": "scatter", "mode": "lines", "x": [edges[0], edges[-1]], "y": [edges[0], edges[-1]], "name": "equal",
         "line": {"color": COLOURS[1], "width": 1.5, "dash": "dash"}, "hoverinfo": "skip"},
    ]  # fmt: skip
    target = words(told.get("target") or "the target")
    caption = (
        f"{_where(found)[0].upper()}{_where(found)[1:]}: how many lie in each cell (stronger: more, in the logarithm)."
        " On the dashed line prediction and truth are equal."
    )
    return figure(
        "truth", data, caption, height=440, xaxis=axis(f"predicted {target}"), yaxis=axis(f"true {target}"),
        showlegend=False,
    )  # fmt: skip


def _residuals(told: Told, found: Told) -> Told:
    groups = found["groups"]
    x = [group["prediction"] for group in groups]
    covered = [
        "" if group["covered"] is None else f"<br>intervals of {found['level']:.0%} held {group['covered']:.0%}"
        for group in groups
    ]
    data: list[Told] = [
        {"type": "scatter", "mode": "lines", "x": x, "y": [group["high"] for group in groups], "showlegend": False,
         "line": {"width": 0}, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines", "x": x, "y": [group["low"] for group in groups], "fill": "tonexty",
         "name": "eight of ten rows", "line": {"width": 0}, "fillcolor": BAND, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines+markers", "x": x, "y": [group["median"] for group in groups],
         "name": "median", "line": {"color": COLOURS[0], "width": 2.4},
         "text": [f"{group['rows']:,} rows{said}" for group, said in zip(groups, covered, strict=True)],
         "hovertemplate": "around %{x:.4g}: median %{y:.3g}<br>%{text}<extra></extra>"},
    ]  # fmt: skip
    target = words(told.get("target") or "the target")
    quantile = told["recipe"].get("loss") == "quantile"
    aim = "The net predicts a quantile: its median need not lie at 0" if quantile else "A median off 0 is a bias"
    caption = (
        "What is left, truth less prediction, in groups of equally many rows from the smallest predictions to the"
        f" largest: the median, and the band that eight of ten rows lie in. {aim}; a band that widens"
        " says that large predictions are less sure."
    )
    y = axis("truth less prediction", zeroline=True, zerolinecolor=INK)
    return figure("residuals", data, caption, xaxis=axis(f"predicted {target}"), yaxis=y)


def _confusion(found: Told) -> Told:
    names = labels(found["classes"], 24)
    shares = [[n / max(sum(row), 1) for n in row] for row in found["confusion"]]
    data = {
        "type": "heatmap", "x": names, "y": names, "z": shares, "text": found["confusion"], "zmin": 0, "zmax": 1.3,
        "texttemplate": "%{text:,}" if len(names) <= 12 else "", "colorscale": GROUND, "xgap": 2, "ygap": 2,
        "textfont": {"color": INK},
        "hovertemplate": "true %{y}, predicted %{x}: %{text:,} rows, %{z:.1%} of the true ones<extra></extra>",
        "showscale": False,
    }  # fmt: skip
    caption = (
        f"{_where(found)}: how many of each true class (a row) were taken for each class. Stronger: a larger share."
    )
    height = 190 + 34 * min(len(names), 14)
    side = {"automargin": True, "type": "category"}
    return figure(
        "confusion", [data], caption, height=height, xaxis=axis("predicted", **side),
        yaxis=axis("true", autorange="reversed", **side),
    )  # fmt: skip


def _ends(bins: list[Told]) -> Told:
    """The intervals of the shares as bars; {} in the numbers of an older Slalom, which had none."""
    if not all("interval" in one for one in bins):
        return {}
    up = [one["interval"][1] - one["share"] for one in bins]
    down = [one["share"] - one["interval"][0] for one in bins]
    look = {"type": "data", "symmetric": False, "color": QUIET, "thickness": 1.2}
    return {"error_y": look | {"array": up, "arrayminus": down}}


def _calibration(found: Told) -> Told:
    bins = [one for one in found["calibration"] if one["rows"] >= SURE]
    sizes = [6 + 14 * math.sqrt(one["rows"] / found["rows"]) for one in bins]
    data = [
        {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "name": "as sure as it should be",
         "line": {"color": QUIET, "width": 1.2, "dash": "dash"}, "hoverinfo": "skip"},
        {"type": "scatter", "mode": "lines+markers", "x": [one["mean"] for one in bins], "name": "this network",
         "y": [one["share"] for one in bins], "text": [f"{one['rows']:,}" for one in bins], **_ends(bins),
         "hovertemplate": "said %{x:.1%}, came true %{y:.1%}: %{text} rows<extra></extra>",
         "line": {"color": COLOURS[0], "width": 2}, "marker": {"size": sizes, "color": COLOURS[0]}},
    ]  # fmt: skip
    what = f"that it is {cut(found['of'])}" if found["of"] else "of the likeliest class"
    caption = (
        f"Calibration: of the rows to which the network gave a probability {what} in each tenth, how many it was true"
        f" of{', with 95 % intervals' if _ends(bins) else ''}. Larger dots: more rows; tenths of fewer than five are"
        " left out. Below the dashed line it came true less often than was said."
    )
    percent = {"range": [-0.02, 1.02], "tickformat": ".0%"}
    x, y = axis(words(f"probability {what}", 80), **percent), axis("share that came true", **percent)
    return figure("calibration", data, caption, xaxis=x, yaxis=y)
