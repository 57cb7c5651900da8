"""Heats: the racers of one structure on the host, filled into lanes, taken from check to check and scored."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slalom.lane import Data, Program, compile_program
from slalom.losses import measured, predictions
from slalom.metrics import Metric
from slalom.prepare import Prepared
from slalom.racer import Knobs, State, Structure, draw_key, settings_vector
from slalom.recipe import Recipe
from slalom.rules import Rule
from slalom.types import Array, Tree

LOSS_OF = {"regression": "squared_error", "binary": "logistic", "multiclass": "softmax"}
CHECKS = 50  # scores taken over a full horizon, about
CHECK_SECONDS = 0.005  # of modelled work between two scores, where 20 scores are enough
FLOPS = 1.5e11  # a second and core, in the cost model
STEP_SECONDS = 3.5e-6  # of a step and layer beside its arithmetic, in the cost model
HOPELESS = 100.0  # a choosing loss so many times that of a constant prediction counts as diverged


class Moment(NamedTuple):
    """A racer at a check: its cost on choosing rows (less is better) and the weights that had it."""

    cost: float
    step: int
    weights: Tree
    memory: Tree


class Asked(NamedTuple):
    """A score that is being computed."""

    step: int
    state: State
    answer: Array  # [K, C, M] outputs, perhaps not there yet


@dataclass(eq=False)
class Racer:
    """One recipe with its weights, being trained on one fold."""

    number: int  # of the recipe in the race
    recipe: Recipe
    fold: int
    replicate: int = 0
    state: State | None = None
    knobs: Knobs | None = None
    step: int = 0
    costs: dict[int, float] = field(default_factory=dict)  # step -> cost on choosing rows
    best: Moment | None = None
    diverged_at: int | None = None  # the step of the score that said so; it then counts as ended
    seconds: float = 0.0  # its share of its lanes' time

    @property
    def diverged(self) -> bool:
        """Whether it has left for good: a racer that diverged once is not waited for, whoever races beside it."""
        return self.diverged_at is not None

    @property
    def rule(self) -> type[Rule]:
        """The class of its update rule."""
        return type(self.recipe.rule)


class Orders:
    """The order of the training rows: one permutation per (seed, replicate, fold, epoch), shared by all racers."""

    def __init__(self, seed: int, capacity: int = 2**24) -> None:
        self.seed, self.capacity = seed, capacity  # row numbers kept, in all
        self._kept: OrderedDict[tuple[int, int, int], Array] = OrderedDict()
        self._lock = threading.Lock()

    def epoch(self, rows: Array, replicate: int, fold: int, epoch: int) -> Array:
        """The rows of a fold in the order of one epoch."""
        key = (replicate, fold, epoch)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        rng = np.random.default_rng([self.seed, 2, replicate, fold, epoch])
        made = rows[rng.permutation(len(rows))].astype(np.int32)
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self.capacity:
                self._kept.popitem(last=False)
        return made

    def batches(
        self, rows: Array, replicate: int, fold: int, *, start: int, count: int, batch: int, per_epoch: int
    ) -> Array:
        """Rows [count, batch] of steps start, start + 1, …; what is left of an epoch's rows is dropped."""
        taken = np.empty((count, batch), np.int32)
        done = 0
        while done < count:
            epoch, first = divmod(start + done, per_epoch)
            n = min(per_epoch - first, count - done)
            order = self.epoch(rows, replicate, fold, epoch)
            taken[done : done + n] = order[first * batch : (first + n) * batch].reshape(n, batch)
            done += n
        return taken


