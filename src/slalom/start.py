"""The start of a race: the rows in order, the plan, and the recipes with their heats."""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from slalom import plan as planning
from slalom.combined import reserve
from slalom.cost import step_seconds
from slalom.data import Split, Target, split, split_by_group, split_by_time, split_given
from slalom.draws import Choice
from slalom.entry import Entry
from slalom.errors import SlalomError, wrong
from slalom.executor import cores
from slalom.finish import structure_of
from slalom.heat import Heat
from slalom.held import fitting, most_recipes
from slalom.lane import Data, width
from slalom.metrics import METRICS, Metric, find_metric
from slalom.order import Order
from slalom.plan import Plan
from slalom.prepare import Prepared, Sink, is_stored, prepare
from slalom.promised import seconds_of
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.seats import Placed, kind_of_device, workers
from slalom.shuffles import Shuffles
from slalom.shuffles import drawn as drawn_by_weight
from slalom.space import LIKELY_SCALINGS, PLAIN, SCALINGS, TARGET_SCALINGS, Space
from slalom.step import Kind, Structure, kind_of
from slalom.suspects import suspects
from slalom.table import Table
from slalom.types import Array

Shapes = list[dict[str, Any]]
PROGRAM_RULES = 5  # of one program, at most
RARE_CELLS = 2e6  # of a table times its folds, up to which every scaling is raced
ONE_SHAPE = 20.0  # seconds, below which a race has one shape
PARENTS = 5  # of the recipes of a further start, at least


def prepared_for(
    order: Order, table: Table, notes: list[str], sink: Sink | None = None, *, look: bool = True
) -> tuple[Prepared, Metric]:
    """Decide the task and the metric, divide the rows, turn the columns into numbers. look: whether to say what is
    suspicious in the table."""
    target = Target.fit(table.labels, order.task, name=table.target or "target")
    notes += target.notes
    metric = find_metric(order.metric, target.task)
    rows = _divided(order, table, target, notes)
    if (weights := table.roles.get("sample_weight")) is not None:
        rows = _weighed(rows, weights, order.seed)
    target = target.standardised(target.encode(table.labels), np.unique(np.concatenate(rows.train)))
    if look:
        classes, seen = target.classes if target.task == "classification" else None, np.concatenate(rows.train)
        taken = [name for name in table.frame.columns if table.about.kinds.get(name) != "drop"]
        notes += suspects(table.frame.select(taken), target.encode(table.labels), classes, np.unique(seen))
    scalings = scalings_of(order, len(table.frame) * table.frame.width * len(rows.train))
    units = units_of(order)
    whole = not table.validation
    prepared = prepare(
        table.taken(), table.labels, target, rows, scalings, units, whole=whole, refit=order.refit, sink=sink,
        weights=table.roles.get("sample_weight"), kinds=table.about.kinds, memory=order.memory,
        spare=_spare(order, scalings),
    )  # fmt: skip
    notes += prepared.columns.notes
    if without := sorted(scalings - set(prepared.scalings)):
        notes.append(f"memory does not suffice for the scalings {', '.join(without)}: they are left out.")
    if metric is METRICS["auc"] and any(len(np.unique(prepared.labels[f.choose])) < 2 for f in prepared.folds):
        raise SlalomError(
            "auc needs rows of two classes among those that recipes are chosen by. They are of one. Divide the"
            " rows otherwise, or take log_loss."
        )
    return prepared, metric


def _divided(order: Order, table: Table, target: Target, notes: list[str]) -> Split:
    """Which rows serve what."""
    codes = target.encode(table.labels) if target.task == "classification" else None
    if table.validation:
        train = len(table.frame) - table.validation
        notes.append("validation rows were given: no other rows are held out, and there is no test score.")
        return split_given(train, table.validation, None if codes is None else codes[train:], seed=order.seed)
    group, moment = table.roles.get("group"), table.roles.get("time")
    if group is not None and moment is not None:
        raise SlalomError("group and time must not be given together: rows are divided by one of them.")
    if group is not None:
        return split_by_group(group, seed=order.seed, test=order.test)
    if moment is not None:
        return split_by_time(moment, test=order.test)
    return split(len(table.frame), codes, seed=order.seed, test=order.test)


def _weighed(rows: Split, weights: Array, seed: int) -> Split:
    """The same division, with the choosing rows of each fold drawn by their weight, as many as there are: what chooses
    then weighs rows as training does."""
    draws = [np.random.default_rng([seed, 7, fold]) for fold in range(len(rows.choose))]
    chosen = (np.sort(drawn_by_weight(c, weights[c], draw)) for c, draw in zip(rows.choose, draws, strict=True))
    return replace(rows, choose=tuple(chosen))


