"""Training scripts that run: their rules take Slalom's steps, and they land where Slalom does."""

import importlib.util
import re
import subprocess
import sys

import jax.numpy as jnp
import keras
import numpy as np
import polars as pl
import pytest
import torch

from exports.training import scripted
from slalom import Recipe, fit, race, rules
from slalom.exports import scripts
from slalom.exports.training import optimisers
from slalom.metrics import METRICS

SETTINGS = {"lion": {"weight_decay": 0.3}, "adamw": {"weight_decay": 0.3}, "muon": {"weight_decay": 0.3}}
STEPS = 12
rng = np.random.default_rng(1)
FIRST = {"matrix": rng.normal(size=(6, 4)).astype(np.float32), "bias": rng.normal(size=6).astype(np.float32)}
GRADIENTS = [
    {n: rng.normal(size=w.shape).astype(np.float32) * 10.0**-k for n, w in FIRST.items()} for k in range(STEPS)
]


def module(folder):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"train_{folder.name}", folder / "train.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def ours(name, rate):
    """Where a rule of Slalom's goes in these gradients."""
    rule = rules.REGISTRY[name](**SETTINGS.get(name, {}))
    w = {n: jnp.asarray(v) for n, v in FIRST.items()}
    memory = rule.init(w)
    for t, g in enumerate(GRADIENTS, 1):
        delta, memory = rule.step({n: jnp.asarray(v) for n, v in g.items()}, memory, w, t=t, rate=rate(t - 1))
        w = {n: w[n] + delta[n] for n in w}
    return w


@pytest.mark.parametrize("name", sorted(optimisers.TORCH))
def test_rules_of_pytorch(name, tmp_path):
    """Twelve steps over gradients of twelve sizes, with a schedule that moves."""
    rule = {"rule": name} | {f"rule.{k}": v for k, v in SETTINGS.get(name, {}).items() if k != "weight_decay"}
    scripted(tmp_path, "torch", **rule, weight_decay=SETTINGS.get(name, {}).get("weight_decay"), schedule="linear")
    train = module(tmp_path)
    net = torch.nn.Linear(4, 6)
    net.weight.data, net.bias.data = torch.tensor(FIRST["matrix"]), torch.tensor(FIRST["bias"])
    line = re.search(r"optimizers = (.*)", (tmp_path / "train.py").read_text())[1]
    made = eval(line, vars(train) | {"net": net})
    for t, g in enumerate(GRADIENTS):
        net.weight.grad, net.bias.grad = torch.tensor(g["matrix"]), torch.tensor(g["bias"])
        for one in made:
            for group in one.param_groups:
                group["lr"] = train.rate(t, 10)
            one.step()
    wanted = ours(name, lambda t: train.rate(t, 10))
    far = {"radam": 1e-4, "muon": 2e-3}.get(name, 2e-5)  # PyTorch's ε of radam; its muon works in bfloat16
    np.testing.assert_allclose(net.weight.detach(), wanted["matrix"], rtol=far, atol=far)
    np.testing.assert_allclose(net.bias.detach(), wanted["bias"], rtol=far, atol=far)


@pytest.mark.parametrize("name", sorted(optimisers.KERAS))
def test_rules_of_keras(name, tmp_path):
    """The same of Keras."""
    scripted(tmp_path, "keras", rule=name, weight_decay=SETTINGS.get(name, {}).get("weight_decay"), schedule="linear")
    train = module(tmp_path)
    train.Rates.steps = 10
    line = re.search(r"net\.compile\(optimizer=(.*), loss=loss\)", (tmp_path / "train.py").read_text())[1]
    made = eval(line, vars(train))
    weights = {n: keras.Variable(w.T if w.ndim == 2 else w, name=n) for n, w in FIRST.items()}
    made.build(list(weights.values()))
    for g in GRADIENTS:
        given = [keras.ops.convert_to_tensor(g[n].T if g[n].ndim == 2 else g[n]) for n in weights]
        made.apply(given, list(weights.values()))
    wanted = ours(name, lambda t: train.rate(t, 10))
    far = 2e-3 if name == "muon" else 2e-4  # its ε stands before the corrections
    np.testing.assert_allclose(np.asarray(weights["matrix"].value).T, wanted["matrix"], rtol=far, atol=far)
    np.testing.assert_allclose(np.asarray(weights["bias"].value), wanted["bias"], rtol=far, atol=far)


def friedman(file):
    """6,000 rows of Friedman's first function with noise, two of the columns as words and with gaps."""
    draw = np.random.default_rng(3)
    x = draw.random((6_000, 6))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    frame = pl.DataFrame({f"x{i}": x[:, i] for i in range(5)} | {"y": y + draw.normal(size=6_000)})
    frame = frame.with_columns(
        half=pl.Series(np.where(x[:, 5] > 0.5, "up", "down")),
        x3=pl.when(pl.Series(draw.random(6_000) < 0.05)).then(None).otherwise(pl.col("x3")),
        high=pl.Series(np.where(y > np.median(y), "yes", "no")),
    )
    frame.write_csv(file)
    return frame


LANDED = {
    "regression": {
        "rule": "adamw", "learning_rate": 0.004, "schedule": "cosine", "warmup": 0.05, "batch_size": 128, "epochs": 12,
        "depth": 2, "width": 64, "activation": "silu", "embedding": "periodic", "dropout": 0.05,
        "scaling": "robust_clip", "l1": 1e-6, "weight_decay": 0.05,
    },
    "classification": {
        "rule": "nesterov", "learning_rate": 0.03, "schedule": "step", "batch_size": 128, "epochs": 12, "depth": 2,
        "width": 64, "normalisation": "batch_norm", "scaling": "quantile_normal", "label_smoothing": 0.02,
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=LANDED)
def raced(request, tmp_path_factory):
    """A race of one recipe on 6,000 rows, and what Slalom scores with four further seeds on the same rows."""
    folder, task = tmp_path_factory.mktemp("landed"), request.param
    frame = friedman(folder / "rows.csv")
    target, other = ("y", "high") if task == "regression" else ("high", "y")
    frame = frame.drop(other)
    frame.write_csv(folder / "rows.csv")
    recipe = Recipe().with_fields(LANDED[task])
    result = race(folder / "rows.csv", target=target, recipe=recipe, out=folder / "run", baselines=False)
    scripts.export(folder / "run", "torch", folder / "torch")
    scripts.export(folder / "run", "keras", folder / "keras")
    rows = np.load(folder / "torch" / "rows.npz")
    train, choose, test = (frame[rows[name]] for name in ("train", "choose", "test"))
    scores = []
    for seed in range(4):
        model = fit(
            train.drop(target), train[target], recipe=recipe, seed=seed,
            validation=(choose.drop(target), choose[target]), metric=result.metric.name,
        )  # fmt: skip
        p = model.predict(test.drop(target)) if task == "regression" else model.predict_proba(test.drop(target))
        scores.append(METRICS[result.metric.name].of(model.target.encode(test[target]), p))
    return folder, result, scores


@pytest.mark.parametrize("library", scripts.LIBRARIES)
def test_scripts_land_where_slalom_does(raced, library):
    """The score on the test rows is among those of Slalom's own seeds, with room for the draw of one more."""
    folder, result, scores = raced
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder / library, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(rf"{result.metric.name} on 1,200 rows: (\S+)\n", done.stdout)
    assert said, done.stdout
    everybody = [*scores, result.best.test]
    spread = max(float(np.std(everybody, ddof=1)), 0.004 * abs(np.mean(everybody)))
    print(library, said[1], everybody)
    assert abs(float(said[1]) - np.mean(everybody)) < 4 * spread
