"""Scripts that train a recipe again, as text: that of every part is Python, and says what the part is."""

import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from slalom import Recipe, race, schedules
from slalom.errors import SlalomError
from slalom.exports import scripts
from slalom.exports.training import inputs, nets, optimisers, rates
from slalom.record import to_plain

from .training import FRAME, SMALL, N, Y, scripted

pytestmark = pytest.mark.long

OTHER = {  # settings with which every term of a schedule matters
    "cosine": {"floor": 0.1}, "linear": {"start": 0.2, "end": 0.7}, "polynomial": {"power": 1.5, "floor": 0.1},
    "exponential": {"every": 7, "factor": 0.6}, "step": {"every": 6, "factor": 0.3},
    "inverse_time": {"every": 5, "growth": 0.7}, "multi_step": {"milestones": (4, 9, 20), "factor": 0.4},
    "piecewise_constant": {"boundaries": (0.2, 0.7), "factors": (0.4, 1.0, 0.3)}, "coslog": {"cycles": 2.5},
    "flat_cosine": {"start": 11, "floor": 0.2}, "cosine_restarts": {"period": 5, "multiplier": 1.5, "floor": 0.1},
    "cyclic": {"period": 8, "peak": 0.3, "floor": 0.2, "decay": 0.7},
    "one_cycle": {"rise": 9, "divisor": 6, "final_divisor": 30},
    "warmup_stable_decay": {"warmup": 5, "cooldown": 0.4, "power": 2, "floor": 0.1}, "constant": {},
}  # fmt: skip


def ran(lines, **known):
    """The value of the last of these lines."""
    own = {"math": math, **known}
    exec("\n".join(lines[:-1]), own)
    return eval(lines[-1], own)


@pytest.mark.parametrize("name", sorted(rates.FACTORS))
@pytest.mark.parametrize("settings", ["usual", "other"])
def test_rates(name, settings):
    """The text of a schedule finds its factor at every step."""
    made = schedules.REGISTRY[name](**(OTHER[name] if settings == "other" else {}))
    lines = rates.factor(made, to_plain(made, schedules.REGISTRY))
    for horizon in (1, 40):
        found = [ran(lines, t=t, horizon=horizon) for t in range(horizon)]
        np.testing.assert_allclose(found, made(np.arange(horizon), horizon), rtol=1e-9, atol=1e-9)


def test_schedules_without_a_text():
    """All have one but the one that hears scores."""
    assert set(schedules.REGISTRY) - set(rates.FACTORS) == {"plateau"}
    with pytest.raises(SlalomError, match=r"^The schedule must be one of .* Got plateau\.$"):
        rates.factor(schedules.Plateau(), {"name": "plateau"})


VARIED = [
    *[{"scaling": name} for name in sorted(inputs.SCALINGS)],
    *[{"schedule": name, "warmup": 0.1} for name in sorted(rates.FACTORS)],
    *[{"rule": name} for name in sorted(optimisers.KERAS)],
    *[{"initialiser": name} for name in sorted(nets.INITS)],
    *[{"loss": name} for name in ("huber", "absolute_error", "quantile")],
    *[{"target_scaling": name} for name in sorted(set(inputs.TARGETS) - {"mean"})],
    {"dropout": 0.2, "l1": 1e-5}, {"weight_decay": 1e-4, "rule": "momentum"}, {"schedule_by": "epoch", "warmup": 1},
]  # fmt: skip
SHAPES = [
    *[{"activation": name} for name in sorted(nets.TORCH_ACTIVATIONS)],
    *[{"normalisation": name} for name in ("batch_norm", "layer_norm", "group_norm")],
    {"normalisation": "layer_norm", "placement": "after"}, {"block": "residual", "normalisation": "batch_norm"},
    {"embedding": "periodic", "embedding_size": 3}, {"embedding": "piecewise_linear", "learned_scale": "learned"},
    {"depth": 0}, {"loss": "poisson"},
]  # fmt: skip


