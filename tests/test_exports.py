"""Exported models: files that predict as the model does, without Slalom."""

import csv
import datetime
import json
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from slalom import Recipe, fit, race
from slalom.errors import SlalomError
from slalom.exports import numpy_files, onnx_file, predict, rows

rng = np.random.default_rng(0)
N = 300
TOWNS = [f"town {i}" for i in range(40)]
FRAME = pl.DataFrame(
    {
        "size": rng.lognormal(1, 1, N),
        "rooms": [None if i % 9 == 0 else int(v) for i, v in enumerate(rng.integers(0, 9, N))],
        "kind": rng.choice(["a", "b", "true", None], N),
        "town": rng.choice(TOWNS, N),
        "sold": pl.Series((rng.integers(0, 900, N) * 86_400_000_000 // 2).astype("datetime64[us]")).set(
            pl.Series(np.arange(N) % 11 == 0), None
        ),
        "new": rng.random(N) < 0.5,
        "odd": [7.0 if i % 3 else None for i in range(N)],
        "remark": [" ".join(rng.choice(["Old", "house", "near", "lake", "town"], 5)) for _ in range(N)],
    }
)
Y = FRAME["size"].to_numpy() + 2 * (FRAME["kind"].to_numpy() == "a") + 5
WORDLESS = FRAME.drop("remark")
LIKE = {"width": 8, "depth": 1, "rule": "adam", "batch_size": 32, "embedding": "none", "block": "plain"}  # one program
NO_WAY_BACK = ("power", "quantile_normal")  # targets in these units, in ONNX
SMALL = {"depth": 2, "width": 16, "epochs": 3, "batch_size": 32, "learning_rate": 0.01}
RECIPES = [
    *[{"scaling": name} for name in ("none", "min_max", "max_abs", "z_score", "robust", "robust_clip", "sigmoid")],
    *[{"scaling": name} for name in ("z_score_sigmoid", "power", "quantile_normal")],
    *[{"activation": name} for name in ("leaky_relu", "silu", "gelu", "mish", "elu", "selu", "softplus", "tanh")],
    *[{"activation": name} for name in ("sigmoid", "identity")],
    *[{"normalisation": name} for name in ("batch_norm", "layer_norm", "group_norm")],
    {"normalisation": "batch_norm", "placement": "after"},
    {"block": "residual", "normalisation": "batch_norm"},
    {"block": "residual", "normalisation": "group_norm", "width": 32},
    {"embedding": "periodic", "learned_scale": "learned"},
    {"embedding": "piecewise_linear", "normalisation": "layer_norm"},
    {"depth": 0},
    {"depth": 0, "embedding": "periodic", "learned_scale": "learned"},
    *[{"target_scaling": name} for name in ("none", "min_max", "max_abs", "robust", "robust_clip", "power")],
    *[{"target_scaling": name} for name in ("z_score_sigmoid", "quantile_normal")],
    {"loss": "poisson"},
]


def test_every_kind_of_column(tmp_path):
    """Numbers, truths, dates, words, text, gaps and columns of one value: the files say the same."""
    model = fit(FRAME, Y, recipe=Recipe().with_fields(SMALL), task="regression")
    _, count, far = numpy_files.export(model, tmp_path / "out")
    made = numpy_files.made_rows(model)
    assert count == len(made) == 1_000
    assert set(made.columns) == set(FRAME.columns)
    assert far < 1e-4 * np.ptp(model.predict(made))
    assert made["kind"].null_count() > 50
    assert (made["kind"] == "a level that there is not").sum() > 50


OFTEN = [given if i % 4 == 1 else pytest.param(given, marks=pytest.mark.long) for i, given in enumerate(RECIPES)]


@pytest.mark.parametrize("given", OFTEN, ids=str)
def test_numbers(given, tmp_path):
    """Every scaling, activation, normalisation, block, embedding and unit of a target: NumPy and ONNX Runtime say the
    same."""
    model = fit(WORDLESS, Y, recipe=Recipe().with_fields(SMALL | given), task="regression")
    found = model.predict(numpy_files.made_rows(model))
    finite = np.isfinite(found)
    assert finite.sum() > 50
    assert numpy_files.export(model, tmp_path / "out")[2] < 1e-4 * np.ptp(found[finite])
    if given.get("target_scaling") not in NO_WAY_BACK:
        assert onnx_file.export(model, tmp_path / "model.onnx")[1] < 1e-4 * np.ptp(found[finite])


@pytest.mark.parametrize("labels", [["no", "yes"], [0, 1], ["a", "b", "c"], [3, 5, 7]])
def test_classes(labels, tmp_path):
    """Labels and probabilities, of two classes and more."""
    y = np.array(labels)[np.digitize(Y, np.quantile(Y, np.arange(1, len(labels)) / len(labels)))]
    model = fit(FRAME, y, recipe=Recipe().with_fields(SMALL), task="classification")
    numpy_files.export(model, tmp_path / "out")
    loaded = numpy_files._imported(tmp_path / "out").load(tmp_path / "out")
    columns = {column.name: column.to_list() for column in FRAME.iter_columns()}
    assert loaded.predict(columns) == model.predict(FRAME).tolist()
    np.testing.assert_allclose(loaded.predict_proba(columns), model.predict_proba(FRAME), atol=1e-5)


def test_an_ensemble(tmp_path):
    """The weighted mean of several networks, with their temperature and threshold."""
    result = race(FRAME, Y > 8, recipes=6, epochs=4, fixed=LIKE, metric="f1")
    assert len(result.ensemble.members) > 1
    _, _, far = numpy_files.export(result.ensemble, tmp_path / "out")
    assert far < 1e-5
    held = json.loads((tmp_path / "out" / "model.json").read_text())
    assert held["threshold"] == result.ensemble.calibration.threshold
    assert len(held["members"]) == len(result.ensemble.members)


@pytest.fixture
def exported(tmp_path):
    """A run folder, its rows as CSV, and the export that the command makes."""
    FRAME.with_columns(price=pl.Series(Y)).write_csv(tmp_path / "rows.csv")
    race(tmp_path / "rows.csv", target="price", recipes=1, epochs=3, fixed={"depth": 1}, out=tmp_path / "run")
    return tmp_path


def slalom(*arguments, cwd):
    code = "from slalom.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def test_the_command_and_a_process_without_slalom(exported):
    """`slalom export` writes and checks the files; predict.py reads the same CSV and says the same as `slalom predict`,
    where Slalom cannot be imported."""
    done = slalom("export", "run", "--to", "numpy", "--out", "files", cwd=exported)
    assert done.returncode == 0, done.stderr
    assert "Checked on 1,000 made rows" in done.stdout
    barred = "import sys; sys.modules['slalom'] = None; import runpy; sys.argv = ['predict.py', 'rows.csv'];"
    barred += "sys.path.insert(0, 'files'); runpy.run_path('files/predict.py', run_name='__main__')"
    apart = subprocess.run([sys.executable, "-c", barred], cwd=exported, capture_output=True, text=True, timeout=60)
    assert apart.returncode == 0, apart.stderr
    told = slalom("predict", "run", "rows.csv", "--single", cwd=exported)
    ours, theirs = (
        [float(row[0]) for row in list(csv.reader(text.splitlines()))[1:]] for text in (told.stdout, apart.stdout)
    )
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5 * np.ptp(ours))
    refused = slalom("export", "run", "--to", "numpy", "--out", "files", cwd=exported)
    assert refused.returncode == 2
    assert "must be a new or empty folder" in refused.stderr


