"""Draws: what a field of a recipe may be, and how likely each value is: some values with weights, or a range."""

import math
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeGuard

import numpy as np

from slalom.errors import SlalomError, unknown, wrong

BLOCK = 64  # recipes that share a Latin hypercube
NEAR = 0.15  # standard deviation of a neighbour, as a share of a range
KEPT = 0.8  # of the neighbours have the same choice
KEYS = ("low", "high", "log", "zero")


@dataclass(frozen=True)
class Choice:
    """One of several values, each as likely as its weight says.

    >>> Choice(("relu", "silu"), (1.0, 3.0)).at(0.2), Choice(("relu", "silu"), (1.0, 3.0)).at(0.3)
    ('relu', 'silu')
    """

    values: tuple[Any, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, weights: dict[Any, float]) -> "Choice":
        """From values with their weights."""
        return cls(tuple(weights), tuple(map(float, weights.values())))

    def at(self, u: float) -> Any:
        """The value at u in [0, 1) of all weights, one after the other."""
        ends = np.cumsum(self.weights) / sum(self.weights)
        return self.values[min(int(np.searchsorted(ends, u, side="right")), len(self.values) - 1)]

    def near(self, value: Any, rng: np.random.Generator) -> Any:
        """A neighbour of a value: mostly the same again."""
        drawn = self.at(rng.random())
        return value if rng.random() < KEPT and value in self.values else drawn

    def without(self, values: Collection[Any], name: str = "") -> "Choice":
        """The others; SlalomError, with the field's name, where none is left."""
        left = {v: w for v, w in zip(self.values, self.weights, strict=True) if v not in values}
        if not left:
            there = ", ".join(map(str, self.values))
            raise SlalomError(f"space: forbid must leave a value of {name}: {there}. It left none.")
        return Choice.of(left)

    def __contains__(self, value: Any) -> bool:
        return value in self.values


@dataclass(frozen=True)
class Range:
    """A number between two, evenly on its axis (logarithmic where `log`); a share `zero` of the draws is 0.

    Numbers are rounded to three digits, `whole` ones to whole numbers; none leaves the range by that.

    >>> Range(1e-4, 1e-2).at(0.5), Range(0.0, 0.4, log=False, zero=0.5).at(0.75), Range(16, 256, whole=True).at(0.5)
    (0.001, 0.2, 64)
    """

    low: float
    high: float
    log: bool = True
    zero: float = 0.0
    whole: bool = False

    def at(self, u: float) -> float:
        """The number at u in [0, 1)."""
        if u < self.zero:
            return 0 if self.whole else 0.0
        return self._number((u - self.zero) / (1 - self.zero))

    def near(self, value: float, rng: np.random.Generator) -> float:
        """A neighbour: a step of about NEAR of the range, kept inside it; a 0 mostly stays 0."""
        drawn, moved = self.at(rng.random()), rng.normal(0, NEAR)
        same = rng.random() < KEPT
        if value <= 0 or value not in self:
            return value if same and value == 0 and self.zero else drawn
        if not same and self.zero:
            return drawn
        a, b = self._ends()
        place = (self._axis(value) - a) / (b - a) if b > a else 0.0
        return self._number(min(max(place + moved, 0.0), 1.0))

    def __contains__(self, value: Any) -> bool:
        """Whether a number lies in the range, to the three digits that are drawn."""
        if not _is_number(value):
            return False
        slack = 5.1e-3 * abs(float(value))
        return self.low - slack <= value <= self.high + slack or (bool(self.zero) and value == 0)

    def _axis(self, value: float) -> float:
        return math.log(value) if self.log else value

    def _ends(self) -> tuple[float, float]:
        return self._axis(self.low), self._axis(self.high)

    def _number(self, place: float) -> float:
        a, b = self._ends()
        value = a + place * (b - a)
        value = math.exp(value) if self.log else value
        if self.whole:
            return min(max(round(value), math.ceil(self.low)), math.floor(self.high))
        return min(max(float(f"{value:.3g}"), float(self.low)), float(self.high))