def scalings_of(order: Order, cells: int) -> set[str]:
    """The scalings of a race: the fixed one, or those that the caller named, or all that can be afforded, less those
    that he forbade; the default recipe's, and those of his own recipes."""
    own = {
        recipe.with_fields(order.fixed).scaling for recipe in (*order.also, *([order.recipe] if order.recipe else []))
    }
    if order.recipe or "scaling" in order.fixed:
        return own or {order.fixed["scaling"]}
    given = _given(order, "scaling") or set(SCALINGS)
    named = given if "scaling" in order.space else given & affordable(cells)
    return own | named | {Recipe().scaling}


def _spare(order: Order, scalings: set[str]) -> list[str]:
    """The stored scalings of a race that it can do without where memory is short, the least likely first."""
    needed = scalings_of(order, 2**60) if "scaling" not in order.space else scalings
    rare = sorted(filter(is_stored, scalings - needed))
    own = {Recipe().scaling, *(recipe.with_fields(order.fixed).scaling for recipe in order.also)}
    likely = {name for name in needed - own if is_stored(name)}
    return rare + (sorted(likely) if "scaling" not in {*order.space, *order.fixed} and not order.recipe else [])


def units_of(order: Order) -> list[str]:
    """The scalings of a regression target in a race, the likeliest first."""
    own = [
        recipe.with_fields(order.fixed).target_scaling
        for recipe in (*order.also, *([order.recipe] if order.recipe else []))
    ]
    if not order.recipe and "target_scaling" not in order.fixed:
        own += [Recipe().target_scaling, *(_given(order, "target_scaling") or TARGET_SCALINGS)]
    return list(dict.fromkeys(own or [order.fixed["target_scaling"]]))


def _given(order: Order, name: str) -> set[str]:
    """The values that the caller's own space has of a field; none where he said nothing of it."""
    draw = Space(2**20, 1, given=order.space).own.get(name)
    return set(draw.values) if isinstance(draw, Choice) else set()


def affordable(cells: int) -> set[str]:
    """The scalings of a race: of those that are stored, all for a small table, for a large one only the likeliest."""
    rare = {name for name in SCALINGS if is_stored(name) and name not in LIKELY_SCALINGS}
    return set(SCALINGS) - (rare if cells > RARE_CELLS else set())


def fewest_rows(prepared: Prepared) -> int:
    """Training rows of the smallest fold."""
    return min(len(fold.train) for fold in prepared.folds)


def space_of(order: Order, prepared: Prepared, epochs: int) -> Space:
    """The space of a race: a short one has fewer rules, since each has to be compiled."""
    most = planning.rules_for(order.seconds, order.recipes)
    classes = prepared.target.task == "classification"
    return Space(fewest_rows(prepared), epochs, order.fixed, most, classes, prepared.scalings, order.space, order.also)


