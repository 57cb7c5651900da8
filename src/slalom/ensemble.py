"""The ensemble: several trained models whose predictions are averaged, and its folder on disk."""

import json
import math
import shutil
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from slalom.calibration import AS_TRAINED, Calibration, tempered
from slalom.conformal import Conformal, from_plain, to_plain
from slalom.data import Target
from slalom.errors import SlalomError, wrong
from slalom.metrics import decided
from slalom.model import Model, held
from slalom.types import Array

FORMAT = 3  # of the ensemble's folder; a newer one is refused
OLDER = (1, 2)  # formats that are still read: 1 knew neither temperature nor threshold, 2 no intervals
FILE = "ensemble.json"


@dataclass(frozen=True, repr=False)
class Ensemble:
    """Models of one target on the same columns, and the weight of each in the mean.

        prediction = Σ wₖ predictionₖ,   Σ wₖ = 1        (of probabilities, where there are classes)

    Probabilities then get the temperature of the ensemble, and of two classes the second is predicted above its
    threshold. names: of the models, their folders' names on disk.

    Raises SlalomError where these do not belong together.
    """

    members: tuple[Model, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...]
    calibration: Calibration = AS_TRAINED
    conformal: Conformal | None = None

    def __post_init__(self) -> None:
        if not self.members or not len(self.members) == len(self.weights) == len(self.names) == len(set(self.names)):
            raise wrong("Ensemble", "one weight and one name of its own for each model", len(self.members))
        if min(self.weights) < 0 or not math.isclose(sum(self.weights), 1, rel_tol=1e-6):
            raise wrong("Ensemble(weights=…)", "not negative, with the sum 1", self.weights)
        first = self.members[0]
        for model in self.members[1:]:
            same = model.columns is first.columns or model.columns.to_plain() == first.columns.to_plain()
            if not same or model.target.classes.tolist() != first.target.classes.tolist():
                raise SlalomError("The models of an ensemble must have the same columns and target. Those differ.")

    def __repr__(self) -> str:
        return f"Ensemble({self.target.task} of {self.target.name!r}, {len(self.members)} models)"

    @property
    def columns(self) -> Any:
        """How a table becomes numbers: the same for all models."""
        return self.members[0].columns

    @property
    def target(self) -> Target:
        """What is predicted."""
        return self.members[0].target

    @property
    def classes(self) -> Array | None:
        """The labels, in the order of the columns of predict_proba; None for a regression."""
        return self.members[0].classes

    def predict(self, x: Any) -> Array:
        """Predictions [N] for a table, as `Model.predict`: the mean of values, or the label that the mean probabilities
        decide for."""
        answer = self.answer(self.encoded(x))
        if self.classes is None:
            return answer
        return self.target.decode(decided(answer, self.calibration.threshold))

    def predict_proba(self, x: Any) -> Array:
        """Mean probabilities [N, classes], as `Model.predict_proba`; SlalomError for a regression."""
        if self.classes is None:
            raise SlalomError("predict_proba is for classification. These models were trained for regression: predict.")
        return self.answer(self.encoded(x))

    def predict_interval(self, x: Any, level: float = 0.9) -> tuple[Array, Array]:
        """(low, high) [N] for a table, as `Model.predict_interval`."""
        found = held(self.conformal, self.target, "regression", "predict_interval", "predict_set")
        return found.interval(self.answer(self.encoded(x)), level)

    def predict_set(self, x: Any, level: float = 0.9) -> Array:
        """Which classes are in the set of each row [N, classes], as `Model.predict_set`."""
        found = held(self.conformal, self.target, "classification", "predict_set", "predict_interval")
        return found.sets(self.answer(self.encoded(x)), level)

    def encoded(self, x: Any) -> Array:
        """The table as numbers [N, D] float64, as every model takes them."""
        return self.members[0].encoded(x)

    def answer(self, table: Array) -> Array:
        """Predictions for encoded rows [N, D]: [N] in the target's unit, or probabilities [N, classes]."""
        answer, seen = np.float64(0), list[tuple[Any, Array]]()  # scaled once for all models of one scaling
        for model, weight in zip(self.members, self.weights, strict=True):
            x = next((x for scaler, x in seen if same(scaler, model.scaler)), None)
            if x is None:
                x = model.scaled(table)
                seen.append((model.scaler, x))
            answer = answer + weight * model.answer_scaled(x)
        return answer if self.classes is None else tempered(answer, self.calibration.temperature)

    def save(self, folder: str | Path, *, predicts: bool = False) -> None:
        """Write `ensemble.json` and a folder for each model, in the place of an older ensemble.

        predicts: whether `slalom.load` of the run folder around it takes the ensemble or the single model.
        """
        folder = Path(folder)
        fresh = folder.with_name(folder.name + ".tmp")
        shutil.rmtree(fresh, ignore_errors=True)
        for name, model in zip(self.names, self.members, strict=True):
            model.save(fresh / name)
        members = [{"folder": name, "weight": weight} for name, weight in zip(self.names, self.weights, strict=True)]
        about = {"format": FORMAT, "predicts": predicts, **self.calibration._asdict(), "members": members}
        about["conformal"] = to_plain(self.conformal) if self.conformal else None
        (fresh / FILE).write_text(json.dumps(about, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)

    @classmethod
    def load(cls, folder: str | Path) -> "Ensemble":
        """Read an ensemble's folder, or the one of a run folder. Nothing in it is executed.

        Raises SlalomError where it is not there, damaged, or written by a newer Slalom.
        """
        folder = inside(folder)
        about = _about(folder)
        try:
            names = [str(member["folder"]) for member in about["members"]]
            weights = tuple(float(member["weight"]) for member in about["members"])
            calibration = AS_TRAINED
            if about["format"] > 1:
                calibration = Calibration(float(about["temperature"]), float(about["threshold"]))
            if not 0 < calibration.temperature < math.inf:
                raise ValueError(f"the temperature is {calibration.temperature!r}")
            conformal = from_plain(**about["conformal"]) if about.get("conformal") else None
        except (KeyError, TypeError, ValueError) as error:
            raise SlalomError(f"{folder} holds a damaged ensemble: {type(error).__name__}: {error}.") from None
        if any(Path(name).name != name or name == ".." or "\0" in name for name in names):
            raise SlalomError(f"{folder} holds a damaged ensemble: its models must lie in it.")
        return cls(tuple(Model.load(folder / name) for name in names), weights, tuple(names), calibration, conformal)


def same(first: Any, second: Any) -> bool:
    """Whether two scalers scale alike: they are one, or of one kind with the same numbers."""
    if first is second:
        return True
    names = [field.name for field in fields(first)]
    return type(first) is type(second) and all(
        np.array_equal(getattr(first, name), getattr(second, name)) for name in names
    )


def inside(folder: str | Path) -> Path:
    """The folder of the ensemble in a run folder, or the folder itself."""
    folder = Path(folder)
    return folder / "ensemble" if (folder / "ensemble" / FILE).exists() else folder


def predicts(folder: str | Path) -> bool:
    """Whether what predicts is the ensemble in this folder: it is one, or a run's whose gain was shown."""
    found = inside(folder)
    return (found / FILE).exists() and (found == Path(folder) or _about(found).get("predicts") is True)


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SlalomError(f"{folder} must be a run folder or an ensemble's. It has no ensemble in it.") from None
    except (ValueError, OSError, RecursionError) as error:
        raise SlalomError(f"{folder} holds an ensemble that cannot be read: {error}.") from None
    if not isinstance(about, dict) or about.get("format") not in (FORMAT, *OLDER):
        found = about.get("format") if isinstance(about, dict) else None
        raise SlalomError(
            f"{folder} holds an ensemble of format {found!r}. This Slalom reads format {FORMAT} and older ones: a newer"
            " Slalom made it, or it is damaged."
        )
    return about


def mean(parts: list[Array], weights: list[float]) -> Array:
    """Σ wₖ partₖ.

    >>> mean([np.array([1.0, 2.0]), np.array([3.0, 2.0])], [0.25, 0.75]).tolist()
    [2.5, 2.0]
    """
    return np.sum([weight * part for part, weight in zip(parts, weights, strict=True)], axis=0)
