"""A leaderboard as people read it: the rows and the few columns that say most, as text no wider than the page."""

import math
import statistics
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import polars as pl

Row = dict[str, Any]


class Column(NamedTuple):
    """A column of a shown table: its heading (in at most two lines), how a row's cell is made, and its side."""

    heading: str
    cell: Callable[[Row], str]
    right: bool = False


def clean(text: str) -> str:
    """Text that is safe to print: whatever could steer a terminal is replaced, line ends stay.

    >>> clean("a\\x1b[31mb\\nc")
    'a�[31mb\\nc'
    """
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def wrapped(text: str, width: int) -> str:
    """A paragraph in lines no wider than the page, nor than 120; an item's further lines are indented."""
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(
        text, min(width, 120), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def numbers(values: Iterable[float | None]) -> list[str]:
    """Scores as text, all with as many decimals as four digits of the first or of a usual one need; – for none.

    >>> numbers([49726.37, 115369.7, None]), numbers([0.08123, 1.2])
    (['49,726', '115,370', '–'], ['0.08123', '1.20000'])
    >>> numbers([4.8e-07, 0.0, 0.25])
    ['4.800e-07', '0.000000', '0.250000']
    """
    given = [None if value is None or not math.isfinite(value) else float(value) for value in values]
    sizes = [abs(value) for value in given if value]
    usual = min(statistics.median(sizes), sizes[0]) if sizes else 1.0
    decimals = min(max(3 - math.floor(math.log10(usual)), 0), 8 if len(sizes) == 1 else 6)
    unseen = 0.5 * 10**-decimals  # what would be zeros alone
    return [
        "–" if v is None else f"{v:.3e}" if abs(v) >= 1e9 or 0 < abs(v) < unseen else f"{v:,.{decimals}f}"
        for v in given
    ]


def number(value: float | None) -> str:
    """One number as text.

    >>> number(59332.497), number(0.0123456)
    ('59,332', '0.01235')
    """
    return numbers([value])[0]


def short(name: str) -> str:
    """A baseline's name without what stands in brackets."""
    return name.partition(" (")[0]


def _outcome(row: Row) -> str:
    outcome = str(row["outcome"])
    if row["kind"] == "baseline":
        return "baseline" if outcome == "finished" else f"baseline, {outcome.partition(':')[0]}"
    return outcome.replace("dropped at rung", "dropped, rung")


def _general(name: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        value = row.get(name)
        return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)

    return cell


def _net(row: Row) -> str:
    if row.get("depth") is None:
        return ""
    blocks = " blocks" if row.get("block") == "residual" else ""
    return f"{row['depth']} x {row['width']}{blocks}" if row["depth"] else "linear"


# In the order of how much they tell.
FIELDS = (
    Column("rule", _general("rule")),
    Column("learning\nrate", _general("learning_rate"), right=True),
    Column("scaling", _general("scaling")),
    Column("net", _net, right=True),
    Column("embedding", _general("embedding")),
    Column("batch\nsize", _general("batch_size"), right=True),
    Column("schedule", _general("schedule")),
    Column("normal-\nisation", _general("normalisation")),
    Column("dropout", _general("dropout"), right=True),
    Column("weight\ndecay", _general("weight_decay"), right=True),
    Column("activation", _general("activation")),
    Column("warmup", _general("warmup"), right=True),
)


def columns_of(board: pl.DataFrame) -> tuple[list[Column], list[Column]]:
    """(always shown, fields of the recipe): the fields in which recipes differ; all of them where none does."""
    rows = board.to_dicts()
    scores = {row["rank"]: text for row, text in zip(rows, numbers(row["score"] for row in rows), strict=True)}
    first = [
        Column("rank", lambda row: str(row["rank"]), right=True),
        Column("name", lambda row: short(str(row["name"]))),
        Column("score", lambda row: scores[row["rank"]], right=True),
        Column("outcome", _outcome),
        Column("epochs", _general("epochs_run"), right=True),
    ]
    again = {row["rank"]: row.get("new_seeds_score") for row in rows}
    if any(value is not None for value in again.values()):
        texts = dict(zip(again, numbers(again.values()), strict=True))
        cell = lambda row: f"{texts[row['rank']]} ({row['seeds']})" if again[row["rank"]] is not None else ""  # noqa: E731
        first.insert(3, Column("new\nseeds", cell, right=True))
    recipes = [row for row in rows if row["kind"] == "recipe"]
    differing = [field for field in FIELDS if len({field.cell(row) for row in recipes}) > 1]
    return first, differing or list(FIELDS)


def shared(board: pl.DataFrame) -> dict[str, str]:
    """The fields that all recipes have in common, where there are several recipes."""
    recipes = board.filter(pl.col("kind") == "recipe").to_dicts()
    if len(recipes) < 2:
        return {}
    cells = {field.heading: {field.cell(row) for row in recipes} for field in FIELDS}
    return {_one_line(heading): values.pop() for heading, values in cells.items() if len(values) == 1}


def chosen(board: pl.DataFrame, top: int | None) -> list[Row | None]:
    """The first `top` rows and, below a gap (None), the baselines that are not among them; all rows for top None."""
    rows: list[Row | None] = list(board.to_dicts())
    if top is None or len(rows) <= top:
        return rows
    below = [row for row in rows[top:] if row and row["kind"] == "baseline"]
    return [*rows[:top], None, *below]


def table(board: pl.DataFrame, width: int, top: int | None = 10) -> str:
    """The leaderboard as text at most so wide: the best rows, the baselines, the most telling fields."""
    rows = chosen(board, top)
    shown, fields = columns_of(board)
    given = [row for row in rows if row]
    room = width - sum(_width(column, given) + 2 for column in shown) + 2
    for column in fields:
        needed = _width(column, given) + 2
        if needed <= room:
            shown, room = [*shown, column], room - needed
    return laid_out(rows, shown, width)


def laid_out(rows: Sequence[Row | None], shown: Sequence[Column], width: int) -> str:
    """Rows under the headings of these columns, each as wide as it needs to be; None is a gap.

    >>> print(laid_out([{"a": 1}, None, {"a": 100}], [Column("of a", lambda row: str(row["a"]), right=True)], 80))
    of a
    ----
       1
    …
     100
    """
    widths = [_width(column, [row for row in rows if row]) for column in shown]
    heads = [column.heading.split("\n") for column in shown]
    lines = [
        _line([head[0] if len(head) == 2 else "" for head in heads], shown, widths),
        _line([head[-1] for head in heads], shown, widths),
        "-" * min(width, sum(widths) + 2 * len(widths) - 2),
    ]
    for row in rows:
        lines.append(_line([column.cell(row) for column in shown], shown, widths) if row else "…")
    return "\n".join(line for line in lines if line)


def _one_line(heading: str) -> str:
    return heading.replace("-\n", "").replace("\n", " ")


def _width(column: Column, rows: Sequence[Row]) -> int:
    return max(map(len, [*column.heading.split("\n"), *(column.cell(row) for row in rows)]))


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    return "  ".join(padded).rstrip()