def plan_of(order: Order, prepared: Prepared, notes: list[str]) -> tuple[Plan, Shapes]:
    """The rungs and the shapes, from the order and a cost model; nothing is measured."""
    if order.recipe:
        most_recipes(order, prepared, [order.recipe.with_fields(order.fixed)], 1)
        return planning.flat(1, order.epochs or order.recipe.epochs), []
    space = space_of(order, prepared, order.epochs or 1)
    notes += space.notes
    shapes, folds, raced = shapes_of(space, order, notes), len(prepared.folds), [space.default(), *order.also]
    if order.recipes and order.epochs:
        most_recipes(
            order, prepared, [*raced, *(space.default().with_fields(shape) for shape in shapes)], order.recipes
        )
        return planning.flat(order.recipes, order.epochs), shapes
    assert order.seconds is not None
    shapes = fitting(space, prepared, shapes, notes)
    structures = [structure_of(space.default().with_fields(shape), prepared) for shape in shapes]
    costs = [
        max(1, space.rows // s.batch_size) * step_seconds(s, width(s), kind_of_device()) * folds for s in structures
    ]
    opened = [space.default().with_fields(shape) for shape in shapes]
    most = most_recipes(order, prepared, [*(raced if order.memory else ()), *opened], planning.FINISHERS)
    start = 3.0 + 3e-8 * prepared.rows * prepared.width  # seconds until racers run, by a model too
    steps = max(1, space.rows // max(s.batch_size for s in structures))
    plan = planning.for_seconds(order.seconds, workers(cores()), costs, start, most, steps, order.plan)
    return plan, shapes


def shapes_of(space: Space, order: Order, notes: list[str]) -> Shapes:
    """The shapes of a race; a short one has that of the default recipe alone, which it races in any case: each further
    program takes seconds to compile."""
    if order.recipes and order.epochs:
        shapes = space.shapes(max(1, min(8, order.recipes // 16)), seed=order.seed)
    else:
        assert order.seconds is not None
        count, short = planning.structures_for(order.seconds), order.seconds < ONE_SHAPE
        shapes = space.shapes(1, [PLAIN], order.seed) if short else space.shapes(count, seed=order.seed)
    if left := space.unopened(shapes):
        values = "; ".join(f"{name} {', '.join(map(str, values))}" for name, values in left.items())
        notes.append(f"the race opens {len(shapes)} of the shapes in your space. Not among them: {values}.")
    return shapes


def drawn(
    order: Order, prepared: Prepared, plan: Plan, shapes: Shapes, first: int, raced: Callable[[Recipe], bool]
) -> list[Recipe]:
    """The recipes of a race, the first of them number `first`; `raced`: whether one was in the race before this."""
    if order.recipe:
        recipes = [order.recipe.with_fields(order.fixed).with_epochs(plan.epochs)]
    else:
        space = space_of(order, prepared, plan.epochs)
        recipes = space.recipes(order.seed, first, plan.recipes, shapes, raced)
    rows = fewest_rows(prepared)
    for recipe in recipes:
        if recipe.batch_size > rows:
            raise wrong("batch_size", f"at most the number of training rows, {rows}", recipe.batch_size)
    return recipes


def entered(
    recipes: list[Recipe], first: int, prepared: Prepared, metric: Metric, seed: int, replicates: Sequence[int] = (0,),
    *, replayed: bool = True,
) -> tuple[list[Heat], list[Entry]]:  # fmt: skip
    """Group recipes by structure and rules, give each its racers, one a fold and replicate, and make the data ready for
    the devices."""
    by_structure: dict[Structure, list[int]] = {}
    for i, recipe in enumerate(recipes):
        by_structure.setdefault(structure_of(recipe, prepared), []).append(i)
    data, shuffles = Placed(Data(prepared.x, prepared.y)), Shuffles(seed, prepared.weights)
    heats, entries, folds = [], [], range(len(prepared.folds))
    for structure, members in by_structure.items():
        kinds = Counter(kind_of(recipes[i].rule) for i in members)
        for rules in _shared(set(kinds)):
            crowd = max(kinds[rule] for rule in rules) * len(prepared.folds) * len(replicates)
            heat = Heat(structure, prepared, data, metric, shuffles, seed, rules, crowd, replayed=replayed)
            heats.append(heat)
            for i in members:
                if kind_of(recipes[i].rule) in rules:
                    racers = [Racer(first + i, recipes[i], fold, r) for r in replicates for fold in folds]
                    entries.append(Entry(first + i, recipes[i], heat, racers))
    return heats, sorted(entries, key=lambda entry: entry.number)


def further(
    order: Order, prepared: Prepared, plan: Plan, heats: list[Heat], ranked: list[Entry], first: int
) -> list[Entry]:
    """The recipes of a further start, as many as the plan has, from number `first` on: neighbours of the best so far
    that the caller's own space holds, of their shapes and rules, whose programs are there."""
    space = space_of(order, prepared, plan.epochs)
    scored = [entry.recipe for entry in ranked if np.isfinite(entry.best[0]) and space.holds(entry.recipe)]
    parents = scored[: max(PARENTS, len(ranked) // 8)]
    there = {(heat.structure, rule): heat for heat in heats for rule in heat.rules}
    seen, entries = {repr(entry.recipe) for entry in ranked}, list[Entry]()
    for number in range(first, first + plan.recipes if parents else first):
        recipe = space.near(order.seed, number, parents)
        heat = there.get((structure_of(recipe, prepared), kind_of(recipe.rule)))
        if heat and repr(recipe) not in seen:  # a neighbour may be what it is a neighbour of
            seen.add(repr(recipe))
            racers = [Racer(number, recipe, fold) for fold in range(len(prepared.folds))]
            entries.append(Entry(number, recipe, heat, racers))
    return entries


def _shared(kinds: set[Kind]) -> list[tuple[Kind, ...]]:
    """The rules of a structure, dealt evenly to as few programs as hold PROGRAM_RULES each: several are compiled at
    once, one a core, and racers of the first set out while the others are compiled."""
    ordered = sorted(kinds, key=_without_addresses)
    programs = -(-len(ordered) // PROGRAM_RULES)
    return [tuple(ordered[i::programs]) for i in range(programs)]


def _without_addresses(kind: Any) -> str:
    """The text of a kind, the same in every process: the order of the rules in a program."""
    return re.sub(r"0x[0-9a-f]+", "", str(kind))


def end_of(order: Order, prepared: Prepared, plan: Plan, heats: list[Heat], began: float) -> float:
    """The time.perf_counter() at which racers must stop, so that the rest is done within the limit."""
    if order.seconds is None:
        return math.inf
    end = began + order.seconds - max(planning.reserved(order.seconds) + 0.5, 1.0)
    for fold in range(len(prepared.folds), len(prepared.all_folds)):  # time to train the winner once more on more rows
        end -= 1.5 * plan.epochs * max(heat.epoch_cost(fold) * heat.width for heat in heats)
    end -= reserve(prepared, heats, order.seconds, workers(cores())) + seconds_of(order.seconds)
    return max(end, began + 0.5 * order.seconds)
