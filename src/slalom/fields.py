"""Fields of a recipe as a caller names them, all checked: fixed ones, and a space of his own."""

from collections.abc import Collection
from dataclasses import is_dataclass
from typing import Any

from slalom import rules
from slalom.draws import Choice, Draw, read
from slalom.errors import SlalomError, unknown, wrong
from slalom.nested import SCHEDULES, flattened, lost
from slalom.recipe import CHOICES, RANGES, Recipe
from slalom.record import settings_of, to_plain
from slalom.schedules import Custom

NAMES = [name for name in (*CHOICES, *RANGES, "rule", "schedule") if name != "epochs"]


def named(fixed: dict[str, Any], *, to_write: bool = False) -> dict[str, Any]:
    """Fixed fields with rules and schedules as names and numbers.

    Functions and transformations of Optax stay what they are, unless it is all to be written down.

    >>> from slalom.rules import Momentum
    >>> named({"rule": Momentum(mu=0.8)})
    {'rule': 'momentum', 'rule.mu': 0.8}
    """
    flat: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"rule": rules.REGISTRY, "schedule": SCHEDULES}
    for name, value in fixed.items():
        registry = parts.get(name)
        if registry and not isinstance(value, str):
            if callable(value) and not is_dataclass(value):
                value = Custom(value)
            plain = to_plain(value, registry) if not isinstance(value, dict) else value
            flat |= {name: value} if _has_object(plain) and not to_write else flattened(name, plain)
        else:
            flat[name] = value
    return flat


def _has_object(plain: dict[str, Any]) -> bool:
    """Whether plain data holds but the name of a Python object."""
    return any(
        key in ("function", "unwritten") or (isinstance(value, dict) and _has_object(value))
        for key, value in plain.items()
    )


def check_fields(fixed: dict[str, Any]) -> None:
    """Raise SlalomError where a name is not a recipe's field (the values are checked by the recipe)."""
    for name in fixed:
        if name == "epochs":
            raise SlalomError(
                "epochs is not a field to fix: it is the horizon of all recipes. Give recipes and epochs."
            )
        if name.partition(".")[0] not in NAMES:
            raise unknown("recipe field", name, NAMES)
        head, dot, _ = name.partition(".")
        if dot and head not in fixed:
            raise SlalomError(f"{name} must be given beside {head}, as only some have it. Add {head}=NAME.")
    made = Recipe().with_fields(fixed)
    for part in (made.rule, made.schedule):
        if gone := lost(part):
            gone()


def drawn_by(given: dict[str, Any], usual: dict[str, Draw]) -> dict[str, Draw]:
    """The draws of a caller's own space, each checked; `usual`: those that fields have otherwise.

    given: for each field a value, a list of values, a table of values with weights, or a table with `low` and `high`
    (`slalom.draws.read`); under `forbid` a table of fields with values that are never drawn. Settings of rules and
    schedules are named `rule.beta2`: the draw holds for those that have it.

    Raises SlalomError for an unknown field, and for a value that no recipe can have.

    >>> drawn_by({"depth": [2, 3], "forbid": {"rule": "sgd"}}, {"rule": Choice(("adam", "sgd"), (3.0, 1.0))})
    {'depth': Choice(values=(2, 3), weights=(1.0, 1.0)), 'rule': Choice(values=('adam',), weights=(3.0,))}
    """
    forbidden = given.get("forbid", {})
    if not isinstance(forbidden, dict):
        raise wrong("space: forbid", "a table of fields, each with the values that are not drawn", forbidden)
    found: dict[str, Draw] = {}
    for name, plain in given.items():
        if name != "forbid":
            _check_name(name)
            whole = RANGES.get(name, (float, ""))[0] is int
            found[name] = read(name, plain, usual.get(name), whole=whole)
            _check_values(name, found[name])
    for name, values in forbidden.items():
        _check_name(name)
        left, values = found.get(name, usual.get(name)), values if isinstance(values, (list, tuple)) else [values]
        if not isinstance(left, Choice):
            raise SlalomError(
                f"space: forbid takes fields that are chosen from a list. {name} is none: say in the space what it is"
                " drawn from."
            )
        _check_values(name, Choice.of(dict.fromkeys(values, 1.0)))
        found[name] = left.without(values, name)
    return found


def _check_name(name: str) -> None:
    if name == "epochs":
        raise SlalomError(
            "space: epochs is no field to draw: it is the horizon of all recipes. Give recipes and epochs."
        )
    if name.partition(".")[0] not in NAMES:
        raise unknown("space: field", name, [*NAMES, "forbid"])


def _check_values(name: str, draw: Draw) -> None:
    """SlalomError for a value that no recipe can have; settings are checked with each rule that has them."""
    values: Collection[Any] = draw.values if isinstance(draw, Choice) else (draw.low, draw.high, *[0] * bool(draw.zero))
    head, dot, setting = name.partition(".")
    owners = {"rule": rules.REGISTRY, "schedule": SCHEDULES}.get(head, {}) if dot else {}
    holders = [key for key, cls in owners.items() if setting in settings_of(cls)]
    if dot and not holders:
        raise unknown(
            f"space: setting of a {head}", setting, sorted({s for cls in owners.values() for s in settings_of(cls)})
        )
    for value in values:
        for holder in holders or [""]:
            fields = {head: holder, name: value} if holder else {name: value}
            try:
                Recipe().with_fields(fields)
            except SlalomError as error:
                raise SlalomError(f"space: {name} holds what no recipe can have. {error}") from None
