"""What race.toml holds: all that is needed to repeat a race, and what it found, as the next one reads it."""

import platform
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from slalom.errors import SlalomError
from slalom.fields import named
from slalom.heat import Heat
from slalom.metrics import Metric, is_named
from slalom.order import Order
from slalom.recipe import Recipe
from slalom.result import ENSEMBLE, Best, Result
from slalom.table import Table
from slalom.track import Track

KEPT = (
    "seed",
    "task",
    "seconds",
    "recipes",
    "epochs",
    "space",
    "plan",
    "refit",
    "test",
    "baselines",
    "every",
    "memory",
)


def race_settings(order: Order, table: Table, fingerprint: str, track: Track, result: Result) -> dict[str, Any]:
    """race.toml: everything that is needed to repeat the race."""
    best, metric = result.best, result.metric
    return {
        **begun(order, table, fingerprint, metric),
        "plan": {
            "rungs": [{"recipes": rung.recipes, "epochs": rung.epochs} for rung in track.plan.rungs],
            "structures": heat_settings(track.heats),
            "workers": track.executor.workers,
        },
        "best": _best(best, metric),
        ENSEMBLE: result.gain.plain() if result.gain else None,
    }


def begun(order: Order, table: Table, fingerprint: str, metric: Metric) -> dict[str, Any]:
    """What is known of a race when it begins, and all that is needed to begin it again."""
    return {
        "slalom": version("slalom"),
        "data": _data(table, fingerprint),
        "order": {name: getattr(order, name) for name in KEPT}
        | {
            "fixed": named(order.fixed, to_write=True),
            "metric": metric.name,
            "greater_is_better": metric.greater,
            "recipe": order.recipe.to_plain() if order.recipe else None,
            "also": [recipe.to_plain() for recipe in order.also],
        },
        "environment": environment(),
    }


def order_of(settings: dict[str, Any], metric: Any = None) -> Order:
    """The order of a race as its settings hold it. metric: the function that chose, where it was one.

    Raises SlalomError where that has to be given, or a part of a recipe was a Python object.
    """
    try:
        kept = settings["order"]
        if metric is None and not is_named(kept["metric"]):
            raise SlalomError(f"metric must be given: the race was to be chosen by a function, {kept['metric']}.")
        given = {name: kept[name] for name in KEPT if name in kept}
        recipes: dict[str, Any] = {"recipe": Recipe.from_plain(kept["recipe"])} if "recipe" in kept else {}
        also = tuple(Recipe.from_plain(plain) for plain in kept.get("also", ()))
        return Order(**given, **recipes, also=also, fixed=dict(kept.get("fixed", {})), metric=metric or kept["metric"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, SlalomError):
            raise
        raise SlalomError(f"The order of a race must be as Slalom wrote it. It is not: {error!r}.") from None


def _data(table: Table, fingerprint: str) -> dict[str, Any]:
    """Where the rows came from, and what was said of them."""
    return {
        "source": table.source,
        "target": table.target,
        "fingerprint": fingerprint,
        "validation_rows": table.validation,
        "roles": dict(table.named),
        "columns": dict(table.about.kinds),
        "reading": dict(table.about.reading),
        "given": [role for role in table.roles if role not in table.named],
    }


def _best(best: Best, metric: Metric) -> dict[str, Any]:
    """The winner."""
    return {
        "name": best.name,
        "cost": metric.cost_of(best.score),
        "score": best.score,
        "epoch": best.epoch,
        "test": best.test,
        "corrected": list(best.corrected) if best.corrected else None,
        "test_ends": list(best.test_ends) if best.test_ends else None,
        "recipe": best.recipe.to_plain(),
    }


def environment() -> dict[str, Any]:
    """Versions and device, for race.toml."""
    return {
        "python": platform.python_version(),
        "jax": jax.__version__,
        "numpy": np.__version__,
        "device": jax.default_backend(),
    }


def heat_settings(heats: list[Heat]) -> list[dict[str, Any]]:
    """The structures of a race with K, the places of their lanes, for race.toml."""
    return [
        {
            "lane_places": heat.programs.blueprint.width,
            "call_lanes": heat.programs.blueprint.lanes,
            "compile_seconds": round(heat.programs.seconds, 3),
            "batch_size": heat.structure.batch_size,
            "sizes": list(heat.structure.net.sizes),
            "activation": heat.structure.net.activation,
            "normalisation": heat.structure.net.normalisation,
            "placement": heat.structure.net.placement,
            "block": heat.structure.net.block,
            "embedding": heat.structure.net.embedding,
            "embedding_size": heat.structure.net.embedding_size,
            "learned_scale": heat.structure.net.learned_scale,
            "rules": len(heat.rules),
        }
        for heat in heats
        if heat.programs is not None
    ]


def best_again(kept: dict[str, Any], recipe: Recipe) -> Best:
    """The winner of an earlier race as its race.toml holds it."""
    corrected, ends = (tuple(kept[name]) if name in kept else None for name in ("corrected", "test_ends"))
    return Best(
        kept["name"], recipe, kept["score"], kept["epoch"], kept.get("test"), corrected=corrected, test_ends=ends
    )
