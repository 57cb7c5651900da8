"""Slalom beside itself: with every rule, with few and many racers, on few and many rows."""

import statistics
from dataclasses import replace
from typing import Any

from slalom.bench import measure
from slalom.bench.cases import Case
from slalom.bench.contest import NO_CACHE, Contestant
from slalom.space import RULES

ROUNDS = 3
EVERY = 8 * len(RULES)  # racers: so many of each rule fill lanes of up to eight, so that the fill is equal
BASE, ADAM = "64 racers, 20,000 rows", "Adam"
VARIED: dict[str, dict[str, Any]] = {
    "16 racers": {"racers": 16},
    "256 racers": {"racers": 256},
    "1,024 racers": {"racers": 1024},
    "1,000 rows": {"rows": 1000},
    "1,000,000 rows": {"rows": 1_000_000},
}


def cases_of(shape: str, seconds: float) -> dict[str, Case]:
    """What is measured of a shape, by name: the base and what is compared with it, then Adam and every rule; the same
    number of steps each, so that what a racer costs beside its steps weighs the same in all."""
    base = measure.case_of(shape, 64, 20_000, seconds / 4)
    varied = {name: replace(base, **fields) for name, fields in VARIED.items()}
    adam = replace(base, racers=EVERY)
    return {BASE: base, **varied, ADAM: adam, "every rule": replace(adam, mixed=True)}


def measured(shapes: str, seconds: float, say: measure.Say) -> list[dict[str, Any]]:
    """A line for each shape and variation: racer-steps a second, and their ratio to what it is compared with."""
    told = []
    for letter in shapes:
        contestants = {
            name: Contestant(f"shape {letter}, {name}", "slalom", case, environment=NO_CACHE)
            for name, case in cases_of(letter, seconds).items()
        }
        measure.side_by_side(contestants.values(), ROUNDS, say)
        for name, one in contestants.items():
            other = contestants[ADAM if name == "every rule" else BASE]
            ratios = [a / b for a, b in zip(one.rates, other.rates, strict=False)]
            told.append(
                {"shape": letter, "what": name, "ratio": statistics.median(ratios or [0.0]), "ratios": ratios}
                | one.plain()
            )
            print(f"{letter}  {name:24} {one.rate:12,.0f} racer-steps/s  {told[-1]['ratio']:.3f}", flush=True)
    return told
