"""Standings: a comparison of the values of a field, as text that a person can read in a terminal."""

from collections.abc import Sequence

from slalom.board import clean, numbers
from slalom.contest import Comparison, Pair, expected, profile

BUDGETS = (1, 2, 4, 8, 16, 32, 64)  # recipes, of which the expected best is shown


def text(found: Comparison) -> list[str]:
    """The values, the best first, with their scores on evidence rows, what a budget of k recipes is worth with each,
    and the best beside each of the others; one paragraph each."""
    where = f" on {clean(found.table)}" if found.table else ""
    said = [
        f"{found.over} compared{where}: {len(found.contenders)} values, three searches each of {found.recipes} recipes"
        f" for {found.epochs} epochs; {found.metric}, {'more' if found.greater else 'less'} is better.",
        *_table(found),
        *[_pair(pair, found.metric) for pair in found.pairs],
        "Score: mean on evidence rows of the best recipe of each search, five new seeds. Best of k: what a search of k"
        " recipes is expected to find, on choosing rows, the median of three searches; searches: the least and the most"
        f" of them at {found.recipes}. Seconds: of training on one core. A tie: three searches do not tell them"
        " apart; they need not be equal.",
    ]
    lost = [one.value for one in found.contenders if one.score is None]
    if lost:
        said.append(
            f"Without a score, since a search found nothing or one of its new seeds diverged: {', '.join(lost)}."
        )
    return said


def _table(found: Comparison) -> list[str]:
    """The table, as lines of one width."""
    budgets = [k for k in BUDGETS if k <= found.recipes]
    sign = -1 if found.greater else 1
    heads = ["", "score", "95 % interval", *[f"best of {k}" for k in budgets], "searches", "diverged", "seconds"]
    rows = [heads]
    for one in found.contenders:
        curve = expected(one, found.constant)
        texts = numbers([one.score, one.low, one.high])
        shown = numbers([sign * curve[k - 1][0] for k in budgets])
        ends = numbers(sorted(sign * end for end in curve[-1][1:]))
        rows.append(
            [
                clean(one.value), texts[0], f"{texts[1]} to {texts[2]}", *shown, f"{ends[0]} to {ends[1]}",
                f"{one.diverged:.0%}", f"{one.seconds:.1f}",
            ]
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *[cell.rjust(w) for cell, w in zip(rest, widths[1:], strict=True)]]
        lines.append("  ".join(cells).rstrip())
    return ["\n".join(lines)]


def _pair(pair: Pair, metric: str) -> str:
    """The best value beside another one."""
    if pair.low is None or pair.high is None:
        return f"- {pair.first} beside {pair.second}: too few searches for an interval."
    texts = numbers([abs(pair.better), abs(pair.low), abs(pair.high)])
    low, high = (("−" if end < 0 else "") + text for end, text in zip((pair.low, pair.high), texts[1:], strict=True))
    interval = f"95 % interval {low} to {high}"
    if pair.tie:
        alone = ", which leaves out 0, but not once it is corrected for all comparisons" * (
            pair.low > 0 or pair.high < 0
        )
        return f"- {pair.first} and {pair.second}: a tie ({texts[0]} {metric} between them, {interval}{alone})."
    if pair.better < 0:
        return (
            f"- {pair.second} is better than {pair.first} by {texts[0]} {metric} ({interval} of {pair.first}'s lead)."
        )
    return f"- {pair.first} is better than {pair.second} by {texts[0]} {metric} ({interval})."


def profiled(found: Sequence[Comparison]) -> list[str]:
    """The performance profile over several tables."""
    told = profile(found)
    said = [
        f"Over {len(found)} tables: the share on which each value came to what half of the values come to, in at most τ"
        " times the core-seconds of the fastest."
    ]
    taus = [1.0, 1.5, 2.0, 4.0]
    for name, steps in sorted(told.items(), key=lambda item: -max([share for _, share in item[1]], default=0.0)):
        shares = [max([share for tau, share in steps if tau <= limit + 1e-9], default=0.0) for limit in taus]
        listed = ", ".join(f"τ = {tau:g}: {share:.0%}" for tau, share in zip(taus, shares, strict=True))
        said.append(f"- {clean(name)}: {listed}")
    return said
