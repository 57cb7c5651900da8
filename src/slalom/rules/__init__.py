"""The update rules: one algorithm a file, one line a rule in the registry."""

from slalom.rules.adam import Adam
from slalom.rules.base import Rule

REGISTRY: dict[str, type[Rule]] = {
    "adam": Adam,
}

__all__ = ["REGISTRY", "Adam", "Rule"]
