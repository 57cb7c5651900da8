"""The contestant scikit-learn: its MLPClassifier with Adam, nets one after the other."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from slalom.bench.cases import RATE, Case, made_data

LOOKED_AT = 4096
Answer = tuple[Callable[[], dict[str, Any]], dict[str, Any]]


def scikit_learn(case: Case) -> Answer:
    """MLPClassifier with Adam, racers one after the other; whole epochs, as it has no other."""
    x, y = made_data(case)
    x, per_epoch = (x - x.mean(0)) / x.std(0), max(1, -(-case.rows // case.batch))
    epochs = max(1, round(case.steps / per_epoch))
    shape = (case.fields["width"],) * case.fields["depth"]

    def train(seed: int, epochs: int) -> Any:
        net = MLPClassifier(
            shape, batch_size=case.batch, learning_rate_init=RATE, alpha=0.0, max_iter=epochs, tol=0.0,
            n_iter_no_change=10**6, random_state=seed,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it did not converge: that is not asked for
            return net.fit(x, y)

    train(0, 1)

    def run() -> dict[str, Any]:
        start = time.perf_counter()
        nets = [train(seed, epochs) for seed in range(case.racers)]
        seconds = time.perf_counter() - start
        losses = [log_loss(y[:LOOKED_AT], net.predict_proba(x[:LOOKED_AT]), labels=net.classes_) for net in nets[:8]]
        return {
            "updates": case.racers * epochs * per_epoch,
            "seconds": seconds,
            "loss": float(np.mean(losses)),
            "steps": epochs * per_epoch,
        }

    return run, {"threads": 1}
