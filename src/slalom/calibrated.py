"""The winner's model with a temperature and a threshold, fitted on the choosing rows that its racers were scored on."""

from dataclasses import replace

import numpy as np

from slalom.calibration import MOST_ROWS, calibrate
from slalom.crew import Crew
from slalom.entry import Entry
from slalom.metrics import Metric
from slalom.model import Model
from slalom.racer import Moment, Racer
from slalom.types import Array


def calibrated(model: Model, entry: Entry, metric: Metric, *, longer: bool = False) -> Model:
    """The model with the temperature and, where the metric looks at decisions between two classes, the threshold that
    fit what the racers predict for choosing rows; those of all folds together, none of which was trained on. A
    regression's model stays as it is.

    longer: the model is none of the racers but was trained on all folds, up to the step that was best on average.
    """
    if model.target.task != "classification":
        return model
    outputs, y = on_choosing_rows(entry, longer=longer)
    if not len(y):
        return model
    logits = np.concatenate([0 * outputs, outputs]) if len(outputs) == 1 else outputs
    hot, cut = calibrate(logits, y, metric.counted, entry.heat.seed)
    return replace(model, temperature=hot, threshold=cut)


def on_choosing_rows(entry: Entry, *, longer: bool) -> tuple[Array, Array]:
    """(outputs [C, M], labels [M]) of an entry's single networks on the choosing rows of their folds; of many rows
    every so manieth."""
    prepared, net = entry.heat.prepared, entry.heat.structure.net
    outputs, labels = [np.zeros((net.outputs, 0))], [np.zeros(0)]
    for racer in entry.chosen:
        rows = prepared.folds[racer.fold].choose
        rows = rows[:: max(1, -(-len(rows) * len(entry.chosen) // MOST_ROWS))]
        if not len(rows):
            continue
        moment = _near_the_common_step(entry, racer) if longer else racer.best
        assert moment is not None
        x = prepared.as_raced(entry.recipe.scaling, racer.fold, rows)
        outputs.append(net.predict(moment.weights, moment.memory, x).astype(np.float64))
        labels.append(prepared.labels[rows])
    return np.concatenate(outputs, axis=1), np.concatenate(labels)


def _near_the_common_step(entry: Entry, racer: Racer) -> Moment:
    """Of the two moments that are kept of a racer, its best and its last, the one nearer to the step that was best on
    average: a net becomes surer with every epoch, and by a metric of decisions the best moment of a single fold may lie
    anywhere."""
    best, step = racer.best, entry.best[1]
    assert best is not None
    if racer.diverged or racer.state is None or abs(racer.step - step) >= abs(best.step - step):
        return best
    return Crew(entry.heat, [racer]).moment()