@pytest.mark.parametrize(
    ("cell", "days"),
    [
        ("2024-05-01", 19844.0),
        ("2024-5-1 12:30", 19844.0 + 12.5 / 24),
        ("2024/05/01", 19844.0),
        ("2024-05-01T12:00:00Z", 19844.5),
        ("2024-05-01T12:00:00+02:00", 19844.0 + 10 / 24),
        (datetime.date(2024, 5, 1), 19844.0),
        (datetime.datetime(2024, 5, 1, 6), 19844.25),
        (datetime.time(18), 0.75),
        (datetime.timedelta(hours=36), 1.5),
        (np.datetime64("2024-05-01"), 19844.0),
        (np.timedelta64(36, "h"), 1.5),
    ],
)
def test_dates_of_every_kind(cell, days):
    """As days since 1970, or of a length."""
    assert rows.days(cell) == pytest.approx(days, abs=1e-9)
    assert not rows.absent(cell)


def test_semicolons_and_decimal_commas(tmp_path):
    """The CSV of a German program is read as Slalom reads it."""
    (tmp_path / "t.csv").write_text('size;town\n1,5;"a;b"\n-2,25;c\n', encoding="utf-8-sig")
    assert predict.read(tmp_path / "t.csv") == {"size": ["1.5", "-2.25"], "town": ["a;b", "c"]}
    (tmp_path / "t.csv").write_text('size,town\n1.5,"1,5"\n')
    assert predict.read(tmp_path / "t.csv") == {"size": ["1.5"], "town": ["1,5"]}


