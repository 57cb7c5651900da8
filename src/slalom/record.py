"""Records: frozen dataclasses whose fields are settings, validated when a person builds them, never inside a trace."""

import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, dataclass_transform

import jax
import numpy as np

from slalom.errors import SlalomError, unknown, wrong

T = TypeVar("T")


def setting(
    default: float,
    interval: str,
    meaning: str,
    *,
    keeps: bool = False,
    length: bool = False,
    search: tuple[float, ...] = (),
) -> Any:
    """Declare one numeric field of a record.

    interval: the values allowed, in the usual signs: `[0, 1)`, `(0, inf)`.
    meaning: half a sentence for the tables in the documentation.
    keeps: the number says how much of the past an average keeps (a beta). Host code hands `1 - beta` to a
        program, because the small number is the one whose digits matter (see `slalom.rules.base.forgetting`).
    length: the number is a length of time: a fraction of the horizon below 1, steps otherwise.
    search: the values that a race draws from; () where the default is good enough for every data set.
    """
    about = {"interval": interval, "meaning": meaning, "keeps": keeps, "length": length, "search": search}
    return dataclasses.field(default=default, metadata={**about, "kind": "setting"})


def numbers(
    default: tuple[float, ...], interval: str, meaning: str, *, increasing: bool = False, length: bool = False
) -> Any:
    """Declare a field that holds several numbers, kept as a tuple: the milestones of a schedule, say.

    interval: the values that each of them may have. increasing: each must be greater than the one before it.
    length: they are lengths of time, all of them fractions of the horizon (below 1) or all of them steps.
    A record takes a list, a tuple or a text like "0.5, 0.75"; as plain data it is a list.
    """
    about = {"interval": interval, "meaning": meaning, "increasing": increasing, "length": length}
    return dataclasses.field(default=default, metadata={**about, "kind": "numbers"})


def part(default: Callable[[], Any], meaning: str) -> Any:
    """Declare a field that holds another record of the same registry: the rule inside a rule, say.

    default: makes the record that stands there unless another is given.
    """
    return dataclasses.field(default_factory=default, metadata={"meaning": meaning, "kind": "part"})


def within(value: float, interval: str) -> bool:
    """Whether a number lies in an interval written as text.

    >>> within(1.0, "[0, 1)"), within(0.0, "[0, 1)"), within(float("nan"), "[0, inf)")
    (False, True, False)
    """
    match = re.fullmatch(r"([\[(])\s*(\S+)\s*,\s*(\S+)\s*([\])])", interval)
    if match is None:
        raise wrong("interval", "like '[0, 1)'", interval)
    low, high = float(match[2]), float(match[3])
    if math.isnan(value) or math.isinf(value):
        return False
    return (low <= value if match[1] == "[" else low < value) and (value <= high if match[4] == "]" else value < high)


def _validate(self: Any) -> None:
    """Check every setting that is a plain number, and every sequence of them; numbers of a program pass unseen.

    A record whose fields must agree with each other says so in a method `agree`, which is called last.
    """
    for field in dataclasses.fields(self):
        value, interval = getattr(self, field.name), field.metadata.get("interval")
        where = f"{type(self).__name__}({field.name}=…)"
        if field.metadata.get("kind") == "numbers":
            object.__setattr__(self, field.name, _sequence(where, value, field.metadata))
            continue
        if field.metadata.get("kind") == "part":
            _check_part(where, value, field.default_factory)
            continue
        if isinstance(value, np.generic):
            value = value.item()
            object.__setattr__(self, field.name, value)
        if interval is None or not isinstance(value, (int, float, str, bool, type(None))):
            continue
        if isinstance(value, (str, bool)) or value is None:
            raise wrong(where, f"a number in {interval}", value)
        if not within(value, interval):
            raise wrong(where, f"in {interval}", value)
    if hasattr(self, "agree"):
        self.agree()


def _check_part(where: str, value: Any, default: Any) -> None:
    """Refuse what cannot do what the default does: a name, a class, a record of another room."""
    verbs = [verb for verb in ("init", "step") if hasattr(default, verb)]
    if isinstance(value, type) or not all(hasattr(value, verb) for verb in verbs):
        raise wrong(where, f"made as {default.__name__}() is", value)


def _sequence(where: str, value: Any, about: Mapping[str, Any]) -> tuple[float, ...]:
    """A sequence of numbers as a tuple, or the sentence that says what the field wants."""
    wanted = f"a list of numbers in {about['interval']}"
    wanted += ", each greater than the one before it" if about["increasing"] else ""
    found = tuple(value) if isinstance(value, (list, tuple, np.ndarray)) else _listed(value)
    found = tuple(v.item() if isinstance(v, np.generic) else v for v in found)
    if any(isinstance(v, bool) or not isinstance(v, (int, float)) or not within(v, about["interval"]) for v in found):
        raise wrong(where, wanted, value)
    if about["increasing"] and any(later <= earlier for earlier, later in itertools.pairwise(found)):
        raise wrong(where, wanted, value)
    if about["length"] and len({v < 1 for v in found}) > 1:
        raise wrong(where, "all fractions of the horizon (below 1) or all steps", value)
    return found


def _listed(text: Any) -> tuple[float, ...]:
    """The numbers of a text like "0.5, 0.75", as a table's cell or a command line has them; of anything else a NaN."""
    try:
        return tuple(float(number) for number in text.split(","))
    except (AttributeError, ValueError):
        return (math.nan,)


