"""Rules inside rules, as records and as plain data: which of them decays, what was lost, and a flat row of it all."""

from dataclasses import is_dataclass, replace
from typing import Any

from slalom import rules, schedules
from slalom.record import Unwritten, parts_of, settings_of, to_plain
from slalom.schedules import Custom

SCHEDULES: dict[str, type] = {**schedules.REGISTRY, "custom": Custom}


def decaying(rule: Any) -> Any:
    """The rule that decays the weights itself: this one, or one inside it; None where there is none."""
    if "weight_decay" in settings_of(rule):
        return rule
    return next((found for name in parts_of(rule) if (found := decaying(getattr(rule, name)))), None)


def with_decay(rule: Any, weight_decay: float) -> Any:
    """The rule with another decay, wherever in it that stands."""
    if decaying(rule) is None:
        return rule
    if "weight_decay" in settings_of(rule):
        return replace(rule, weight_decay=weight_decay)
    inside = {name: getattr(rule, name) for name in parts_of(rule)}
    return replace(rule, **{name: with_decay(one, weight_decay) for name, one in inside.items()})


def forget_decay(rule: Any, plain: dict[str, Any]) -> None:
    """Take the weight decay that `decaying` finds out of a rule as plain data."""
    if "weight_decay" in settings_of(rule):
        del plain["weight_decay"]
    else:
        for name in parts_of(rule):
            forget_decay(getattr(rule, name), plain[name])


def as_table(table: dict[str, Any], name: str) -> dict[str, Any]:
    """What stands under a name as plain data; the default where a rule that wraps another says nothing of it."""
    registry: dict[str, Any] = SCHEDULES if name == "schedule" else rules.REGISTRY
    inner, outer = table.get(name), registry.get(str(table.get("name")))
    if inner is None and outer and name in parts_of(outer):
        inner = getattr(outer(), name)
    if isinstance(inner, str):
        return {"name": inner}
    return inner if isinstance(inner, dict) else {} if inner is None else to_plain(inner, registry)


def lost(part: Any) -> Unwritten | None:
    """What stands in a rule or a schedule for a Python object of which only the name was kept; None for nothing."""
    inside = [getattr(part, name, None) for name in ("function", "optimiser", *parts_of(part))]
    found = [one if isinstance(one, Unwritten) else lost(one) for one in inside if is_dataclass(one)]
    return next(filter(None, found), None)


def flattened(name: str, plain: dict[str, Any]) -> dict[str, Any]:
    """A table as one flat row: its name under the field's own, everything else behind a point."""
    row = {name: plain.get("name")}
    for key, value in plain.items():
        if key != "name":
            plain_value = ", ".join(map(str, value)) if isinstance(value, list) else value
            row |= flattened(f"{name}.{key}", value) if isinstance(value, dict) else {f"{name}.{key}": plain_value}
    return row
