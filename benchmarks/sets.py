"""Twenty-six data sets that Slalom makes: what the portfolio and the space are tuned on. Nothing is compared on them
(benchmarks/equal/sets.py), and nothing that is compared on belongs here."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl
from sklearn import datasets

ROWS = 6_000  # of a set
FIRST = 5  # the number of the first set: 0 to 4 were sets that are now compared on, and the others keep their draws
NAMED: dict[str, Callable[[np.random.Generator], "Set"]] = {}


class Set(NamedTuple):
    """A table, its target, and the task."""

    frame: pl.DataFrame
    y: np.ndarray
    task: str


def named(make: Callable[[np.random.Generator], "Set"]) -> Callable[[np.random.Generator], "Set"]:
    """Put a set on the list under the name of its function."""
    NAMED[make.__name__] = make
    return make


def made(name: str) -> Set:
    """The set of that name, always the same one."""
    return NAMED[name](np.random.default_rng([7, FIRST + list(NAMED).index(name)]))


def table(x: np.ndarray, y: np.ndarray, task: str = "regression") -> Set:
    """A set of numbers alone."""
    frame = pl.DataFrame({f"x{i}": column for i, column in enumerate(np.asarray(x, np.float64).T)})
    return Set(frame, np.asarray(y), task)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


# --- numbers to be met ------------------------------------------------------------------------------------------------


@named
def friedman1(rng):
    """10 sin(π x₀ x₁) + 20 (x₂ − ½)² + 10 x₃ + 5 x₄, five columns of noise."""
    return table(*datasets.make_friedman1(ROWS, 10, noise=1.0, random_state=_seed(rng)))


@named
def friedman2(rng):
    """An impedance: columns of very different size."""
    return table(*datasets.make_friedman2(ROWS, noise=60.0, random_state=_seed(rng)))


@named
def friedman3(rng):
    """A phase: an arc tangent of a ratio."""
    return table(*datasets.make_friedman3(ROWS, noise=0.1, random_state=_seed(rng)))


@named
def straight(rng):
    """A straight line through thirty columns, ten of which matter."""
    return table(*datasets.make_regression(ROWS, 30, n_informative=10, noise=20.0, random_state=_seed(rng)))


@named
def sparse(rng):
    """Four of twenty columns matter."""
    return table(*datasets.make_sparse_uncorrelated(ROWS, 20, random_state=_seed(rng)))


@named
def swiss_roll(rng):
    """How far along the roll a point lies."""
    return table(*datasets.make_swiss_roll(ROWS, noise=0.5, random_state=_seed(rng)))


@named
def waves(rng):
    """Fast waves in two columns of six."""
    x = rng.uniform(-1, 1, (ROWS, 6))
    return table(x, np.sin(9 * x[:, 0]) + np.cos(14 * x[:, 1]) * x[:, 2] + rng.normal(0, 0.2, ROWS))


@named
def stairs(rng):
    """Steps, as trees make them."""
    x = rng.normal(size=(ROWS, 8))
    y = np.floor(2 * x[:, 0]) + 2.0 * (x[:, 1] > 0.3) * (x[:, 2] < 0.5) - np.round(x[:, 3])
    return table(x, y + rng.normal(0, 0.3, ROWS))


@named
def map_of_prices(rng):
    """Prices by place: peaks around thirty towns, and four properties with long tails."""
    place, towns, heights = rng.uniform(0, 10, (ROWS, 2)), rng.uniform(0, 10, (30, 2)), rng.gamma(2, 1, 30)
    distance = np.linalg.norm(place[:, None] - towns, axis=2)
    tails = rng.lognormal(0, 1, (ROWS, 4))
    y = (heights * np.exp(-2 * distance)).sum(1) + 0.5 * np.log(tails[:, 0]) + 0.2 * np.sqrt(tails[:, 1])
    return table(np.hstack([place, tails]), np.exp(0.4 * (y + rng.normal(0, 0.3, ROWS))))


@named
def long_tails(rng):
    """Columns and a target with long tails."""
    x = rng.standard_t(2, (ROWS, 12))
    y = np.exp(np.tanh(x[:, 0]) + 0.5 * np.sign(x[:, 1]) * np.log1p(np.abs(x[:, 2])))
    return table(x, y * rng.lognormal(0, 0.3, ROWS))


@named
def teacher_net(rng):
    """What a random net of two hidden layers says."""
    x = rng.normal(size=(ROWS, 15))
    hidden = np.tanh(x @ rng.normal(size=(15, 24)) / 3)
    hidden = np.tanh(hidden @ rng.normal(size=(24, 12)) / 2)
    y = hidden @ rng.normal(size=12)
    return table(x, y + rng.normal(0, 0.1 * y.std(), ROWS))


@named
def teacher_forest(rng):
    """What trees say that were grown on noise."""
    from sklearn.ensemble import RandomForestRegressor

    x = rng.normal(size=(ROWS, 10))
    trees = RandomForestRegressor(20, max_leaf_nodes=40, random_state=_seed(rng)).fit(x[:500], rng.normal(size=500))
    y = trees.predict(x)
    return table(x, y + rng.normal(0, 0.3 * y.std(), ROWS))


@named
def shop(rng):
    """Words and numbers: what is sold by shop, kind of goods and day of the year, with missing cells."""
    shops, kinds = rng.integers(0, 25, ROWS), rng.integers(0, 6, ROWS)
    day, price = rng.uniform(0, 365, ROWS), rng.lognormal(1, 0.6, ROWS)
    season = np.sin(2 * np.pi * day / 365 + kinds)
    y = rng.normal(0, 1, 25)[shops] + season * rng.normal(0, 1, 6)[kinds] - np.log(price)
    frame = pl.DataFrame({"shop": [f"s{i}" for i in shops], "kind": [f"k{i}" for i in kinds], "day": day})
    gone = rng.random(ROWS) < 0.1
    frame = frame.with_columns(pl.Series("price", np.where(gone, np.nan, price)).fill_nan(None))
    return Set(frame, y + rng.normal(0, 0.4, ROWS), "regression")


@named
def many_columns(rng):
    """A hundred columns that lie near a plane of six dimensions."""
    core = rng.normal(size=(ROWS, 6))
    x = core @ rng.normal(size=(6, 100)) + 0.3 * rng.normal(size=(ROWS, 100))
    return table(x, core[:, 0] * core[:, 1] + np.abs(core[:, 2]) + rng.normal(0, 0.3, ROWS))


# --- classes to be told apart -----------------------------------------------------------------------------------------


@named
def moons(rng):
    """Two half-moons."""
    return table(*datasets.make_moons(ROWS, noise=0.3, random_state=_seed(rng)), "classification")


@named
def circles(rng):
    """A circle in a circle, among six columns of noise."""
    x, y = datasets.make_circles(ROWS, noise=0.15, factor=0.6, random_state=_seed(rng))
    return table(np.hstack([x, rng.normal(size=(ROWS, 6))]), y, "classification")


@named
def shells(rng):
    """Four classes by their distance from the middle."""
    x, y = datasets.make_gaussian_quantiles(n_samples=ROWS, n_features=6, n_classes=4, random_state=_seed(rng))
    return table(x, y, "classification")


@named
def hastie(rng):
    """Ten columns, two classes by the sum of their squares."""
    x, y = datasets.make_hastie_10_2(ROWS, random_state=_seed(rng))
    return table(x, (y > 0).astype(int), "classification")


def _clusters(rng: np.random.Generator, **given: object) -> Set:
    x, y = datasets.make_classification(ROWS, random_state=_seed(rng), **given)  # type: ignore[arg-type]
    return table(x, y, "classification")


@named
def clusters(rng):
    """Two classes of four clusters each."""
    return _clusters(rng, n_features=20, n_informative=8, n_clusters_per_class=4, flip_y=0.02)


@named
def noisy_clusters(rng):
    """A fifth of the labels are wrong."""
    return _clusters(rng, n_features=15, n_informative=5, n_clusters_per_class=3, flip_y=0.4)


@named
def ten_classes(rng):
    """Ten classes of two clusters each."""
    return _clusters(rng, n_features=16, n_informative=10, n_classes=10, n_clusters_per_class=2, flip_y=0.02)


@named
def rare_class(rng):
    """One row in twenty is of the second class."""
    return _clusters(rng, n_features=20, n_informative=6, n_clusters_per_class=3, weights=[0.95], flip_y=0.01)


@named
def checkerboard(rng):
    """A board of six by six fields."""
    x = rng.uniform(0, 6, (ROWS, 2))
    y = (np.floor(x).sum(1) % 2).astype(int)
    return table(np.hstack([x, rng.normal(size=(ROWS, 2))]), y ^ (rng.random(ROWS) < 0.05), "classification")


@named
def parity(rng):
    """The parity of the signs of three of ten columns."""
    x = rng.normal(size=(ROWS, 10))
    return table(x, (x[:, :3] > 0).sum(1) % 2 ^ (rng.random(ROWS) < 0.05), "classification")


@named
def incomes(rng):
    """Words and numbers with long tails, as in a census: two classes that overlap."""
    work, school = rng.integers(0, 12, ROWS), rng.integers(0, 16, ROWS)
    age, gain = rng.uniform(17, 80, ROWS), np.where(rng.random(ROWS) < 0.1, rng.lognormal(8, 1, ROWS), 0.0)
    z = rng.normal(0, 1, 12)[work] + 0.25 * (school - 8) - ((age - 48) / 18) ** 2 + 0.3 * np.log1p(gain) - 0.5
    frame = pl.DataFrame(
        {"work": [f"w{i}" for i in work], "school": [f"s{i}" for i in school], "age": age, "gain": gain}
    )
    return Set(frame, (rng.random(ROWS) < 1 / (1 + np.exp(-1.5 * z))).astype(int), "classification")


@named
def words(rng):
    """Words alone, of which pairs decide."""
    codes = rng.integers(0, 8, (ROWS, 6))
    z = rng.normal(0, 2, (8, 8))[codes[:, 0], codes[:, 1]] + rng.normal(0, 1, (8, 8))[codes[:, 2], codes[:, 3]]
    frame = pl.DataFrame({f"c{i}": [f"v{code}" for code in column] for i, column in enumerate(codes.T)})
    return Set(frame, (rng.random(ROWS) < 1 / (1 + np.exp(-z))).astype(int), "classification")
