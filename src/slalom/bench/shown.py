"""What a bench says: a table of the contestants of a case, the ratios, and what is to be doubted."""

from typing import Any

NAMES = ("contestant", "width", "racers", "steps", "racer-steps/s", "GFLOP/s", "share", "compile s", "peak MB", "loss")
RIGHT = len(NAMES)


def row(one: dict[str, Any]) -> list[str]:
    """A contestant's line of the table."""
    if one["failure"]:
        return [one["contestant"], f"failed: {one['failure']}"[:60], *[""] * (RIGHT - 1)]
    ratio = one["slalom_is_faster"]
    return [
        one["contestant"] + (f" ({one['processes']})" if one["processes"] > 1 else ""),
        str(one.get("width", 1)),
        f"{one['racers']:,}",
        f"{one['steps']:,}",
        f"{one['racer_steps_per_second']:,}",
        f"{one['gflops']:,.1f}",
        f"{one['share']:.1%}",
        f"{one['compile_seconds']:.1f}",
        f"{one['peak_mb']:,.0f}",
        f"{one['loss']:.3f}",
        "" if one["contestant"] == "Slalom" else f"{ratio:.1f} x",
    ]


def rows(told: dict[str, Any]) -> list[list[str]]:
    """The table of a case, its heading first; the last column says how many times as fast Slalom is."""
    return [[*NAMES, "Slalom is"], *[row(one) for one in told["contestants"]]]


def text(told: dict[str, Any]) -> str:
    """A case for a person at a terminal."""
    lines = rows(told)
    widths = [max(len(line[i]) for line in lines if not line[1].startswith("failed")) for i in range(len(lines[0]))]
    shown = ["  ".join(_placed(cell, i, widths) for i, cell in enumerate(line)).rstrip() for line in lines]
    return "\n".join([title(told), "", *shown, "", *sentences(told)])


def _placed(cell: str, i: int, widths: list[int]) -> str:
    return cell.ljust(widths[i]) if i == 0 else cell.rjust(widths[i])


def title(told: dict[str, Any]) -> str:
    """Which net, how many racers and rows."""
    case, sizes, limit = told["case"], " → ".join(map(str, told["sizes"])), told["matrix_product_gflops"]
    kind = "every rule, schedule and scaling in turn" if case["mixed"] else "Adam"
    return (
        f"Shape {case['shape']}: {sizes}, batches of {told['batch']}; {case['rows']:,} rows; {kind}; a step is"
        f" {told['flops_per_step'] / 1e6:.2f} MFLOP; the matrix product reaches {limit:.0f} GFLOP/s"
    )


def sentences(told: dict[str, Any]) -> list[str]:
    """The headline and the doubts."""
    said = []
    if told["headline"]:
        said.append(
            f"Slalom trains {told['headline']:.1f} times as fast as the fastest rival: {told['fastest_rival']}."
        )
    unsteady = [one["contestant"] for one in told["contestants"] if one["unsteady"]]
    if unsteady:
        said.append(f"Doubtful: a second round moved the ratio to {', '.join(unsteady)} by more than 20 %.")
    if not told["losses_alike"]:
        said.append("Doubtful: the losses did not fall alike, so that not all did the same work.")
    return said


def markdown(table: list[list[str]]) -> str:
    """A table as Markdown: numbers to the right.

    >>> print(markdown([["shape", "rate"], ["A", "1"]]))
    | shape | rate |
    |:--|--:|
    | A | 1 |
    """
    head, *body = table
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *body]
    return "\n".join("|" + "|".join(line) + "|" if line[0] == ":--" else f"| {' | '.join(line)} |" for line in lines)
