"""Crews: racers of one rule that are advanced by the same calls, taken from check to check and scored."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from slalom.crews import order_of, orders_of
from slalom.heat import Heat
from slalom.intervals import means_of
from slalom.lane import REESTIMATED, call_steps
from slalom.losses import constant, measured, predictions
from slalom.racer import Moment, Racer
from slalom.rules import Rule
from slalom.seats import device
from slalom.step import Knobs, State
from slalom.types import Array

ALL_KEPT, MOST_KEPT = 2**13, 2**16  # choosing rows, up to which every score's, and any score's, rows are kept
BYTES_KEPT = 2**27  # of them, of a whole race
HOPELESS = 1000.0  # a choosing loss so many times that of a constant prediction counts as diverged


class Keeper(Protocol):
    """Who keeps racers on their way, for the case that the process dies."""

    def due(self) -> bool:
        """Whether it wants to keep them now."""
        ...

    def mark(self, racers: Sequence[Racer]) -> None:
        """Note them as they stand."""
        ...

    def save(self) -> None:
        """Write down what was noted."""
        ...


class Asked(NamedTuple):
    """A score that is being computed."""

    step: int
    state: State
    answer: Array  # [G K, C, M] outputs, perhaps not there yet


class Crew:
    """Racers of one heat, one rule and one step count, laid out for the program at this thread's seat.

    Places left over in the last lane hold copies that count for nothing; lanes without a racer are not run.
    """

    def __init__(self, heat: Heat, racers: Sequence[Racer]) -> None:
        self.heat, self.racers, self.program = heat, racers, heat.program
        self.means = means_of(heat.metric) if heat.replayed else None
        for racer in racers:
            if racer.state is None:
                heat.enter(racer)
        width = self.program.width
        lanes = -(-len(racers) // width)
        self.filled = [racers[i % len(racers)] for i in range(lanes * width)]
        self.lanes, self.places = np.int32(lanes), width * self.program.lanes
        program = self.program
        self.steps = min(program.steps, call_steps(heat.structure, width, lanes, program.orders))  # the most of a call
        self.patience = math.inf  # steps without a better score
        self.place_steps = 0  # steps that were computed, of copies and of those that diverged as well
        self.rule = np.int32(self.program.rule_index(racers[0].kind))
        self.state: State = self._stacked([racer.state for racer in self.filled])
        self.orders = orders_of(racers)
        knobs = [racer.knobs._replace(order=np.int32(self.orders.index(order_of(racer)))) for racer in self.filled]  # type: ignore[union-attr]
        self.knobs: Knobs = jax.device_put(self._stacked(knobs), device())

    def advance(
        self, stop: int, checks: Sequence[int], halted: Callable[[], bool], patience: float = math.inf,
        keeper: Keeper | None = None,
    ) -> int:  # fmt: skip
        """Take the racers to step `stop`, scored at the checks on the way; returns how many updates of racers were
        made, fewer than asked for if halted. patience: steps after which a racer that was not better is stopped.
        keeper: is shown the racers whenever it wants to keep them, and where they end."""
        self.patience, self._since = patience, time.perf_counter()
        racers = self.racers
        start = step = racers[0].step
        asked: Asked | None = None  # the score under way: taken in while the next call runs
        for check in [*[c for c in checks if start < c < stop], stop]:
            while step < check and not halted():
                n = min(self.steps, check - step)
                if any(racer.watches for racer in racers):  # the score decides on the rate of the next step
                    self._take(asked)
                    asked = None
                before = self.state
                self._call(step, n)
                step += n
                self._take(asked)
                asked = None
                jax.block_until_ready(before)  # one call runs while the next one is made ready, no more
                if keeper and step < check and keeper.due():
                    self._keep(keeper, step)
            if step < check or all(racer.over_at is not None for racer in racers):
                break
            asked = self._ask(step)
            if keeper and step < stop and keeper.due():
                self._take(asked)
                self._keep(keeper, step)
                asked = None
        self._end(step, asked, keeper, between=step > start and not (asked and asked.step == step))
        return sum(racer.step - start for racer in racers)

    def _end(self, step: int, asked: Asked | None, keeper: Keeper | None, *, between: bool) -> None:
        """The last score, and the racers as they stand. between: the step lies between two checks, where whoever goes
        on from here is not scored: the racers are kept without this score."""
        if between:
            self._take(asked)
            self._leave(step)
            if keeper:
                keeper.mark(self.racers)
            asked = self._ask(step)
        self._take(asked)
        self._leave(step)
        if keeper:
            if not between:
                keeper.mark(self.racers)
            if keeper.due():
                keeper.save()

    def _keep(self, keeper: Keeper, step: int) -> None:
        """Have the racers kept as they stand, no score of theirs being under way."""
        self._leave(step)
        keeper.mark(self.racers)
        keeper.save()

    def moment(self) -> Moment:
        """The moment of the first racer's last step, with the weights that it is scored with."""
        state = self._to_score(self.racers[0].step)
        weights, memory = (jax.tree.map(lambda a: np.asarray(a)[0].copy(), tree) for tree in state[:2])
        return Moment(float("nan"), self.racers[0].step, self.heat.structure.net.narrowed(weights), memory)

    def _call(self, step: int, n: int) -> None:
        """Have all lanes advanced by n steps; nothing is waited for."""
        rates, rows = self._rates(step, n), self._rows(step, n, self.program.steps)
        given = (self.rule, np.int32(n), np.int32(step + 1), self.lanes, self.state, self.knobs, rates, rows)
        self.state = self.program.advance(*given, self.heat.data.here())
        self.place_steps += n * len(self.filled)

    def _stacked(self, trees: Sequence[Any]) -> Any:
        """Trees of NumPy arrays as one tree of arrays [G K, …]; nothing is in the places behind them."""

        def stack(*leaves: Array) -> Array:
            one = np.asarray(leaves[0])
            made = np.empty((self.places, *one.shape), one.dtype)
            for place, leaf in enumerate(leaves):
                made[place] = leaf
            return made

        return jax.tree.map(stack, *trees)

    def _rates(self, step: int, n: int) -> Array:
        """The learning rates [G K, S] of the next n steps; what lies behind n is never read."""
        rates = np.zeros((self.places, self.program.steps), np.float32)
        now = np.arange(step, step + n, dtype=np.float64)
        for k, racer in enumerate(self.filled):
            rates[k, :n] = racer.recipe.learning_rate * racer.recipe.rate_factor()(now, self.heat.horizon(racer))
            if racer.falls:
                steps, factors = zip((0, 1.0), *racer.falls, strict=True)
                rates[k, :n] *= np.array(factors)[np.searchsorted(steps, now, side="right") - 1]
        return rates

    def _rows(self, step: int, n: int, capacity: int) -> Array:
        """Rows [U, capacity, B] of n steps from a step on, one order for racers of one fold and replicate."""
        heat, batch = self.heat, self.heat.structure.batch_size
        rows = np.zeros((self.program.orders, capacity, batch), np.int32)
        for u, (replicate, fold) in enumerate(self.orders):
            train, about = heat.prepared.all_folds[fold].train, heat.steps_per_epoch(fold)
            rows[u, :n] = heat.shuffles.batches(
                train, replicate, fold, start=step, count=n, batch=batch, per_epoch=about
            )
        return rows

    def _ask(self, step: int) -> Asked | None:
        """Have the racers scored on choosing rows; nothing is waited for."""
        folds = [self.heat.prepared.all_folds[fold] for _, fold in self.orders]
        if not any(len(fold.choose) for fold in folds):
            return None
        shape = self.program.score_shape
        rows = np.zeros((self.program.orders, shape[0] * shape[1]), np.int32)
        for u, fold in enumerate(folds):
            rows[u, : len(fold.choose)] = fold.choose
        state, x = self._to_score(step), self.heat.data.here().x
        answer = self.program.score(
            self.lanes, state.weights, state.memory, self.knobs, rows.reshape(-1, *shape), x
        )  # fmt: skip
        return Asked(step, state, answer)

    def _to_score(self, step: int) -> State:
        """The state with the weights and the memory that are scored, where the rule says that those are others."""
        program = self.program
        if self.racers[0].kind not in program.room.averaging or program.average is None:
            return self.state
        count, first = min(REESTIMATED, step), max(step - REESTIMATED, 0)
        rows = self._rows(first, count, REESTIMATED)
        rows = rows[:, np.arange(REESTIMATED) % count]  # of fewer steps the batches again
        weights, memory = program.average(self.rule, self.lanes, self.state, self.knobs, rows, self.heat.data.here())
        return self.state._replace(weights=weights, memory=memory)

    def _take(self, asked: Asked | None) -> None:
        """Take in a score; keep the weights of the racers that were never better."""
        if asked is None:
            return
        outputs = np.asarray(asked.answer)
        net, host = self.heat.structure.net, None  # weights come to the host where a racer was never better
        for k, racer in enumerate(self.racers):
            if racer.over_at is not None:
                continue
            chosen = len(self.heat.prepared.all_folds[racer.fold].choose)
            cost, diverged, rows = self._cost(outputs[k, :, :chosen].astype(np.float64), racer)
            racer.diverged_at = asked.step if diverged else None
            racer.costs[asked.step] = cost
            if rows is not None:
                racer.rows[asked.step] = rows
            if racer.watches:
                racer.watch(asked.step, cost, self.heat.horizon(racer))
            if cost < (racer.best.cost if racer.best else np.inf):
                host = host or jax.tree.map(np.asarray, tuple(asked.state[:2]))
                weights, memory = jax.tree.map(lambda a: a[k].copy(), host)  # noqa: B023
                racer.best = Moment(cost, asked.step, net.narrowed(weights), memory)
            if not diverged and racer.best and asked.step - racer.best.step > self.patience:
                racer.stopped_at = asked.step

    def _cost(self, outputs: Array, racer: Racer) -> tuple[float, bool, Array | None]:
        """(cost, whether the racer counts as diverged, what is kept of the rows) for outputs [C, M] on the choosing
        rows of its fold."""
        if not np.isfinite(outputs).all():
            return float("inf"), True, None
        prepared, loss = self.heat.prepared, self.heat.structure.loss
        labels = prepared.labels[prepared.all_folds[racer.fold].choose]
        unit, number = prepared.unit(racer.recipe.unit, racer.fold), racer.knobs.loss  # type: ignore[union-attr]
        y = unit(labels) if unit else labels
        nothing, usual = constant(loss, unit.mean if unit else 0.0, unit.variance if unit else 1.0, number)
        usual = max(usual, measured(loss, np.full_like(outputs, nothing), y, number))
        answer = predictions(loss, outputs, unit.inverse if unit else None)
        cost = self.heat.metric.cost(labels, answer)
        return (
            cost,
            bool(measured(loss, outputs, y, number) > HOPELESS * usual),
            self._kept(labels, answer, cost, racer),
        )

    def _kept(self, labels: Array, answer: Array, cost: float, racer: Racer) -> Array | None:
        """What each choosing row adds to the cost, for the bootstrap of the choice (`slalom.promised`): of every score
        where rows are few, of those that were never better where they are more, and of new seeds; of none where rows
        are many, or all racers together keep much."""
        prepared, better = self.heat.prepared, racer.best is None or cost < racer.best.cost
        if self.means is None or len(labels) > MOST_KEPT or prepared.kept > BYTES_KEPT or not np.isfinite(cost):
            return None
        if (len(labels) > ALL_KEPT or racer.replicate) and not better:
            return None
        with np.errstate(over="ignore"):
            rows = self.means.rows(labels, answer).astype(np.float32)
        if racer.replicate:  # what it had before chooses nothing any more
            prepared.kept -= sum(old.nbytes for old in racer.rows.values())
            racer.rows = {}
        prepared.kept += rows.nbytes
        return rows

    def _leave(self, step: int) -> None:
        """Hand the states back to the racers."""
        now = time.perf_counter()
        seconds, self._since = now - self._since, now
        whole = jax.tree.map(np.asarray, self.state)
        for k, racer in enumerate(self.racers):
            racer.state = jax.tree.map(lambda a: a[k].copy(), whole)  # noqa: B023
            racer.step = step if racer.over_at is None else racer.over_at
            racer.seconds += seconds / len(self.racers)
            if type(racer.recipe.rule).remark is not Rule.remark:
                racer.remark = racer.recipe.rule.remark(self.program.room.unpack(racer.kind, racer.state.rule))
