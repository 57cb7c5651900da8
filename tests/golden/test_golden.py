"""Models that were saved by this and by earlier versions are read, and predict what they predicted."""

import json
from pathlib import Path

import numpy as np
import pytest

from slalom import Ensemble, Model
from slalom.data import read
from slalom.errors import SlalomError
from slalom.model import FORMAT

from .make import rows

HERE = Path(__file__).parent
FOLDERS = sorted(path for path in HERE.iterdir() if path.name.startswith("format"))


def test_this_version_has_its_folder():
    """A format that changes leaves a folder behind: `python -m tests.golden.make`."""
    assert HERE / f"format{FORMAT}" in FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
@pytest.mark.parametrize(("name", "kind"), [("model", Model), ("ensemble", Ensemble)])
def test_old_folders_predict_the_same(folder, name, kind):
    """To a millionth of the spread of the predictions, from a frame and from its file."""
    wanted = np.array(json.loads((folder / "predictions.json").read_text(encoding="utf-8"))[name])
    for table in (rows(), read(HERE / "rows.csv").frame):
        found = kind.load(folder / name).predict(table)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.ptp(wanted))


def test_newer_and_damaged_folders_are_refused(tmp_path):
    """A newer format is refused by its number; weights with a flipped bit by their checksum."""
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(HERE / f"format{FORMAT}" / "model", folder)
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(about | {"format": FORMAT + 1}))
    with pytest.raises(SlalomError, match=rf"holds a model of format {FORMAT + 1}\. This Slalom reads formats"):
        Model.load(folder)
    (folder / "model.json").write_text(json.dumps(about))
    data = bytearray((folder / "weights.safetensors").read_bytes())
    data[-5] ^= 1
    (folder / "weights.safetensors").write_bytes(data)
    with pytest.raises(SlalomError, match=r"weights\.safetensors is not the file that was saved\.$"):
        Model.load(folder)