def test_files_that_differ_are_refused(tmp_path, monkeypatch):
    """The check sees a weight that is not the model's; nothing is left behind then."""
    model = fit(FRAME, Y, recipe=Recipe().with_fields(SMALL))
    numpy_files.write(model, tmp_path / "out")
    with np.load(tmp_path / "out" / "weights.npz") as held:
        arrays = dict(held)
    name = next(name for name in arrays if name.endswith(".b"))
    arrays[name] = arrays[name] + 0.1
    np.savez(tmp_path / "out" / "weights.npz", **arrays)
    with pytest.raises(SlalomError, match="must predict as the model does"):
        numpy_files.checked(model, tmp_path / "out")
    true = numpy_files.write

    def wrong(model, folder, form):
        names = true(model, folder)
        np.savez(folder / "weights.npz", **arrays)
        return names

    monkeypatch.setattr(numpy_files, "write", wrong)
    with pytest.raises(SlalomError, match="must predict as the model does"):
        numpy_files.export(model, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(ValueError, match="'size'"):
        numpy_files._imported(tmp_path / "out").load(tmp_path / "out").predict({"rooms": [1]})


# --- ONNX -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], ["a", "b", "c"], [3, 5, 7], [0.5, 1.5]])
def test_onnx_of_classes(labels, tmp_path):
    """Labels in their own type, and probabilities."""
    y = np.array(labels)[np.digitize(Y, np.quantile(Y, np.arange(1, len(labels)) / len(labels)))]
    model = fit(WORDLESS, y, recipe=Recipe().with_fields(SMALL), task="classification")
    onnx_file.export(model, tmp_path / "model.onnx")
    found = onnx_file.run(model, tmp_path / "model.onnx", WORDLESS)
    assert found["prediction"].tolist() == model.predict(WORDLESS).tolist()
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(WORDLESS), atol=1e-5)


@pytest.mark.long
def test_onnx_of_an_ensemble(tmp_path):
    """With its temperature and threshold."""
    result = race(WORDLESS, Y > 8, recipes=6, epochs=4, fixed=LIKE, metric="f1")
    assert len(result.ensemble.members) > 1
    assert onnx_file.export(result.ensemble, tmp_path / "model.onnx")[1] < 1e-5
    found = onnx_file.run(result.ensemble, tmp_path / "model.onnx", WORDLESS)
    assert found["prediction"].tolist() == result.ensemble.predict(WORDLESS).tolist()


def test_what_onnx_has_not(tmp_path, monkeypatch):
    """Free text, and units without a way back, are refused with the reason; so is a file that is there, or a library
    that is not."""
    recipe = Recipe().with_fields(SMALL)
    with pytest.raises(SlalomError, match="remark is free text"):
        onnx_file.export(fit(FRAME, Y, recipe=recipe), tmp_path / "model.onnx")
    for name in NO_WAY_BACK:
        model = fit(WORDLESS, Y, recipe=recipe.with_fields({"target_scaling": name}))
        with pytest.raises(SlalomError, match=f"target_scaling {name} has no way back in ONNX"):
            onnx_file.export(model, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
    model = fit(WORDLESS, Y, recipe=recipe)
    onnx_file.export(model, tmp_path / "model.onnx")
    with pytest.raises(SlalomError, match="must be a new file"):
        onnx_file.export(model, tmp_path / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SlalomError, match=r"pip install 'slalom\[onnx\]'"):
        onnx_file.export(model, tmp_path / "other.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
