"""Outline: what a race would run, for `--dry-run`: rows, rungs, structures, memory and time, as plain data."""

from typing import Any

from slalom.budget import BYTES_A_PARAMETER
from slalom.finish import about_wave
from slalom.metrics import Metric
from slalom.order import Order
from slalom.prepare import Prepared
from slalom.track import Track


def outline(order: Order, prepared: Prepared, metric: Metric, track: Track, notes: list[str]) -> dict[str, Any]:
    """What would run, of a race that stands at its start."""
    plan, folds = track.plan, len(prepared.folds)
    state = sum(entry.heat.structure.net.parameters for entry in track.entries) * BYTES_A_PARAMETER * folds
    held = prepared.x.nbytes + prepared.y.nbytes
    work = plan.recipe_epochs() * sum(entry.epoch_cost for entry in track.entries) / len(track.entries)
    return {
        **about_wave(track, prepared, 0.0),
        "metric": metric.name,
        "recipes": plan.recipes,
        "epochs": plan.epochs,
        "structures": [[*heat.structure.net.sizes, heat.structure.batch_size] for heat in track.heats],
        "memory_bytes": held + state,
        "training_seconds": round(work / track.executor.workers, 1),
        "limit_seconds": order.seconds,
        "notes": notes,
    }
