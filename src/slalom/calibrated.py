"""The winner's model with what is fitted on choosing rows: temperature, threshold, intervals."""

from dataclasses import replace

import numpy as np

from slalom.calibration import MOST_ROWS, calibrate
from slalom.conformal import Conformal
from slalom.crew import Crew
from slalom.entry import Entry
from slalom.losses import predictions
from slalom.metrics import Metric
from slalom.model import Model
from slalom.racer import Moment, Racer
from slalom.types import Array


def calibrated(model: Model, entry: Entry, metric: Metric, *, longer: bool = False) -> Model:
    """The model with what the choosing rows say of its predictions: how far they are off (`slalom.conformal`), of
    classes the temperature and, where the metric looks at decisions between two, the threshold that fit; those of all
    folds together, none of which was trained on.

    longer: the model is none of the racers but was trained on all folds, up to the step that was best on average.
    """
    scored = on_choosing_rows(entry, longer=longer)
    y = np.concatenate([labels for _, _, labels in scored]) if scored else np.zeros(0)
    if not len(y):
        return model
    if model.target.task == "classification":
        outputs = np.concatenate([outputs for _, outputs, _ in scored], axis=1)
        logits = np.concatenate([0 * outputs, outputs]) if len(outputs) == 1 else outputs
        hot, cut = calibrate(logits, y, metric.counted, entry.heat.seed)
        model = replace(model, temperature=hot, threshold=cut)
    answers = []
    for racer, outputs, _ in scored:
        unit = entry.heat.prepared.unit(entry.recipe.unit, racer.fold)
        answers.append(predictions(model.loss, outputs, unit.inverse if unit else None, model.temperature))
    return replace(model, conformal=Conformal.of(y, np.concatenate(answers)))


def on_choosing_rows(entry: Entry, *, longer: bool) -> list[tuple[Racer, Array, Array]]:
    """(racer, outputs [C, M], labels [M]) of an entry's single networks on the choosing rows of their folds; of many
    rows every so manieth."""
    prepared, net, found = entry.heat.prepared, entry.heat.structure.net, []
    for racer in entry.chosen:
        rows = prepared.folds[racer.fold].choose
        rows = rows[:: max(1, -(-len(rows) * len(entry.chosen) // MOST_ROWS))]
        if not len(rows):
            continue
        moment = _near_the_common_step(entry, racer) if longer else racer.best
        assert moment is not None
        x = prepared.as_raced(entry.recipe.scaling, racer.fold, rows)
        outputs = net.predict(moment.weights, moment.memory, x).astype(np.float64)
        found.append((racer, outputs, prepared.labels[rows]))
    return found


def _near_the_common_step(entry: Entry, racer: Racer) -> Moment:
    """Of the two moments that are kept of a racer, its best and its last, the one nearer to the step that was best on
    average: a net becomes surer with every epoch, and by a metric of decisions the best moment of a single fold may lie
    anywhere."""
    entry.heat.ready(racer)
    best, step = racer.best, entry.best[1]
    assert best is not None
    if racer.diverged or racer.state is None or abs(racer.step - step) >= abs(best.step - step):
        return best
    return Crew(entry.heat, [racer]).moment()
