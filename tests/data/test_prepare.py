"""From a table to what racers train on: in pieces as at once, and from training rows alone."""

import dataclasses
import datetime
import threading
import time
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from slalom import prepare as prepare_room
from slalom import scaling
from slalom.baselines import Baseline, Baselines, Numbers, _table
from slalom.calibration import threshold
from slalom.compared import baseline_rows, wanted_rows
from slalom.data import Columns, Encoded, Split, Target, encoded
from slalom.metrics import f1_of, find_metric
from slalom.prepare import bucket, prepare
from slalom.scaling.base import beside

N = 90
NONE = np.array([], int)
TRAIN, CHOOSE, TEST = np.arange(0, 50), np.arange(50, 70), np.arange(70, 90)
ONE_FOLD = Split((TRAIN,), (CHOOSE,), (NONE,), TEST)
HALVES = np.arange(0, 35), np.arange(35, 70)
TWO_FOLDS = Split(HALVES, HALVES[::-1], (NONE, NONE), TEST)
EACH_SCALER = pytest.mark.parametrize("name", scaling.REGISTRY)


def mixed(seed=0):
    """A table whose columns become one, two and many numbers: 13 in all."""
    rng = np.random.default_rng(seed)
    start = datetime.datetime(2020, 1, 1)
    return pl.DataFrame(
        {
            "size": rng.normal(50, 10, N),
            "rooms": [None if i % 7 == 0 else int(v) for i, v in enumerate(rng.integers(0, 9, N))],
            "town": [["north", "south", "east", None][i] for i in rng.integers(0, 4, N)],
            "sold": [start + datetime.timedelta(hours=int(h)) for h in rng.integers(0, 9999, N)],
            "new": rng.random(N) < 0.5,
            "price": rng.lognormal(3, 2, N),
            "kind": [f"k{i}" for i in rng.integers(0, 3, N)],
        }
    )


def prepared(frame, split=TWO_FOLDS, *, scalings=frozenset(scaling.REGISTRY), sink=None, units=("z_score", "min_max")):
    y = 100 + 7 * np.random.default_rng(5).normal(size=N)
    return prepare(frame, y, Target.fit(y), split, set(scalings), units, whole=True, sink=sink)


def same(one, other):
    """Whether two fitted records have the same fields, bit for bit."""
    assert type(one) is type(other)
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def differ(one, other):
    return any(not np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))


# --- encoded some columns at a time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_encoded_in_pieces_is_encoded_at_once(step):
    """Whatever runs of columns are asked for, in any order, they are the columns of the whole, bit for bit; a run may
    begin and end inside the columns of one word."""
    frame = mixed()
    columns = Columns.fit(frame, TRAIN)
    whole, table = columns(frame), Encoded(columns, frame)
    width = whole.shape[1]
    assert table.shape == whole.shape
    assert width > len(frame.columns) + 3
    for first in reversed(range(0, width, step)):
        run = range(first, min(first + step, width))
        np.testing.assert_array_equal(table.some(run), whole[:, run.start : run.stop])


@pytest.mark.parametrize(("cells", "most"), [(1, 1), (2 * N, 2), (5 * N + 3, 5), (2**20, 99)])
def test_pieces_are_all_columns_in_their_order(monkeypatch, cells, most):
    """The pieces are neighbours, all columns once, each of no more cells than allowed or of one column."""
    monkeypatch.setattr(encoded, "CELLS", cells)
    frame = mixed()
    table = Encoded(Columns.fit(frame), frame)
    pieces = table.pieces()
    assert [i for run in pieces for i in run] == list(range(table.shape[1]))
    assert max(map(len, pieces)) == min(most, table.shape[1])