def lint(folder):
    """The script has no name that is not there, and none that nobody uses."""
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "F,E9,I", "train.py"]
    done = subprocess.run(ruff, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("library", scripts.LIBRARIES)
def test_every_part_has_a_text(library, tmp_path):
    """Each recipe's script is Python without an unknown name; what it makes of the rows was compared on the way."""
    for i, fields in enumerate(VARIED):
        rule = fields.get("rule", "")
        if rule in optimisers.KNOWN[library] or not rule:
            folder = tmp_path / str(i)
            folder.mkdir()
            scripted(folder, library, **fields)
            lint(folder)


@pytest.mark.parametrize("library", scripts.LIBRARIES)
@pytest.mark.parametrize("shape", SHAPES[::3], ids=str)
def test_every_shape_has_a_text(library, shape, tmp_path):
    """The same for what a net is made of."""
    scripted(tmp_path, library, shape=tuple(shape.items()), dropout=0.1)
    lint(tmp_path)


@pytest.mark.parametrize(("labels", "metric"), [(("no", "yes"), "f1"), ((0, 1), "accuracy"), (("a", "b", "c"), "auc")])
def test_classes(labels, metric, tmp_path):
    """Words and numbers as labels, weights of classes, smoothing."""
    for library in scripts.LIBRARIES:
        scripted(tmp_path, library, labels, metric, label_smoothing=0.1, class_weight=0.5)
        lint(tmp_path)


def test_what_has_no_text_is_refused(tmp_path):
    """Rules, scalings of targets and metrics that a script cannot hold are named, with those that it can."""
    with pytest.raises(SlalomError, match=r"^The rule must be one of .*adamw.* for torch has .* Got lamb\.$"):
        scripted(tmp_path, "torch", rule="lamb")
    with pytest.raises(SlalomError, match=r"^radam's early must be 1\.0 in a training script\. Got 0\.0\.$"):
        scripted(tmp_path, "torch", **{"rule": "radam", "rule.early": 0.0})
    with pytest.raises(SlalomError, match=r"^target_scaling must be one of .*z_score.* Got sigmoid\.$"):
        scripted(tmp_path, "keras", shape=(("target_scaling", "z_score_sigmoid"),), target_scaling="sigmoid")


def slalom(*arguments, cwd):
    """The command."""
    code = "from slalom.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120
    )


WRITERS = {
    "plain.csv": lambda frame, file: frame.write_csv(file),
    "semicolons.csv": lambda frame, file: frame.write_csv(file, separator=";", decimal_comma=True),
    "latin.csv": lambda frame, file: file.write_bytes(frame.write_csv().encode("cp1252")),
    "packed.csv.gz": lambda frame, file: file.write_bytes(__import__("gzip").compress(frame.write_csv().encode())),
    "columns.parquet": lambda frame, file: frame.write_parquet(file),
    "lines.jsonl": lambda frame, file: frame.write_ndjson(file),
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_read_as_slalom_reads_them(name, tmp_path):
    """Of every kind of file: a race of its rows, and the script whose numbers are compared with the race's."""
    sold = pl.Series((np.arange(N) * 86_400_000_000 * 3).astype("datetime64[us]")).dt.date()
    frame = FRAME.with_columns(price=pl.Series(Y), sold=sold, town=pl.Series([f"town {i % 35}" for i in range(N)]))
    WRITERS[name](frame, tmp_path / name)
    race(tmp_path / name, target="price", recipe=Recipe().with_fields(SMALL), out=tmp_path / "run", baselines=False)
    for library in scripts.LIBRARIES:
        file, rows = scripts.export(tmp_path / "run", library, tmp_path / library)
        assert rows == N
        kept = np.load(file.with_name("rows.npz"))
        assert len(kept["train"]) + len(kept["test"]) == N  # folds are cross-fitted: no row chooses the epoch
        lint(tmp_path / library)


@pytest.mark.long
def test_the_command(tmp_path):
    """It writes two files and says so; what it cannot do is one sentence, and nothing is left."""
    FRAME.with_columns(price=pl.Series(Y)).write_csv(tmp_path / "rows.csv")
    race(
        tmp_path / "rows.csv", target="price", recipe=Recipe().with_fields(SMALL), out=tmp_path / "run", baselines=False
    )
    done = slalom("export", "run", "--to", "torch-training", "--out", "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout
        == "again/train.py trains the winner again. What it makes of the 240 rows is what Slalom made of them.\n"
    )
    assert sorted(file.name for file in (tmp_path / "again").iterdir()) == ["rows.npz", "train.py"]
    told = slalom("export", "run", "--to", "torch-training", "--out", "again", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (
        2,
        "--out must be a new or empty folder. again already holds something.\n",
    )
    told = slalom("export", "run", "--to", "keras-training", "--ensemble", "--out", "other", cwd=tmp_path)
    assert told.stderr == "--ensemble says nothing to --to keras-training: a script trains the winner's network.\n"
    (tmp_path / "rows.csv").unlink()
    told = slalom("export", "run", "--to", "keras-training", "--out", "other", cwd=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    assert not (tmp_path / "other").exists()