Draw = Choice | Range


def hypercube(seed: int, number: int, field: str) -> float:
    """The place in [0, 1) of recipe `number` on the axis of a field: a Latin hypercube of 64 recipes after the other.

    Of the recipes 64 b … 64 b + 63 one lies in each sixty-fourth of every axis, so that a few recipes cover each field
    evenly (McKay, Beckman & Conover 1979, https://doi.org/10.2307/1268522). A function of its arguments alone.

    >>> sorted(int(64 * hypercube(0, n, "dropout")) for n in range(64)) == list(range(64))
    True
    """
    block, place = divmod(number, BLOCK)
    return float(_stratified(seed, block, field)[place])


@lru_cache(maxsize=512)  # a race of a thousand recipes has two hundred
def _stratified(seed: int, block: int, field: str) -> np.ndarray:
    rng = np.random.default_rng([seed, 1, block, zlib.crc32(field.encode())])
    return (rng.permutation(BLOCK) + rng.random(BLOCK)) / BLOCK


def read(name: str, plain: Any, usual: Draw | None, whole: bool = False) -> Draw:
    """The draw of a field out of plain data, as a TOML file or a dict holds it.

    One value; a list of values; a table of values with weights; or a table with `low` and `high`, and perhaps `log` and
    `zero` (the share of draws that are 0). usual: the draw that the field has otherwise: a range keeps its axis.
    Raises SlalomError where it is none of these.

    >>> read("width", [64, 256], None), read("dropout", {"low": 0.1, "high": 0.2, "log": False}, None)
    (Choice(values=(64, 256), weights=(1.0, 1.0)), Range(low=0.1, high=0.2, log=False, zero=0.0, whole=False))
    """
    where = f"space: {name}"
    if isinstance(plain, dict) and ("low" in plain or "high" in plain):
        return _range(where, plain, usual, whole)
    if isinstance(plain, dict):
        if not plain or not all(_is_number(w) and w >= 0 for w in plain.values()) or not sum(plain.values()):
            raise wrong(where, "a table of values with weights from 0 on, or one with low and high", plain)
        return Choice.of({_value(value): float(w) for value, w in plain.items() if w > 0})
    values = list(plain) if isinstance(plain, (list, tuple)) else [plain]
    if not values or not all(isinstance(value, str) or _is_number(value) for value in values):
        raise wrong(where, "names or numbers, one at least", plain)
    return Choice.of(dict.fromkeys(values, 1.0))


def _value(key: Any) -> Any:
    """A value that is the key of a table: TOML has numbers there as text.

    >>> _value("128"), _value("0.95"), _value("adam")
    (128, 0.95, 'adam')
    """
    for number in (int, float):
        try:
            return number(key) if isinstance(key, str) else key
        except ValueError:
            continue
    return key


def _range(where: str, plain: dict[str, Any], usual: Draw | None, whole: bool) -> Range:
    for key in plain:
        if key not in KEYS:
            raise unknown(f"{where}, key", str(key), KEYS)
    low, high = plain.get("low"), plain.get("high")
    if not (_is_number(low) and _is_number(high) and low <= high):
        raise wrong(where, "low and high, two numbers, low at most high", plain)
    before = usual if isinstance(usual, Range) else Range(1, 2)
    log, zero = plain.get("log", before.log and low > 0), plain.get("zero", 0.0)
    if not isinstance(log, bool) or (log and low <= 0):
        raise wrong(where, "log true or false; a logarithmic axis begins above 0", plain)
    if not (_is_number(zero) and 0 <= zero < 1):
        raise wrong(where, "zero, the share of draws that are 0, in [0, 1)", plain)
    return replace(before, low=low, high=high, log=log, zero=float(zero), whole=whole)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)