def test_cells_are_forgotten_when_the_last_of_their_columns_is_done():
    """A word's cells are there until all of its columns are done, and gone then; the others stay; from many threads."""
    frame = mixed().select("size", "town", "price")
    table = Encoded(Columns.fit(frame), frame)
    assert table.shape[1] == 6  # of which the last four are the town's
    whole = table.some(range(6))
    table.done(range(0, 4))
    np.testing.assert_array_equal(table.some(range(2, 6)), whole[:, 2:])
    for i in (0, 1):
        with pytest.raises(KeyError):
            table.some(range(i, i + 1))
    threads = [threading.Thread(target=table.done, args=(range(i, i + 1),)) for i in (4, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(6):
        with pytest.raises(KeyError):
            table.some(range(i, i + 1))


# --- prepared ---------------------------------------------------------------------------------------------------------


def test_prepared_in_pieces_is_prepared_at_once(monkeypatch):
    """X, y and every scaler have the same bits, whether columns come one by one on many cores with some rows scaled at
    a time, or all at once; and the sink is handed every column once."""
    frame, seen = mixed(), {}

    def sink(run, table):
        seen.update(dict(zip(run, table.T.copy(), strict=True)))

    whole = prepared(frame)
    monkeypatch.setattr(encoded, "CELLS", 2 * N)
    monkeypatch.setattr(prepare_room, "CHUNK", 17)
    monkeypatch.setattr(prepare_room, "cores", lambda: 5)
    pieces = prepared(frame, sink=sink)
    np.testing.assert_array_equal(pieces.x, whole.x)
    np.testing.assert_array_equal(pieces.y, whole.y)
    same(pieces.base, whole.base)
    for name in scaling.REGISTRY:
        for fold in range(3):
            same(pieces.fitted(name, fold), whole.fitted(name, fold))
    table = whole.columns(frame)
    np.testing.assert_array_equal(np.stack([seen[i] for i in range(len(seen))], axis=1), table)


def test_every_variant_stands_where_it_is_said_to():
    """Below the base variant each stored scaling of each fold has its own rows of X, each unit of each fold its own of
    y; the rows that fill a bucket are zeros."""
    frame = mixed()
    made = prepared(frame)
    table, n, padded = made.columns(frame), N, bucket(N)
    assert len(made.all_folds) == 3
    np.testing.assert_allclose(made.x[:n, : made.width], (table - made.base.centre) / made.base.spread, rtol=1e-6)
    for name in made.stored:
        for fold in range(3):
            first = made.first_row(name, fold)
            assert first % padded == 0
            exact = made.fitted(name, fold)(table).astype(np.float32)
            np.testing.assert_array_equal(made.x[first : first + n, : made.width], exact)
    assert len({made.first_row(s, f) for s in made.stored for f in range(3)} | {0}) * padded == len(made.x)
    for name in made.units:
        for fold in range(3):
            first = made.first_target(name, fold)
            exact = made.unit(name, fold)(made.labels).astype(np.float32)
            np.testing.assert_array_equal(made.y[first : first + n], exact)
    assert len({made.first_target(u, f) for u in made.units for f in range(3)}) * padded == len(made.y)
    assert not made.x.reshape(-1, padded, made.x.shape[1])[:, n:].any()
    assert not made.y.reshape(-1, padded)[:, n:].any()


def altered(rows, names=None):
    """The table with quite other cells in some rows: of all columns, unless they are named."""
    frame = mixed()
    other = frame.with_columns(
        -pl.col("size"), pl.col("price") + 1e3, pl.lit("elsewhere").alias("town"), pl.lit(None).alias("rooms"),
        ~pl.col("new"), pl.lit("k9").alias("kind"),
    ).cast(dict(frame.schema))  # fmt: skip
    kept = pl.Series(~np.isin(np.arange(N), rows))
    return frame.with_columns([frame[name].zip_with(kept, other[name]) for name in names or frame.columns])


def test_rows_that_train_nothing_decide_nothing():
    """Other cells in choosing and test rows leave the columns, every scaler and X of the training rows as they are."""
    made, other = prepared(mixed(), ONE_FOLD), prepared(altered([*CHOOSE, *TEST]), ONE_FOLD)
    assert other.columns.to_plain() == made.columns.to_plain()
    same(other.base, made.base)
    for name in scaling.REGISTRY:
        same(other.fitted(name, 0), made.fitted(name, 0))
    variants = [x.reshape(-1, made.padded, x.shape[1]) for x in (made.x, other.x)]
    np.testing.assert_array_equal(*[v[:, TRAIN] for v in variants])
    assert (np.abs(variants[0][:, CHOOSE] - variants[1][:, CHOOSE]).max((1, 2)) > 0).all()


def test_a_fold_is_fitted_to_its_own_training_rows():
    """Where folds are cross-fitted, rows that a fold does not train on leave its scalers as they were, and change those
    of the other fold and of the whole; test rows change none."""
    made, tested = prepared(mixed()), prepared(altered(TEST))
    other = prepared(altered(HALVES[1], ["size", "price"]))  # what words there are, all training rows say together
    assert tested.columns.to_plain() == made.columns.to_plain()
    assert other.columns.names == made.columns.names
    for name in scaling.REGISTRY:
        same(other.fitted(name, 0), made.fitted(name, 0))
        for fold in range(3):
            same(tested.fitted(name, fold), made.fitted(name, fold))
        if name not in ("none", "sigmoid"):  # they learn nothing
            assert differ(other.fitted(name, 1), made.fitted(name, 1))
            assert differ(other.fitted(name, 2), made.fitted(name, 2))


# --- scalers side by side ---------------------------------------------------------------------------------------------


def columns_of_all_kinds():
    rng = np.random.default_rng(2)
    return np.stack(
        [rng.normal(5, 2, 64), rng.lognormal(0, 2, 64), np.full(64, 0.3), rng.integers(0, 2, 64),
         np.where(rng.random(64) < 0.2, np.nan, rng.normal(size=64)), 1e9 + rng.normal(size=64)], axis=1,
    )  # fmt: skip


@EACH_SCALER
@pytest.mark.parametrize("cuts", [(), (3,), (1, 2, 5), (1, 2, 3, 4, 5)], ids=str)
def test_beside_is_fitted_at_once(name, cuts):
    """Scalers fitted to some columns each, side by side, are the scaler of all columns: fields, answers, inverse."""
    x = columns_of_all_kinds()
    whole, parts = scaling.REGISTRY[name].fit(x), np.split(x, cuts, axis=1)
    made = beside([scaling.REGISTRY[name].fit(part) for part in parts])
    same(made, whole)
    z = made(x)
    np.testing.assert_array_equal(z, whole(x))
    np.testing.assert_array_equal(z, np.hstack([scaling.REGISTRY[name].fit(part)(part) for part in parts]))
    np.testing.assert_array_equal(made.inverse(z), whole.inverse(z))


@EACH_SCALER
def test_shared_names_what_is_no_number_of_the_columns(name):
    """An array of a scaler has D numbers along its last axis, or stands in `shared`; and what stands there is one."""
    x, cls = columns_of_all_kinds(), scaling.REGISTRY[name]
    for width in (1, 4, 6):
        fitted = cls.fit(x[:, :width])
        arrays = {f.name: np.asarray(getattr(fitted, f.name)) for f in dataclasses.fields(fitted)}
        of_columns = {n for n, a in arrays.items() if a.ndim and a.shape[-1] == width}
        assert {n for n, a in arrays.items() if a.ndim} == of_columns | set(cls.shared)
        assert not of_columns & set(cls.shared)
        for shared in cls.shared:
            np.testing.assert_array_equal(arrays[shared], getattr(cls.fit(x[:, :1]), shared))


# --- baselines --------------------------------------------------------------------------------------------------------


def test_numbers_come_back_as_they_were():
    """Columns that were put down one by one, in any order, come back as float64 with every bit, all rows or some."""
    x = columns_of_all_kinds()
    x = np.column_stack([x, np.arange(64.0), 2.0**24 + np.arange(64), *[np.arange(64) % k for k in range(2, 7)]])
    with Numbers() as numbers:
        for first in (9, 0, 4):
            run = range(first, {9: 13, 0: 4, 4: 9}[first])
            numbers.put(run, x[:, run.start : run.stop])
        rows = np.array([5, 60, 5, 0])
        np.testing.assert_array_equal(_table(numbers.folder, np.arange(64)), x)
        np.testing.assert_array_equal(_table(numbers.folder, rows), x[rows])
        small = {i: np.load(numbers.folder / f"column{i}.npy").dtype == np.float32 for i in range(13)}
        assert [i for i in small if small[i]] == [3, 6, 8, 9, 10, 11, 12]  # where float32 holds every digit
        folder = numbers.folder
    assert not folder.exists()


def test_wanted_rows_are_predicted_as_among_all():
    """A baseline's predictions of some rows are those rows of its predictions of all, for every baseline."""
    made = prepared(mixed(), ONE_FOLD, scalings={"z_score"})
    some, everything = np.array([60, 3, 88]), np.arange(N)
    with Numbers() as numbers:
        numbers.put(range(made.width), made.columns(mixed()))
        process = Baselines(numbers, made.labels, [TRAIN] * 2, [everything, some], 0)
        found = process.collect(time.perf_counter() + 60)
    assert [baseline.outcome for baseline in found] == ["finished"] * 3
    for baseline in found:
        whole, few = baseline.predictions
        assert whole.shape == (N,)
        np.testing.assert_allclose(few, whole[some], rtol=1e-12)  # a product of another shape may sum otherwise


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize("plain", [0, 2])
def test_baselines_take_codes_for_what_they_are(classes, plain):
    """Codes without order are learnt by the linear model and by the trees, also of a column with more than trees take
    as categories; the same in every run."""
    rng, n = np.random.default_rng(0), 900
    codes = np.stack([rng.integers(0, 35, n), np.where(rng.random(n) < 0.3, 399, rng.integers(0, 20, n))], 1)
    x = np.concatenate([rng.normal(size=(n, plain)), codes], 1)
    signal = rng.permuted(np.linspace(-1, 1, 35))[codes[:, 0]] + 0.5 * rng.normal(size=400)[codes[:, 1]]
    edges = np.quantile(signal, np.linspace(0, 1, classes + 1)[1:-1]) if classes else []
    y = np.searchsorted(edges, signal).astype(float) if classes else signal
    train, test = np.arange(0, 600), np.arange(600, n)
    answers = []
    for _ in range(2):
        with Numbers() as numbers:
            numbers.put(range(x.shape[1]), x)
            process = Baselines(numbers, y, [train], [test], classes, (35, 400))
            answers.append(process.collect(time.perf_counter() + 60))
    for one, again in zip(*answers, strict=True):
        assert one.outcome == "finished"
        np.testing.assert_array_equal(one.predictions[0], again.predictions[0])
    constant, *learnt = [baseline.predictions[0] for baseline in answers[0]]
    for answer in learnt:
        if classes:
            assert (answer.argmax(1) == y[test]).mean() > 0.8
        else:
            assert ((answer - y[test]) ** 2).mean() < 0.1 * ((constant - y[test]) ** 2).mean()


@pytest.mark.parametrize("split", [ONE_FOLD, TWO_FOLDS, Split((TRAIN,), (CHOOSE,), (NONE,), NONE)])
def test_baselines_are_scored_as_on_all_rows(split):
    """With predictions of the wanted rows alone, a baseline's cost on choosing rows and its score on test rows are
    those that predictions of all rows have."""
    made = prepared(mixed(), split, scalings={"z_score"})
    metric, rng = find_metric("rmse", "regression"), np.random.default_rng(3)
    of_all = [made.labels + rng.normal(size=N) for _ in made.all_folds]
    wanted = wanted_rows(made)
    assert [len(rows) for rows in wanted[:-1]] == [len(fold.choose) for fold in made.all_folds[:-1]]
    assert set(wanted[-1]) == {*made.all_folds[-1].choose, *split.test}
    found = Baseline("x", [answer[rows] for answer, rows in zip(of_all, wanted, strict=True)], 1.5, "finished")
    late = Baseline("y", [], 0.0, "out of time")
    row, other = baseline_rows([found, late], made, metric)
    rmse = lambda rows, answer: np.sqrt(((made.labels - answer)[rows] ** 2).mean())  # noqa: E731
    costs = [rmse(fold.choose, answer) for fold, answer in zip(made.folds, of_all, strict=False)]
    assert row["cost"] == pytest.approx(np.mean(costs), rel=1e-12)
    assert row["test"] == (pytest.approx(rmse(split.test, of_all[-1]), rel=1e-12) if len(split.test) else None)
    assert (row["name"], row["seconds"], row["outcome"]) == ("x", 1.5, "finished")
    assert (other["cost"], other["test"], other["outcome"]) == (None, None, "out of time")


def test_baselines_decide_by_a_fitted_threshold():
    """By a metric of decisions a baseline is scored on test rows with the threshold that fits its probabilities of
    choosing rows, as the winner is; its cost on choosing rows is that of its most probable classes, as of a racer."""
    rng = np.random.default_rng(0)
    p = 1 / (1 + np.exp(3 - 1.5 * rng.normal(size=900)))
    y, p = (rng.random(900) < p).astype(float), np.stack([1 - p, p], axis=1)
    choose, test = np.arange(600), np.arange(600, 900)
    rows = SimpleNamespace(labels=y, split=SimpleNamespace(test=test), folds=(SimpleNamespace(choose=choose),))
    for name in ("f1", "log_loss"):
        metric = find_metric(name, "classification")
        (row,) = baseline_rows([Baseline("x", [p], 1.0, "finished")], rows, metric)
        assert row["cost"] == metric.cost(y[choose], p[choose])
        cut = threshold(p[choose, 1], y[choose], f1_of) if name == "f1" else 0.5
        assert row["test"] == metric.score_of(metric.cost(y[test], p[test], cut))
        assert (cut < 0.45) is (name == "f1")