@dataclass(eq=False)
class Heat:
    """All lanes of one structure."""

    structure: Structure
    prepared: Prepared
    data: Data
    metric: Metric
    orders: Orders
    seed: int
    rules: tuple[type[Rule], ...]
    program: Program | None = None

    def compile(self) -> None:
        """Make the program (once)."""
        rows = max([len(fold.choose) for fold in self.prepared.folds] + [1])
        self.program = compile_program(self.structure, self.rules, self.data, rows)

    def steps_per_epoch(self, fold: int) -> int:
        """Full batches in the training rows of a fold; the same for all that are cross-fitted."""
        folds = self.prepared.folds
        rows = min(len(f.train) for f in folds) if fold < len(folds) else len(self.prepared.all_folds[fold].train)
        return max(1, rows // self.structure.batch_size)

    def epoch_cost(self, fold: int) -> float:
        """Modelled core-seconds of one epoch of one racer."""
        return epoch_cost(self.structure, self.steps_per_epoch(fold))

    def checks(self, epochs: int, fold: int, rungs: Sequence[int]) -> list[int]:
        """The steps at which racers are scored: about CHECKS over the horizon, at ends of epochs where there are enough
        epochs, and at every rung."""
        per_epoch = self.steps_per_epoch(fold)
        worth = int(epochs * self.epoch_cost(fold) / CHECK_SECONDS)
        count = min(max(min(epochs, CHECKS, max(worth, 20)), 10), epochs * per_epoch)
        points = np.linspace(0, epochs, count + 1)[1:]
        steps = np.round(points) * per_epoch if epochs >= count else np.round(points * per_epoch)
        return sorted({int(s) for s in steps if s > 0} | {r * per_epoch for r in rungs})

    def enter(self, racer: Racer) -> None:
        """Give a racer its first weights and its numbers; the seed decides, not the place."""
        assert self.program is not None
        rng = np.random.default_rng([self.seed, 3, racer.replicate, racer.fold])
        weights, memory = self.structure.net.init(rng)
        recipe, vector = racer.recipe, np.zeros(self.program.settings, np.float32)
        numbers = settings_vector(racer.rule, recipe.rule_settings())
        vector[: len(numbers)] = numbers
        racer.state = State(weights, memory, self.program.room.empty())
        scaling, table = self.prepared.in_race(recipe.scaling, racer.fold)
        racer.knobs = Knobs(
            centre=np.asarray(scaling.centre, np.float32),
            factor=np.asarray(1 / np.asarray(scaling.spread), np.float32),
            squash=np.float32(0 if np.isinf(scaling.clip) else 1 / scaling.clip**2),
            table=np.int32(table),
            target=np.int32(racer.fold * self.prepared.padded),
            key=draw_key(self.seed, racer.replicate, racer.number),
            dropout=np.float32(recipe.dropout),
            penalty=np.float32(recipe.penalty),
            settings=vector,
        )

    def advance(self, racers: Sequence[Racer], stop: int, checks: Sequence[int], halted: Callable[[], bool]) -> int:
        """Take racers of one rule and one step count to step `stop`, as one lane.

        Places left over run copies that count for nothing. Returns how many updates of racers were made; fewer than
        asked for if halted.
        """
        assert self.program is not None
        began, start, program = time.perf_counter(), racers[0].step, self.program
        for racer in racers:
            if racer.state is None:
                self.enter(racer)
        filled = [racers[i % len(racers)] for i in range(program.lanes)]
        state = _stacked([racer.state for racer in filled])
        knobs = jax.tree.map(jnp.asarray, _stacked([racer.knobs for racer in filled]))
        rule, step = np.int32(program.rule_index(racers[0].rule)), start
        asked: Asked | None = None  # the score under way: taken in while the next call runs
        for check in [c for c in checks if start < c <= stop] or [stop]:
            while step < check and not halted():
                n = min(program.steps, check - step)
                rates, rows = self._inputs(filled, step, n)
                before = state
                state = program.advance(rule, np.int32(n), np.int32(step + 1), state, knobs, rates, rows, self.data)
                step += n
                self._take(racers, asked)
                asked = None
                jax.block_until_ready(before)  # one call runs while the next one is made ready, no more
            if step < check or all(racer.diverged for racer in racers):
                break
            asked = self._ask(racers, state, knobs, step)
        if step > start and not (asked and asked.step == step):
            asked = self._ask(racers, state, knobs, step)
        self._take(racers, asked)
        self._leave(racers, state, step, time.perf_counter() - began)
        return sum(racer.step - start for racer in racers)

    def _inputs(self, filled: Sequence[Racer], step: int, n: int) -> tuple[Array, Array]:
        """(rates [K, S], rows [K, S, B]) of the next n steps; what lies behind n is never read."""
        assert self.program is not None
        batch, capacity = self.structure.batch_size, self.program.steps
        rates = np.zeros((len(filled), capacity), np.float32)
        rows = np.zeros((len(filled), capacity, batch), np.int32)
        made: dict[tuple[int, int], Array] = {}
        for k, racer in enumerate(filled):
            horizon = racer.recipe.epochs * self.steps_per_epoch(racer.fold)
            factor = racer.recipe.rate_factor()(np.arange(step, step + n, dtype=np.float64), horizon)
            rates[k, :n] = racer.recipe.learning_rate * factor
            key = (racer.replicate, racer.fold)
            if key not in made:
                train = self.prepared.all_folds[racer.fold].train
                per_epoch = self.steps_per_epoch(racer.fold)
                made[key] = self.orders.batches(train, *key, start=step, count=n, batch=batch, per_epoch=per_epoch)
            rows[k, :n] = made[key]
        return rates, rows

    def _ask(self, racers: Sequence[Racer], state: State, knobs: Knobs, step: int) -> Asked | None:
        """Have the racers of a lane scored on choosing rows; nothing is waited for."""
        assert self.program is not None
        folds = [self.prepared.all_folds[racer.fold] for racer in racers]
        if not any(len(fold.choose) for fold in folds):
            return None
        shape = self.program.score_shape
        rows = np.zeros((self.program.lanes, shape[0] * shape[1]), np.int32)
        for k, fold in enumerate(folds):
            rows[k, : len(fold.choose)] = fold.choose
        answer = self.program.score(state.weights, state.memory, knobs, rows.reshape(-1, *shape), self.data.x)
        return Asked(step, state, answer)

    def _take(self, racers: Sequence[Racer], asked: Asked | None) -> None:
        """Take in a score; keep the weights of the racers that were never better."""
        if asked is None:
            return
        outputs = np.asarray(asked.answer)
        for k, racer in enumerate(racers):
            chosen = len(self.prepared.all_folds[racer.fold].choose)
            if racer.diverged:
                continue
            cost, diverged = self._cost(outputs[k, :, :chosen].astype(np.float64), racer.fold)
            racer.diverged_at = asked.step if diverged else None
            racer.costs[asked.step] = cost
            if cost < (racer.best.cost if racer.best else np.inf):
                state = asked.state[:2]
                weights, memory = (jax.tree.map(lambda a: np.asarray(a)[k].copy(), tree) for tree in state)  # noqa: B023
                racer.best = Moment(cost, asked.step, weights, memory)

    def _cost(self, outputs: Array, fold: int) -> tuple[float, bool]:
        """(cost, whether the racer counts as diverged) for outputs [C, M] on the choosing rows of a fold."""
        if not np.isfinite(outputs).all():
            return float("inf"), True
        about, labels = self.prepared.all_folds[fold], self.prepared.labels
        y = labels[about.choose]
        y = (y - about.mean) / about.spread
        plain = measured(self.structure.loss, np.zeros_like(outputs), y)  # of a prediction that knows nothing
        hopeless = measured(self.structure.loss, outputs, y) > HOPELESS * max(1.0, plain)
        prediction = predictions(self.structure.loss, outputs, about.mean, about.spread)
        return self.metric.cost(labels[about.choose], prediction), bool(hopeless)

    def _leave(self, racers: Sequence[Racer], state: State, step: int, seconds: float) -> None:
        whole = jax.tree.map(np.asarray, state)
        for k, racer in enumerate(racers):
            racer.state = jax.tree.map(lambda a: a[k].copy(), whole)  # noqa: B023
            racer.step = step if racer.diverged_at is None else racer.diverged_at
            racer.seconds += seconds / len(racers)


def epoch_cost(structure: Structure, steps: int) -> float:
    """Core-seconds of so many steps of one racer, by a model: arithmetic at a common rate, and a cost a step."""
    net = structure.net
    layers = (net.depth + 1) * (2.5 if net.normalisation != "none" else 1)
    return steps * (net.flops(structure.batch_size) / FLOPS + STEP_SECONDS * layers)


def _stacked(trees: Sequence[Any]) -> Any:
    """K trees of NumPy arrays as one tree of arrays with a racer axis in front."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
