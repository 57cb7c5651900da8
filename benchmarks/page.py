"""The page of what was measured: its tables between markers, written anew by a run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slalom.bench import shown

Told = dict[str, Any]


def about(told: Told) -> str:
    """The days, the machine and the versions."""
    return f"{', '.join(sorted(set(told['days'].values())))}: {machine(told['machine'])}"


def machine(m: Told) -> str:
    """A machine and its versions."""
    versions = ", ".join(f"{name} {m[name]}" for name in ("jax", "jaxlib", "numpy", "scikit-learn", "torch"))
    wide = "with AVX-512" if m["avx512"] else "without AVX-512"
    return f"{m['processor']}, {m['cores']} cores, {wide}; {system(m['system'])}; Python {m['python']}, {versions}."


def system(told: str) -> str:
    """System and architecture alone; older records hold the kernel's name as well.

    >>> system("Linux-6.1.0-9-amd64-x86_64-with-glibc2.36"), system("Linux x86_64")
    ('Linux x86_64', 'Linux x86_64')
    """
    return re.sub(r"^(\w+)-.*-(\w+)-with-.*$", r"\1 \2", told)


def rivals(told: Told) -> str:
    """A line for each shape: Slalom's rate and share, and how many times each rival's rate that is."""
    names: list[str] = []
    for case in told["rivals"]:
        names += [one["contestant"] for one in case["contestants"][1:] if one["contestant"] not in names]
    lines = [["shape", "racer-steps/s", "GFLOP/s", "of the matrix product", *names]]
    for case in told["rivals"]:
        mine, *others = case["contestants"]
        by_name = {one["contestant"]: one for one in others}
        cells = [_ratio(by_name.get(name)) for name in names]
        rate, gflops = f"{mine['racer_steps_per_second']:,}", f"{mine['gflops']:.0f}"
        share = f"{mine['share']:.1%} of {case['matrix_product_gflops']:.0f}"
        lines.append([case["case"]["shape"], rate, gflops, share, *cells])
    return shown.markdown(lines)


def _ratio(one: dict[str, Any] | None) -> str:
    if one is None:
        return "–"
    if one["failure"]:
        return "failed"
    return f"{one['slalom_is_faster']:.1f} x" + (" (unsteady)" if one["unsteady"] else "")


def details(told: Told) -> str:
    """The whole table of each shape, and what is to be doubted."""
    parts = []
    for case in told["rivals"]:
        parts += [shown.title(case) + ".", shown.markdown(shown.rows(case)), " ".join(shown.sentences(case))]
    return "\n\n".join(parts)


def alone(told: Told) -> str:
    """Shapes down, variations across."""
    names = list(dict.fromkeys(one["what"] for one in told["alone"]))
    found = {(one["shape"], one["what"]): one for one in told["alone"]}
    lines = [["shape", *names]]
    for shape in dict.fromkeys(one["shape"] for one in told["alone"]):
        cells = []
        for name in names:
            one = found[shape, name]
            low, high = min(one["ratios"], default=0), max(one["ratios"], default=0)
            rate = f"{one['racer_steps_per_second']:,}"
            compared = not (low == high == 1)
            cells.append(rate + (f" ({one['ratio']:.2f}, {low:.2f}–{high:.2f})" if compared else ""))
        lines.append([shape, *cells])
    return shown.markdown(lines)


def commands(told: Told) -> str:
    """What users meet, a line each."""
    got = told["commands"]
    lines = [["what", "measured"]]
    for name, one in got["start"].items():
        lines.append([f"command to first step, shape A, {name}: kept programs", f"{one['warm']:.2f} s"])
        lines.append([f"command to first step, shape A, {name}: nothing kept", f"{one['cold']:.2f} s"])
    for name, one in got["useful"].items():
        share = f"{one['useful_share']:.1%}, {one['recipes']:,} recipes, {one['racer_steps']:,} racer-steps"
        lines.append([f"useful share of places, race of 45 s, {name}", share])
    for name, one in got["memory"].items():
        beside = f"{one['baselines_mb']:,.0f} MB of the baselines' process beside it"
        peak = f"{one['peak_mb']:,.0f} MB, and {beside}; {one['start_seconds']:.1f} s to the first step"
        lines.append([f"peak memory, 1,000,000 x 28 float32 in Parquet, {name}", peak])
    return shown.markdown(lines)


def kernel(told: Told) -> str:
    """The kernel written by hand beside Slalom."""
    lines = [["shape", "kernel, racer-steps/s", "share", "Slalom, racer-steps/s", "share", "Slalom / kernel"]]
    for one in told["kernel"]:
        cells = [f"{one['kernel']:,.0f}", f"{one['kernel_share']:.1%}", f"{one['slalom']:,.0f}"]
        lines.append(
            [one["case"]["shape"], *cells, f"{one['slalom_share']:.1%}", f"{one['slalom'] / one['kernel']:.2f}"]
        )
    return shown.markdown(lines)


TABLES: dict[str, tuple[str, Callable[[Told], str]]] = {
    "machine": ("machine", about),
    "rivals": ("rivals", rivals),
    "details": ("rivals", details),
    "alone": ("alone", alone),
    "commands": ("commands", commands),
    "kernel": ("kernel", kernel),
}


def text(told: Told) -> str:
    """All tables that were measured."""
    return "\n\n".join(make(told) for part, make in TABLES.values() if part in told)


def write(file: Path, told: Told, tables: dict[str, tuple[str, Callable[[Told], str]]] = TABLES) -> None:
    """Put the tables that were measured between their markers, `<!-- bench: NAME -->` and `<!-- end -->`."""
    page = file.read_text()
    for name, (part, make) in tables.items():
        if part in told:
            made = f"<!-- bench: {name} -->\n\n{make(told)}\n\n<!-- end -->"
            page, found = re.subn(rf"<!-- bench: {name} -->.*?<!-- end -->", lambda _: made, page, flags=re.DOTALL)  # noqa: B023
            if not found:
                raise SystemExit(f"{file} has no place for {name}: a line <!-- bench: {name} --> and one <!-- end -->.")
    file.write_text(page)