def in_steps(length: float, horizon: int) -> float:
    """A length of time in steps: a fraction of the horizon where it is below 1, steps otherwise.

    Rounded to 12 digits, so that 0.1 of 70 steps is 7 of them and not 7.000000000000001, one too late.

    >>> in_steps(0.25, 200), in_steps(0.1, 70), in_steps(50, 200)
    (50.0, 7.0, 50)
    """
    return float(f"{length * max(horizon, 1):.12g}") if length < 1 else length


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass, a JAX pytree (its fields are the leaves), validated when built by a person.

    >>> from slalom.rules import Adam
    >>> Adam(beta1=0.8).beta1
    0.8
    """
    if "__post_init__" not in cls.__dict__:
        cls.__post_init__ = _validate  # type: ignore[attr-defined]
    made = dataclasses.dataclass(frozen=True)(cls)
    names = [f.name for f in dataclasses.fields(made)]  # type: ignore[arg-type]

    def rebuild(_: None, leaves: Any) -> T:
        fresh = object.__new__(made)  # not __init__: inside a trace nothing is validated and nothing raises
        for name, leaf in zip(names, leaves, strict=True):
            object.__setattr__(fresh, name, leaf)
        return fresh

    jax.tree_util.register_pytree_node(made, lambda r: ([getattr(r, n) for n in names], None), rebuild)
    return made


@dataclasses.dataclass(frozen=True)
class Unwritten:
    """Stands for a Python object of which only the name could be written down; it cannot be used.

    >>> Unwritten("my_schedule")(3)
    Traceback (most recent call last):
    ...
    slalom.errors.SlalomError: my_schedule was a Python object, of which only the name was kept. Give it anew.
    """

    name: str

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise SlalomError(f"{self.name} was a Python object, of which only the name was kept. Give it anew.")

    @classmethod
    def of(cls, thing: Any) -> str:
        """The name that is written down for an object."""
        return thing.name if isinstance(thing, cls) else getattr(thing, "__qualname__", type(thing).__qualname__)


def settings_of(cls: Any) -> dict[str, dict[str, Any]]:
    """The settings of a record class or record: name -> {default, interval, meaning, keeps, length, search}.

    >>> from slalom.rules import Adam
    >>> settings_of(Adam)["beta1"]["interval"]
    '[0, 1)'
    """
    return {
        f.name: {"default": f.default, **{k: v for k, v in f.metadata.items() if k != "kind"}}
        for f in dataclasses.fields(cls)
        if f.metadata.get("kind") == "setting"
    }


def numbers_of(cls: Any) -> dict[str, dict[str, Any]]:
    """The fields of a record class or record that hold several numbers: name -> {default, interval, meaning, …}.

    >>> from slalom.schedules import MultiStep
    >>> numbers_of(MultiStep)["milestones"]["default"]
    (0.5, 0.75)
    """
    return {
        f.name: {"default": f.default, **{k: v for k, v in f.metadata.items() if k != "kind"}}
        for f in dataclasses.fields(cls)
        if f.metadata.get("kind") == "numbers"
    }


def parts_of(cls: Any) -> tuple[str, ...]:
    """The fields of a record class or record that hold other records."""
    return tuple(f.name for f in dataclasses.fields(cls) if f.metadata.get("kind") == "part")


def to_plain(one: Any, registry: dict[str, Any]) -> dict[str, Any]:
    """A registered record as plain data: its registry name and its settings, or what its own `to_plain` says.

    >>> from slalom import rules
    >>> to_plain(rules.Momentum(mu=0.8), rules.REGISTRY)
    {'name': 'momentum', 'mu': 0.8}
    """
    for name, cls in registry.items():
        if type(one) is cls:
            if hasattr(cls, "to_plain"):
                return {"name": name, **one.to_plain()}
            inside = {f: to_plain(getattr(one, f), registry) for f in parts_of(cls)}
            several = {f: list(getattr(one, f)) for f in numbers_of(cls)}
            return {"name": name, **{f: getattr(one, f) for f in settings_of(cls)}, **several, **inside}
    raise SlalomError(f"{type(one).__name__} is not registered: it has no name to be written under.")


def from_plain(kind: str, plain: Any, registry: dict[str, type]) -> Any:
    """A record from its name, from `{"name": …, settings}`, or the record itself.

    A class whose settings are not those of its fields has a class method `from_plain`, which gets them all.

    >>> from slalom import rules
    >>> from_plain("rule", {"name": "momentum", "mu": 0.8}, rules.REGISTRY)
    Momentum(mu=0.8)
    """
    if isinstance(plain, tuple(registry.values())):
        return plain
    if isinstance(plain, type) and plain in registry.values():
        raise wrong(kind, f"made: {plain.__name__}()", plain)
    data = {"name": plain} if isinstance(plain, str) else plain
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise wrong(kind, "a name or a table with a name", plain)
    name, given = data["name"], {k: v for k, v in data.items() if k != "name"}
    if name not in registry:
        raise unknown(kind, name, registry)
    if hasattr(registry[name], "from_plain"):
        return registry[name].from_plain(given)  # type: ignore[attr-defined]
    inside = parts_of(registry[name])
    allowed = (*settings_of(registry[name]), *numbers_of(registry[name]), *inside)
    for key in given:
        if not allowed:
            raise SlalomError(f"{kind} {name} has no settings. Got {key!r}.")
        if key not in allowed:
            raise unknown(f"setting of {kind} {name}", key, allowed)
    return registry[name](**given | {f: from_plain(kind, given[f], registry) for f in inside if f in given})
