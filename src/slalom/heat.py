"""Heats: the racers of one structure on the host, filled into lanes, taken from check to check and scored."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np

from slalom.cost import CHECK, RACER, step_seconds
from slalom.lane import REESTIMATED, call_lanes, width
from slalom.losses import measured, predictions
from slalom.metrics import Metric
from slalom.prepare import Prepared
from slalom.program import Blueprint, Program, Programs
from slalom.racer import Moment, Racer, draw_key
from slalom.rules import Rule
from slalom.rules.base import at_horizon
from slalom.seats import Placed, device
from slalom.shuffles import Shuffles
from slalom.step import Kind, Knobs, State, Structure, settings_vector
from slalom.types import Array, Tree

LOSS_OF = {"regression": "squared_error", "binary": "logistic", "multiclass": "softmax"}
CHECKS = 50  # scores taken over a full horizon, about
CHECK_SECONDS = 0.005  # of modelled work between two scores, where 20 scores are enough
HOPELESS = 1000.0  # a choosing loss so many times that of a constant prediction counts as diverged


class Asked(NamedTuple):
    """A score that is being computed."""

    step: int
    state: State
    answer: Array  # [K, C, M] outputs, perhaps not there yet


@dataclass(eq=False)
class Heat:
    """All lanes of one structure."""

    structure: Structure
    prepared: Prepared
    data: Placed  # of `lane.Data`
    metric: Metric
    shuffles: Shuffles
    seed: int
    rules: tuple[Kind, ...]
    programs: Programs | None = None  # once they are compiled
    _starts: dict[tuple, tuple[Tree, Tree]] = field(default_factory=dict)

    def compile(self, width: int | None = None, lanes: int | None = None) -> None:
        """Make the program (once); K and G are those of `lane` unless given."""
        rows, data = max([len(fold.choose) for fold in self.prepared.folds] + [1]), self.data.tree
        width = width or self.width
        lanes = lanes or call_lanes(self.structure, width, self.steps_per_epoch(0))
        programs = Programs(Blueprint(self.structure, self.rules, data.x.shape, data.y.shape, rows, width, lanes))
        programs.here()
        self.programs = programs

    @property
    def width(self) -> int:
        """K, the racers of a lane."""
        return self.programs.blueprint.width if self.programs else width(self.structure)

    @property
    def places(self) -> int:
        """The most racers that are advanced as one."""
        return self.width * call_lanes(self.structure, self.width, self.steps_per_epoch(0))

    @property
    def program(self) -> Program:
        """The program at this thread's seat."""
        assert self.programs is not None
        return self.programs.here()

    def steps_per_epoch(self, fold: int) -> int:
        """Full batches in the training rows of a fold; the same for all that are cross-fitted."""
        folds = self.prepared.folds
        rows = min(len(f.train) for f in folds) if fold < len(folds) else len(self.prepared.all_folds[fold].train)
        return max(1, rows // self.structure.batch_size)

    def epoch_cost(self, fold: int) -> float:
        """Modelled core-seconds of one epoch of one racer."""
        return self.steps_per_epoch(fold) * step_seconds(self.structure, self.width)

    def crew_cost(self, racers: int, steps: int, checks: int) -> float:
        """Modelled core-seconds of so many steps of racers that are advanced as one, and of what stands around them.
        Places without a racer cost as much as others."""
        places = -(-racers // self.width) * self.width
        return places * steps * step_seconds(self.structure, self.width) + racers * (RACER + checks * CHECK)

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
        program = self.program
        recipe = racer.recipe
        weights, memory = self._start(racer)
        vector = np.zeros(program.settings, np.float32)
        numbers = settings_vector(at_horizon(recipe.rule, self.horizon(racer)))
        vector[: len(numbers)] = numbers
        columns = self.data.tree.x.shape[1]
        racer.state = State(weights, memory, program.room.empty())
        scaling, table = self.prepared.in_race(recipe.scaling, racer.fold)
        racer.knobs = Knobs(
            centre=_filled(scaling.centre, columns),
            factor=_filled(1 / np.asarray(scaling.spread), columns),
            squash=np.float32(0 if np.isinf(scaling.clip) else 1 / scaling.clip**2),
            table=np.int32(table),
            target=np.int32(self.prepared.first_target(recipe.target_scaling, racer.fold)),
            key=draw_key(self.seed, racer.replicate, racer.number),
            dropout=np.float32(recipe.dropout),
            penalty=np.float32(recipe.penalty),
            l1=np.float32(recipe.l1),
            smoothing=np.float32(recipe.label_smoothing),
            settings=vector,
        )

    def _start(self, racer: Racer) -> tuple[Tree, Tree]:
        """(weights, memory) before the first step: drawn once, since they are the same for many recipes."""
        net, recipe, bins = self.structure.net, racer.recipe, self.structure.net.bins
        key = (racer.replicate, racer.fold, recipe.initialiser, recipe.scaling if bins else "")
        if key not in self._starts:
            rng = np.random.default_rng([self.seed, 3, racer.replicate, racer.fold])
            edges = self.prepared.edges(recipe.scaling, racer.fold, bins) if bins else None
            weights, memory = net.init(rng, recipe.initialiser, edges)
            self._starts[key] = (net.widened(weights, self.data.tree.x.shape[1]), memory)
        return self._starts[key]

    def horizon(self, racer: Racer) -> int:
        """The steps of a racer's whole training."""
        return racer.recipe.epochs * self.steps_per_epoch(racer.fold)

    def advance(self, racers: Sequence[Racer], stop: int, checks: Sequence[int], halted: Callable[[], bool]) -> int:
        """Take racers of one rule and one step count to step `stop`, by calls that advance all their lanes.

        Places left over in the last lane run copies that count for nothing. Returns how many updates of racers were
        made; fewer than
        asked for if halted.
        """
        began, start, program, data = time.perf_counter(), racers[0].step, self.program, self.data.here()
        for racer in racers:
            if racer.state is None:
                self.enter(racer)
        filled, lanes = self._filled(racers)
        state = self._stacked([racer.state for racer in filled])
        knobs = jax.device_put(self._stacked([racer.knobs for racer in filled]), device())
        rule, step = np.int32(program.rule_index(racers[0].kind)), start
        asked: Asked | None = None  # the score under way: taken in while the next call runs
        for check in [*[c for c in checks if start < c < stop], stop]:
            while step < check and not halted():
                n = min(program.steps, check - step)
                if any(racer.watches for racer in racers):  # the score decides on the rate of the next step
                    self._take(racers, asked)
                    asked = None
                rates, rows = self._inputs(filled, step, n)
                before = state
                given = (rule, np.int32(n), np.int32(step + 1), lanes, state, knobs, rates, rows, data)
                state = program.advance(*given)
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

    def _filled(self, racers: Sequence[Racer]) -> tuple[list[Racer], np.int32]:
        """(the racers with copies that fill the last lane, how many lanes they are)."""
        lanes = -(-len(racers) // self.width)
        return [racers[i % len(racers)] for i in range(lanes * self.width)], np.int32(lanes)

    def _stacked(self, trees: Sequence[Any]) -> Any:
        """Trees of NumPy arrays as one tree of arrays [G K, …]; nothing is in the places behind them."""
        program = self.program

        def stack(*leaves: Array) -> Array:
            one = np.asarray(leaves[0])
            made = np.empty((program.width * program.lanes, *one.shape), one.dtype)
            for place, leaf in enumerate(leaves):
                made[place] = leaf
            return made

        return jax.tree.map(stack, *trees)

    def _inputs(self, filled: Sequence[Racer], step: int, n: int) -> tuple[Array, Array]:
        """(rates [G K, S], rows [G K, S, B]) of the next n steps; what lies behind n is never read."""
        program = self.program
        capacity = program.steps
        rates = np.zeros((program.width * program.lanes, capacity), np.float32)
        for k, racer in enumerate(filled):
            now = np.arange(step, step + n, dtype=np.float64)
            rates[k, :n] = racer.recipe.learning_rate * racer.recipe.rate_factor()(now, self.horizon(racer))
            if racer.falls:
                steps, factors = zip((0, 1.0), *racer.falls, strict=True)
                rates[k, :n] *= np.array(factors)[np.searchsorted(steps, now, side="right") - 1]
        return rates, self._rows(filled, step, n, capacity)

    def _rows(self, filled: Sequence[Racer], step: int, n: int, capacity: int) -> Array:
        """Rows [G K, capacity, B] of n steps from a step on, one order for racers of one fold and replicate."""
        places = self.program.width * self.program.lanes
        rows = np.zeros((places, capacity, self.structure.batch_size), np.int32)
        made: dict[tuple[int, int], Array] = {}
        for k, racer in enumerate(filled):
            key = (racer.replicate, racer.fold)
            if key not in made:
                train, about = self.prepared.all_folds[racer.fold].train, self.steps_per_epoch(racer.fold)
                made[key] = self.shuffles.batches(
                    train, *key, start=step, count=n, batch=self.structure.batch_size, per_epoch=about
                )
            rows[k, :n] = made[key]
        return rows

    def _ask(self, racers: Sequence[Racer], state: State, knobs: Knobs, step: int) -> Asked | None:
        """Have racers scored on choosing rows; nothing is waited for."""
        program = self.program
        folds = [self.prepared.all_folds[racer.fold] for racer in racers]
        if not any(len(fold.choose) for fold in folds):
            return None
        shape = program.score_shape
        rows = np.zeros((program.width * program.lanes, shape[0] * shape[1]), np.int32)
        for k, fold in enumerate(folds):
            rows[k, : len(fold.choose)] = fold.choose
        state, lanes = self._to_score(racers, state, knobs, step), self._filled(racers)[1]
        x = self.data.here().x
        answer = program.score(lanes, state.weights, state.memory, knobs, rows.reshape(-1, *shape), x)
        return Asked(step, state, answer)

    def _to_score(self, racers: Sequence[Racer], state: State, knobs: Knobs, step: int) -> State:
        """The state with the weights and the memory that are scored, where the rule says that those are others."""
        kind, program = racers[0].kind, self.program
        if kind not in program.room.averaging or program.average is None:
            return state
        count, first = min(REESTIMATED, step), max(step - REESTIMATED, 0)
        filled, lanes = self._filled(racers)
        rows = self._rows(filled, first, count, REESTIMATED)
        rows = rows[:, np.arange(REESTIMATED) % count]  # of fewer steps the batches again
        rule = np.int32(program.rule_index(kind))
        weights, memory = program.average(rule, lanes, state, knobs, rows, self.data.here())
        return state._replace(weights=weights, memory=memory)

    def _take(self, racers: Sequence[Racer], asked: Asked | None) -> None:
        """Take in a score; keep the weights of the racers that were never better."""
        if asked is None:
            return
        net = self.structure.net
        outputs = np.asarray(asked.answer)
        weights, memory = jax.tree.map(np.asarray, asked.state[:2])
        for k, racer in enumerate(racers):
            chosen = len(self.prepared.all_folds[racer.fold].choose)
            if racer.diverged:
                continue
            cost, diverged = self._cost(outputs[k, :, :chosen].astype(np.float64), racer)
            racer.diverged_at = asked.step if diverged else None
            racer.costs[asked.step] = cost
            if racer.watches:
                racer.watch(asked.step, cost, self.horizon(racer))
            if cost < (racer.best.cost if racer.best else np.inf):
                own = (jax.tree.map(lambda a: a[k].copy(), tree) for tree in (net.narrowed(weights), memory))  # noqa: B023
                racer.best = Moment(cost, asked.step, *own)

    def _cost(self, outputs: Array, racer: Racer) -> tuple[float, bool]:
        """(cost, whether the racer counts as diverged) for outputs [C, M] on the choosing rows of its fold."""
        if not np.isfinite(outputs).all():
            return float("inf"), True
        loss, labels = self.structure.loss, self.prepared.labels[self.prepared.all_folds[racer.fold].choose]
        unit = self.prepared.unit(racer.recipe.target_scaling, racer.fold)
        y = unit(labels) if unit else labels
        nothing = np.full_like(outputs, unit.mean if unit else 0.0)  # a prediction that knows nothing
        usual = max(unit.variance if unit else 1.0, measured(loss, nothing, y))
        cost = self.metric.cost(labels, predictions(loss, outputs, unit.inverse if unit else None))
        return cost, bool(measured(loss, outputs, y) > HOPELESS * usual)

    def moment(self, racer: Racer) -> Moment:
        """The moment of a racer's last step, with the weights that it is scored with."""
        assert racer.state is not None
        filled, _ = self._filled([racer])
        knobs = jax.device_put(self._stacked([one.knobs for one in filled]), device())
        state = self._to_score([racer], self._stacked([one.state for one in filled]), knobs, racer.step)
        weights, memory = (jax.tree.map(lambda a: np.asarray(a)[0].copy(), tree) for tree in state[:2])
        return Moment(float("nan"), racer.step, self.structure.net.narrowed(weights), memory)

    def _leave(self, racers: Sequence[Racer], state: State, step: int, seconds: float) -> None:
        whole = jax.tree.map(np.asarray, state)
        for k, racer in enumerate(racers):
            racer.state = jax.tree.map(lambda a: a[k].copy(), whole)  # noqa: B023
            racer.step = step if racer.diverged_at is None else racer.diverged_at
            racer.seconds += seconds / len(racers)
            if type(racer.recipe.rule).remark is not Rule.remark:
                racer.remark = racer.recipe.rule.remark(self.program.room.unpack(racer.kind, racer.state.rule))


def _filled(numbers: Array, columns: int) -> Array:
    """Numbers of the columns [D] as float32, with zeros for the columns of zeros behind them."""
    filled = np.zeros(columns, np.float32)
    filled[: len(numbers)] = numbers
    return filled
