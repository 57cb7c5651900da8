"""Heats: racers of one structure and a few rules: their program, their start, when they are scored, what they cost."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from slalom.budget import lane_bytes, lanes_of
from slalom.cost import CHECK, RACER, step_seconds
from slalom.executor import cores
from slalom.lane import MOST_ORDERS, call_lanes, width
from slalom.metrics import Metric
from slalom.objective import number_of
from slalom.prepare import LARGEST, Prepared
from slalom.program import Blueprint, Program, Programs
from slalom.racer import Racer, draw_key
from slalom.rules.base import at_horizon
from slalom.seats import Placed, kind_of_device, workers
from slalom.shuffles import Shuffles
from slalom.step import Kind, Knobs, State, Structure, refilled, settings_vector
from slalom.types import Array, Tree

CHECKS = 50  # scores taken over a full horizon, about
CHECK_SECONDS = 0.005  # of modelled work between two scores, where 20 scores are enough


@dataclass(eq=False)
class Heat:
    """All lanes of one structure and some rules."""

    structure: Structure
    prepared: Prepared
    data: Placed  # of `lane.Data`
    metric: Metric
    shuffles: Shuffles
    seed: int
    rules: tuple[Kind, ...]
    crowd: int = 2**24  # racers of its most numerous rule at the start, where that is known
    programs: Programs | None = None  # once they are compiled
    replayed: bool = True  # whether the choice between its racers is corrected for: their scores then keep more
    _starts: dict[tuple, tuple[Tree, Tree]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def compile(self, width: int | None = None, lanes: int | None = None) -> None:
        """Make the program, once; K and G are those of `lane` unless given."""
        with self._lock:
            self._compile(width, lanes)

    def _compile(self, width: int | None, lanes: int | None) -> None:
        if self.programs:
            return
        rows, data = max([len(fold.choose) for fold in self.prepared.folds] + [1]), self.data.tree
        width = width or self.width
        lanes = lanes or self._lanes(width)
        shapes = data.x.shape, data.y.shape, rows
        programs = Programs(Blueprint(self.structure, self.rules, *shapes, width, lanes, self.orders))
        programs.here()
        self.programs = programs

    def shrink(self, lanes: int) -> bool:
        """Make a program of half as many lanes in the place of one of `lanes`, which memory does not suffice for; False
        where it has but one."""
        with self._lock:
            if self.programs and self.programs.blueprint.lanes >= lanes > 1:
                width, self.programs = self.programs.blueprint.width, None
                self._compile(width, lanes // 2)
            return lanes > 1

    @property
    def width(self) -> int:
        """K, the racers of a lane."""
        return self.programs.blueprint.width if self.programs else width(self.structure, racers=self.crowd)

    @property
    def places(self) -> int:
        """The most racers that are advanced as one."""
        if self.programs:
            return self.programs.blueprint.places
        return self.width * self._lanes(self.width)

    def _lanes(self, width: int) -> int:
        """G, fewer where memory is limited."""
        most = call_lanes(self.structure, width, self.steps_per_epoch(0))
        return lanes_of(self.prepared.room, most, bytes_of_lane(self.structure, width), workers(cores()))

    @property
    def orders(self) -> int:
        """The most orders of rows that one call takes: one for each fold, up to a few."""
        return min(len(self.prepared.folds), MOST_ORDERS)

    @property
    def program(self) -> Program:
        """The program at this thread's seat, compiled where it is not yet (of a race that is resumed)."""
        self.compile()
        assert self.programs is not None
        return self.programs.here()

    def steps_per_epoch(self, fold: int) -> int:
        """Full batches in the training rows of a fold; the same for all that are cross-fitted."""
        folds = self.prepared.folds
        rows = min(len(f.train) for f in folds) if fold < len(folds) else len(self.prepared.all_folds[fold].train)
        return max(1, rows // self.structure.batch_size)

    @property
    def step_seconds(self) -> float:
        """Modelled worker-seconds of one step of one racer."""
        return step_seconds(self.structure, self.width, kind_of_device())

    def epoch_cost(self, fold: int) -> float:
        """Modelled core-seconds of one epoch of one racer."""
        return self.steps_per_epoch(fold) * self.step_seconds

    def crew_cost(self, racers: int, steps: int, checks: int) -> float:
        """Modelled core-seconds of so many steps of racers that are advanced as one, and of what stands around them.
        Places without a racer cost as much as others."""
        places = -(-racers // self.width) * self.width
        return places * steps * self.step_seconds + racers * (RACER + checks * CHECK)

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
        """Give a racer its numbers and its first weights, where the seed decides, not the place; or the state that a
        checkpoint kept of it (ValueError where it does not fit)."""
        program = self.program
        recipe = racer.recipe
        weights, memory = self._start(racer)
        vector = np.zeros(program.settings, np.float32)
        numbers = settings_vector(at_horizon(recipe.rule, self.horizon(racer)))
        vector[: len(numbers)] = numbers
        columns = self.data.tree.x.shape[1]
        racer.state = State(weights, memory, program.room.empty())
        if racer.waiting is not None:
            racer.state, racer.waiting = refilled(racer.state, racer.waiting), None
        scaling, table = self.prepared.in_race(recipe.scaling, racer.fold)
        racer.knobs = Knobs(
            centre=_filled(scaling.centre, columns),
            factor=_filled(1 / np.asarray(scaling.spread), columns),
            squash=np.float32(0 if np.isinf(scaling.clip) else 1 / scaling.clip**2),
            table=np.int32(table),
            order=np.int32(0),  # a crew says which
            target=np.int32(self.prepared.first_target(recipe.unit, racer.fold)),
            key=draw_key(self.seed, racer.replicate, racer.number),
            dropout=np.float32(recipe.dropout),
            penalty=np.float32(recipe.penalty),
            l1=np.float32(recipe.l1),
            smoothing=np.float32(recipe.label_smoothing),
            loss=number_of(recipe, self.structure.loss, self.prepared, racer.fold),
            settings=vector,
        )

    def ready(self, racer: Racer) -> None:
        """Give a racer that comes from a checkpoint what `enter` does, but no first weights where none were kept."""
        if racer.knobs is None:
            kept = racer.waiting is not None
            self.enter(racer)
            racer.state = racer.state if kept else None

    def _start(self, racer: Racer) -> tuple[Tree, Tree]:
        """(weights, memory) before the first step: drawn once where they are the same for many recipes."""
        net, recipe = self.structure.net, racer.recipe
        if net.embedding == "periodic":  # nearly every recipe has frequencies of its own
            return self._drawn(racer)
        key = (racer.replicate, racer.fold, recipe.initialiser, recipe.scaling if net.bins else "")
        if key not in self._starts:
            self._starts[key] = self._drawn(racer)
        return self._starts[key]

    def _drawn(self, racer: Racer) -> tuple[Tree, Tree]:
        net, recipe = self.structure.net, racer.recipe
        rng = np.random.default_rng([self.seed, 3, racer.replicate, racer.fold])
        edges = self.prepared.edges(recipe.scaling, racer.fold, net.bins) if net.bins else None
        weights, memory = net.init(rng, recipe.initialiser, edges, recipe.embedding_sigma)
        return net.widened(weights, self.data.tree.x.shape[1]), memory

    def horizon(self, racer: Racer) -> int:
        """The steps of a racer's whole training."""
        return racer.recipe.epochs * self.steps_per_epoch(racer.fold)


def bytes_of_lane(structure: Structure, width: int) -> int:
    """What a lane of so many racers takes while it runs."""
    return lane_bytes(width, structure.net.parameters, structure.batch_size * sum(structure.net.sizes))


def _filled(numbers: Array, columns: int) -> Array:
    """Numbers of the columns [D] as float32, with zeros for the columns of zeros behind them."""
    filled = np.zeros(columns, np.float32)
    filled[: len(numbers)] = np.clip(numbers, -LARGEST, LARGEST)
    return filled
