"""Slalom as a contestant: the engine of a race without its scores, which no rival takes."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from slalom import seats
from slalom.bench.cases import RATE, Case, made_data
from slalom.crew import Crew
from slalom.crews import together
from slalom.data import Split, Target
from slalom.executor import Task, Threads, cores
from slalom.heat import Heat
from slalom.losses import measured
from slalom.metrics import find_metric
from slalom.prepare import Prepared, prepare
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.space import LIKELY_SCALINGS, RULES, SCHEDULES
from slalom.start import entered
from slalom.table import table_of

WARM = 20  # steps of every crew before the clock is read
CREWS = 4  # a core, at least
LOOKED_AT = 4096  # rows whose loss is told


def recipes(case: Case) -> list[Recipe]:
    """The racers' recipes: Adam alone, or all rules, schedules and scalings in turn."""
    plain = case.fields | {"rule": "adam", "schedule": "constant", "scaling": "z_score", "learning_rate": RATE}
    if not case.mixed:
        return [Recipe().with_fields(plain | {"epochs": 10**6})] * case.racers
    rules, scalings = sorted(RULES), sorted(LIKELY_SCALINGS)
    schedules = sorted(set(SCHEDULES) - {"plateau"})  # it waits for scores, of which there are none here
    made = []
    for i in range(case.racers):
        turn = {"rule": rules[i % len(rules)], "scaling": scalings[i // len(rules) % len(scalings)]}
        turn["schedule"] = schedules[(i + i // len(rules)) % len(schedules)]
        recipe = Recipe().with_fields(case.fields | turn | {"epochs": 10**6})
        low, high = recipe.rule.rates
        made.append(recipe.with_fields({"learning_rate": float(np.sqrt(low * high))}))
    return made


def prepared_for(case: Case) -> Prepared:
    """The data of a case, all rows of it training rows."""
    x, y = made_data(case)
    table, none = table_of(x, y, None), np.array([], np.intp)
    split = Split((np.arange(case.rows),), (none,), (none,), none)
    scalings = {recipe.scaling for recipe in recipes(case)}
    return prepare(table.taken(), table.labels, Target.fit(y, "classification"), split, scalings, whole=False)


def contestant(case: Case) -> tuple[Callable[[], dict[str, Any]], dict[str, Any]]:
    """(what runs the case, what is known before): everything is compiled and has run some steps."""
    prepared, executor = prepared_for(case), Threads(seats.workers(cores()), seats.take)
    seats.make(executor.workers)
    heats, entries = entered(recipes(case), 0, prepared, find_metric(None, "classification"), 0)
    began = time.perf_counter()
    _all(executor, [Task(0, heat.compile, "compile") for heat in heats])
    compiled = time.perf_counter() - began
    crews = _crews(heats, [racer for entry in entries for racer in entry.racers], executor.workers)

    def advanced(stop: int) -> None:
        def work(heat: Heat, racers: list[Racer]) -> None:
            Crew(heat, racers).advance(stop, [], lambda: False)

        _all(executor, [Task(i, lambda crew=crew: work(*crew)) for i, crew in enumerate(crews)])  # type: ignore[misc]

    advanced(WARM)

    def run() -> dict[str, Any]:
        for entry in entries:
            for racer in entry.racers:  # from the start again
                racer.state, racer.step = None, 0
        start = time.perf_counter()
        advanced(case.steps)
        seconds = time.perf_counter() - start
        made = sum(racer.step for entry in entries for racer in entry.racers)
        return {"updates": made, "seconds": seconds, "loss": _loss(prepared, entries)}

    about = {"compile_seconds": compiled, "width": heats[0].width, "workers": executor.workers}
    return run, about


def _all(executor: Threads, tasks: list[Task]) -> None:
    executor.run(tasks, deadline=float("inf"), tick=lambda: None)


def _crews(heats: list[Heat], racers: list[Racer], workers: int) -> list[tuple[Heat, list[Racer]]]:
    """Racers of one heat and rule, as many as one call takes, but so that every core has some crews."""
    share, crews = -(-len(racers) // (CREWS * workers)), []
    for heat in heats:
        for rule in heat.rules:
            mine = [racer for racer in racers if racer.kind == rule]
            crews += [(heat, crew) for crew in together(heat, mine, share, racer_of=lambda racer: racer)]
    return crews


def _loss(prepared: Prepared, entries: list[Any]) -> float:
    """The mean training loss of the first racers."""
    rows, losses = np.arange(min(LOOKED_AT, prepared.rows)), []
    for entry in entries[:8]:
        (racer,), net = entry.racers, entry.heat.structure.net
        numbers, first = prepared.in_race(racer.recipe.scaling, 0)
        x = prepared.x[first + rows, : prepared.width]
        u = (x - numbers.centre) / numbers.spread
        u = (u / np.hypot(1, u / numbers.clip)).astype(np.float32)
        outputs = net.predict(net.narrowed(racer.state.weights), racer.state.memory, u)
        losses.append(measured("softmax", outputs.astype(np.float64), prepared.labels[rows]) * np.log(len(outputs)))
    return float(np.mean(losses))
