"""The trained model: predicts from raw tables in NumPy alone, and lives in a folder of safetensors and JSON."""

import hashlib
import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from slalom import scaling
from slalom.conformal import Conformal, from_plain, to_plain
from slalom.data import Columns, Target, frame_of
from slalom.errors import SlalomError
from slalom.folder import write
from slalom.losses import LOSSES, predictions
from slalom.metrics import decided
from slalom.net import Net
from slalom.recipe import Recipe
from slalom.types import Array, Tree
from slalom.unit import Unit, ends_of

FORMAT = 6  # of the model folder; a newer one is refused
FARTHEST = 1e18  # of a scaled cell, as in training: its square stays finite
# That are still read: 2 knew no temperature and no threshold, 3 no codes, 4 no intervals, 5 no cycles and no free text.
OLDER = (2, 3, 4, 5)


@dataclass(frozen=True, repr=False)
class Model:
    """A trained net with everything that stands around it: encoding of the columns, scaling, and the target's unit
    (None for classes).

    temperature: T > 0, which the logits of classes are divided by. threshold: of two classes the second is predicted
    where its probability is above it. Both are those of `slalom.calibration`. conformal: how far predictions were off
    on choosing rows; None of a model that had none.
    """

    recipe: Recipe
    columns: Columns
    target: Target
    scaler: Any
    net: Net
    weights: Tree
    memory: Tree
    loss: str
    unit: Unit | None
    temperature: float = 1.0
    threshold: float = 0.5
    conformal: Conformal | None = None

    def __repr__(self) -> str:
        sizes = " x ".join(map(str, self.net.sizes))
        return f"Model({self.target.task} of {self.target.name!r}, {sizes}, {self.net.parameters:,} parameters)"

    def predict(self, x: Any) -> Array:
        """Predictions [N] for a table (file frame, data frame or array): values in the target's unit, or class labels.

        Columns are found by name; a missing one raises SlalomError, others are ignored.
        """
        answer = self._answer(self.encoded(x))
        return self.target.decode(decided(answer, self.threshold)) if self.target.task == "classification" else answer

    def predict_proba(self, x: Any) -> Array:
        """Probabilities [N, classes], float64, columns in the order of `classes`; SlalomError for a regression."""
        if self.target.task != "classification":
            raise SlalomError(
                "predict_proba is for classification. This model was trained for regression: use predict."
            )
        return self._answer(self.encoded(x))

    def predict_interval(self, x: Any, level: float = 0.9) -> tuple[Array, Array]:
        """(low, high) [N] for a table: intervals that hold the value of a row of the same kind with this probability.

        Of all rows together, not of rows of each kind: the width is the same for all. level: 0.50, 0.51, …, 0.99.
        Raises SlalomError for classes, and where the model has no intervals. Source: `slalom.conformal`.
        """
        found = held(self.conformal, self.target, "regression", "predict_interval", "predict_set")
        return found.interval(self._answer(self.encoded(x)), level)

    def predict_set(self, x: Any, level: float = 0.9) -> Array:
        """Which classes are in the set of each row [N, classes], bool, columns in the order of `classes`: sets that
        hold the class of a row of the same kind with this probability.

        Raises SlalomError for a regression, and where the model has no sets. Source: `slalom.conformal`.
        """
        found = held(self.conformal, self.target, "classification", "predict_set", "predict_interval")
        return found.sets(self._answer(self.encoded(x)), level)

    @property
    def classes(self) -> Array | None:
        """The labels, in the order of the columns of predict_proba; None for a regression."""
        return self.target.classes if self.target.task == "classification" else None

    def encoded(self, x: Any) -> Array:
        """The table as numbers [N, D] float64, as the net's first layer gets them before scaling."""
        return self.columns(frame_of(x, as_text=self.columns.text_names).frame)

    def answer(self, table: Array) -> Array:
        """Predictions for encoded rows [N, D]: [N] in the target's unit, or probabilities [N, classes]."""
        return self._answer(table)

    def scaled(self, table: Array) -> Array:
        """Encoded rows [N, D] as the net's first layer takes them, float32."""
        with np.errstate(over="ignore", invalid="ignore"):
            x = np.asarray(np.clip(self.scaler(table), -FARTHEST, FARTHEST), np.float32)
        x[:, self.net.plain :] = table[:, self.net.plain :]  # codes
        return x

    def answer_scaled(self, x: Array) -> Array:
        """Predictions, as `answer`, for rows that `scaled` made."""
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self.net.predict(self.weights, self.memory, x)
        return predictions(self.loss, outputs, self.unit.inverse if self.unit else None, self.temperature)

    def _answer(self, table: Array) -> Array:
        return self.answer_scaled(self.scaled(table))

    def save(self, folder: str | Path) -> None:
        """Write `model.json` and `weights.safetensors` into a folder (made if it is not there)."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        about, arrays = self.parts()
        arrays = {name: np.asarray(value, order="C") for name, value in arrays.items()}
        data = safetensors.numpy.save(arrays)
        about["digest"] = _digest(data)  # of the weights: the two files belong together
        write(folder / "weights.safetensors", data)
        write(folder / "model.json", json.dumps(about, indent=1, allow_nan=False).encode())

    def parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """All that a model is: (plain data, as JSON has it; its arrays by name)."""
        arrays: dict[str, Array] = {}
        scaler = _scaler_to_plain("scaler", self.scaler, arrays)
        unit = None
        if self.unit:
            inside = _scaler_to_plain("unit", self.unit.scaler, arrays)
            ends = {name: getattr(self.unit, name) for name in ("mean", "variance", "low", "high")}
            unit = {"scaler": inside} | {name: end if math.isfinite(end) else None for name, end in ends.items()}
        for i, layer in enumerate(self.weights):
            arrays |= {f"layer.{i}.{name}": value for name, value in layer.items()}
        for i, memory in enumerate(self.memory):
            if memory:
                arrays |= {f"memory.{i}.{name}": value for name, value in memory._asdict().items()}
        about = {
            "format": FORMAT,
            "recipe": self.recipe.to_plain(),
            "columns": self.columns.to_plain(),
            "target": self.target.to_plain(),
            "scaler": scaler,
            "unit": unit,
            "net": {field.name: getattr(self.net, field.name) for field in fields(self.net)},
            "loss": self.loss,
            "temperature": self.temperature,
            "threshold": self.threshold,
            "conformal": to_plain(self.conformal) if self.conformal else None,
        }
        return about, arrays

    @classmethod
    def load(cls, folder: str | Path) -> "Model":
        """Read a model folder, or a run folder that has one. Nothing in it is executed.

        Raises SlalomError where it is not there, damaged, or written by a newer Slalom.
        """
        folder = Path(folder)
        folder = folder / "model" if (folder / "model" / "model.json").exists() else folder
        try:
            about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            data = (folder / "weights.safetensors").read_bytes()
            arrays = safetensors.numpy.load(data)
        except FileNotFoundError:
            raise SlalomError(f"{folder} must be a run folder or a model folder. It has no model in it.") from None
        except (ValueError, OSError, RecursionError, safetensors.SafetensorError) as error:
            raise SlalomError(f"{folder} holds a model that cannot be read: {error}.") from None
        if not isinstance(about, dict):
            raise SlalomError(f"{folder} holds a damaged model: model.json must be one object.")
        if about.get("digest", _digest(data) if about.get("format") in OLDER else "") != _digest(data):
            raise SlalomError(f"{folder} holds a damaged model: weights.safetensors is not the file that was saved.")
        if about.get("format") not in (*OLDER, FORMAT):
            known = ", ".join(map(str, OLDER)) + f" and {FORMAT}"
            raise SlalomError(
                f"{folder} holds a model of format {about.get('format')}. This Slalom reads formats {known}: take that"
                " which wrote it."
            )
        if about["format"] == 2:
            about |= {"temperature": 1.0, "threshold": 0.5}
        return cls._from_parts(folder, about, arrays)

    @classmethod
    def _from_parts(cls, folder: Path, about: dict[str, Any], arrays: dict[str, Array]) -> "Model":
        try:
            net = _net(about["net"], arrays)
            columns = Columns.from_plain(about["columns"])
            if columns.width != net.inputs or columns.categories != net.categories:
                raise ValueError(f"{columns.width} columns for a net that takes {net.inputs}")
            scaler = _scaler_from_plain("scaler", about["scaler"], arrays, net.inputs)
            if about["loss"] not in tuple(LOSSES):
                raise ValueError(f"the loss is {about['loss']!r:.60}")
            unit = about["unit"]
            if unit is not None:
                unit = Unit(_scaler_from_plain("unit", unit["scaler"], arrays, 1), **ends_of(unit))
            rng = np.random.default_rng(0)
            shape, carried = net.init(rng)
            weights = tuple(
                {name: _like(arrays[f"layer.{i}.{name}"], w) for name, w in layer.items()}
                for i, layer in enumerate(shape)
            )
            memory = tuple(
                type(one)(*[_like(arrays[f"memory.{i}.{n}"], m) for n, m in zip(one._fields, one, strict=True)])
                if one
                else ()
                for i, one in enumerate(carried)
            )
            return cls(
                recipe=Recipe.from_plain(about["recipe"]),
                columns=columns,
                target=Target.from_plain(about["target"]),
                scaler=scaler,
                net=net,
                weights=weights,
                memory=memory,
                loss=about["loss"],
                unit=unit,
                temperature=_positive(about["temperature"]),
                threshold=float(about["threshold"]),
                conformal=from_plain(**about["conformal"]) if about.get("conformal") else None,
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SlalomError(f"{folder} holds a damaged model: {type(error).__name__}: {error}.") from None


def held(found: Conformal | None, target: Target, task: str, door: str, other: str) -> Conformal:
    """What intervals and sets are made from; SlalomError where a model of this target has none, or the other door."""
    if target.task != task:
        raise SlalomError(f"{door} is for {task}. This model was trained for {target.task}: use {other}.")
    if found is None:
        raise SlalomError(f"{door} needs rows that chose the model: it had none. slalom.race keeps some.")
    return found


def _scaler_to_plain(prefix: str, scaler: Any, arrays: dict[str, Array]) -> dict[str, Any]:
    """A scaler as its name and its numbers; its arrays go among the others under the prefix."""
    kinds = {cls: name for name, cls in scaling.REGISTRY.items()}
    plain: dict[str, Any] = {"name": kinds[type(scaler)]}
    for field in fields(scaler):
        value = np.asarray(getattr(scaler, field.name))
        if value.ndim:
            arrays[f"{prefix}.{field.name}"] = value
        else:
            plain[field.name] = value.item()
    return plain


def _scaler_from_plain(prefix: str, plain: dict[str, Any], arrays: dict[str, Array], columns: int) -> Any:
    """A scaler from what `_scaler_to_plain` wrote."""
    settings = dict(plain)
    kind = scaling.REGISTRY[settings.pop("name")]
    vectors = {name.partition(".")[2]: value for name, value in arrays.items() if name.partition(".")[0] == prefix}
    scaler = kind(**settings, **vectors)
    scaler(np.zeros((1, columns)))  # refuses another number of columns
    return scaler


def _net(told: dict[str, Any], arrays: dict[str, Array]) -> Net:
    """A net from plain data, no larger than the arrays that are to fill it: nothing is made for one that is."""
    numbers = sum(array.size for array in arrays.values())
    sizes = [told.get(name, 0) for name in ("inputs", "outputs", "depth", "width", "embedding_size", "embedded")]
    for size in (*sizes, *told.get("categories", ())):
        if not isinstance(size, int) or isinstance(size, bool) or not -1 <= size <= numbers:
            raise ValueError(f"a net of {size!r} of something, and {numbers} numbers for it")
    if told["depth"] > len(arrays) or not isinstance(told.get("learned_scale", False), bool):
        raise ValueError(f"a net of {told['depth']} layers, and {len(arrays)} arrays for them")
    net = Net(**told)
    if net.parameters > numbers:
        raise ValueError(f"a net of {net.parameters} numbers, and {numbers} for it")
    return net


def _positive(number: Any) -> float:
    """A number above 0, as a temperature must be."""
    if not (isinstance(number, (int, float)) and 0 < number < math.inf):
        raise ValueError(f"the temperature is {number!r}")
    return float(number)


def _like(value: Array, expected: Array) -> Array:
    if value.shape != expected.shape or value.dtype != expected.dtype:
        raise ValueError(f"an array is {value.dtype}{value.shape}, its net wants {expected.dtype}{expected.shape}")
    return value


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
