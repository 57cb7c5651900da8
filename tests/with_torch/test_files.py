"""Files for PyTorch: their nets say what the model says, through predict.py and as modules."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from slalom import Recipe, fit, race
from slalom.exports import numpy_files
from test_exports import FRAME, LIKE, RECIPES, SMALL, WORDLESS, Y


@pytest.mark.parametrize("given", RECIPES[::2], ids=str)
def test_numbers(given, tmp_path):
    """Scalings, activations, normalisations, blocks, embeddings and units of a target: every second."""
    model = fit(WORDLESS, Y, recipe=Recipe().with_fields(SMALL | given), task="regression")
    names, count, far = numpy_files.export(model, tmp_path / "out", "torch")
    found = model.predict(numpy_files.made_rows(model))
    assert far < 1e-4 * np.ptp(found[np.isfinite(found)])
    assert (count, names) == (1_000, ["rows.py", "torch_net.py", "predict.py", "model.json", "weights.npz"])


def test_an_ensemble_runs_without_slalom(tmp_path):
    """The weighted mean of several networks, from a CSV file, in a process that has no Slalom."""
    result = race(FRAME, Y > 8, recipes=6, epochs=4, fixed=LIKE, metric="f1", baselines=False)
    numpy_files.export(result.ensemble, tmp_path / "out", "torch")
    FRAME.write_csv(tmp_path / "rows.csv")
    (tmp_path / "slalom.py").write_text("raise ImportError('there is no Slalom here')\n")
    done = subprocess.run(
        [sys.executable, "out/predict.py", "rows.csv"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [str(one) for one in result.ensemble.predict(FRAME).tolist()]


def test_the_module_can_be_trained_on(tmp_path):
    """A net of the export is an ordinary module: its outputs have gradients in all its parameters."""
    model = fit(WORDLESS, Y, recipe=Recipe().with_fields(SMALL | {"embedding": "periodic"}), task="regression")
    numpy_files.export(model, tmp_path / "out", "torch")
    sys.path.insert(0, str(tmp_path / "out"))
    try:
        import torch_net

        nets = torch_net.load(tmp_path / "out")
    finally:
        sys.path.pop(0)
        sys.modules.pop("torch_net", None)
    about = json.loads((tmp_path / "out" / "model.json").read_text())["members"][0]
    x = torch.tensor(model.scaled(model.encoded(WORDLESS)))
    out = nets[0](x)
    assert out.shape == (len(WORDLESS), about["net"]["outputs"])
    wanted = model.net.predict(model.weights, model.memory, x.numpy())
    np.testing.assert_allclose(out.detach().numpy().T, wanted, atol=1e-4 * np.ptp(wanted))
    nets[0].train()(x).square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in nets[0].parameters())
