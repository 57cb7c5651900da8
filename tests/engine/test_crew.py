"""Crews of several lanes: one call is as many as there are lanes, bit for bit, and nobody knows of the others."""

import itertools
import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slalom import lane
from slalom.cost import step_seconds
from slalom.crew import Crew
from slalom.crews import together
from slalom.data import Split
from slalom.lane import CALL_SECONDS, MOST_LANES, call_lanes, call_steps, each_lane, width
from slalom.net import Net
from slalom.racer import Racer
from slalom.recipe import Recipe
from slalom.step import Structure

from .heats import COMMON, STEPS, bits, compiled, heat_of, kinds, racer

RULES = ["adam", "ema"]  # the second is scored with other weights than it steps with
CHECKS = [10, 55]
EIGHT = [
    {"dropout": 0.3, "learning_rate": 0.01},
    {"scaling": "quantile_normal", "weight_decay": 0.1},
    {"scaling": "none", "schedule": "step"},
    {"dropout": 0.5, "scaling": "min_max", "warmup": 0.5},
    {"schedule": "plateau", "learning_rate": 0.05},
    {"l1": 1e-3, "rule.beta1": 0.5},
    {"target_scaling": "z_score", "dropout": 0.1},
    {"learning_rate": 1e-3, "rule.beta2": 0.9},
]


@pytest.fixture(scope="module")
def heats():
    """(K, G) -> a heat of two rules with so many racers a lane and so many lanes a call."""
    made = lambda: heat_of("regression", depth=1, activation="silu", normalisation="batch_norm")  # noqa: E731
    return {(k, g): compiled(made(), RULES, k, g) for k in (1, 2) for g in (1, 4)}


def company(rule="adam", count=8):
    """Racers of one rule that differ in everything else."""
    if rule == "adam":
        return [racer(number=i, **fields) for i, fields in enumerate(EIGHT[:count])]
    recipe = Recipe(**COMMON).with_fields({"rule": rule, "learning_rate": 0.01})
    return [Racer(i, recipe.with_fields({"dropout": 0.1 * i}), 0) for i in range(count)]


def found(racers):
    """All that came out for each racer."""
    return [
        (bits(one), one.costs, one.falls, one.best.step, [a.tobytes() for a in jax.tree.leaves(one.best[2:])])
        for one in racers
    ]


def apart(heat, racers, size):
    """The racers in calls of so many each."""
    for i in range(0, len(racers), size):
        Crew(heat, racers[i : i + size]).advance(STEPS, CHECKS, lambda: False)
    return found(racers)


# --- several lanes, one call ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("k", [1, 2])
def test_a_call_of_several_lanes_is_a_call_a_lane(heats, k, rule):
    """Four lanes in one call give every racer the bits, the scores and the best moment that one lane a call gives it,
    or three lanes and then one."""
    count = 4 * k
    together = apart(heats[k, 4], company(rule, count), count)
    assert len({bits for bits, *_ in together}) == count
    assert all(len(costs) == 3 for _, costs, *_ in together)
    assert apart(heats[k, 4], company(rule, count), k) == together
    assert apart(heats[k, 4], company(rule, count), 3 * k) == together


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("k", [1, 2])
def test_a_program_of_one_lane_trains_the_same_bits(heats, k, rule):
    """A program that takes one lane a call trains the bits of one that takes four."""
    together, one = (apart(heats[k, g], company(rule, 4 * k), g * k) for g in (4, 1))
    for (state, costs, *_), (alone, others, *_) in zip(together, one, strict=True):
        assert state == alone
        # Without a racer axis and a loop around them the products of a score are added in another order.
        np.testing.assert_allclose(list(costs.values()), list(others.values()), rtol=1e-5 if k == 1 else 0)


def test_lanes_change_their_order_and_nothing_else(heats):
    """A racer has the same bits in whichever lane of a call it runs."""
    before = dict(zip(range(8), apart(heats[2, 4], company(), 8), strict=True))
    order = [5, 0, 7, 2, 1, 6, 3, 4]
    racers = company()
    assert apart(heats[2, 4], [racers[i] for i in order], 8) == [before[i] for i in order]


@pytest.mark.parametrize(("count", "places"), [(1, 2), (2, 2), (3, 4), (5, 6), (7, 8)])
def test_empty_places_count_for_nothing(heats, count, places):
    """A crew that fills its call in part computes no lane without a racer, whatever lies there; its racers are as in a
    full one, and only they are counted."""
    full = apart(heats[2, 4], company(), 8)
    racers = company()[:count]
    crew = Crew(heats[2, 4], racers)
    poison = lambda a: np.concatenate([a[:places], np.full_like(a[places:], np.nan)]) if a.dtype.kind == "f" else a  # noqa: E731
    crew.state, crew.knobs = jax.tree.map(poison, (crew.state, jax.tree.map(np.asarray, crew.knobs)))
    assert crew.advance(STEPS, CHECKS, lambda: False) == count * STEPS
    assert crew.place_steps == places * STEPS
    assert found(racers) == full[:count]


@pytest.mark.parametrize("ill", [(0,), (3,), (7,), (0, 1), (2, 5)])
def test_an_ill_racer_changes_no_bit_in_any_lane(heats, ill):
    """NaN in the weights of a racer, or of a whole lane, stays with it: all others of the call are as they were, and
    the steps of the ill are counted until the score that showed it."""
    well, racers = apart(heats[2, 4], company(), 8), company()
    for i in ill:
        heats[2, 4].enter(racers[i])
        racers[i].state = racers[i].state._replace(weights=jax.tree.map(lambda a: a * np.nan, racers[i].state.weights))
    made = Crew(heats[2, 4], racers).advance(STEPS, CHECKS, lambda: False)
    assert [one.diverged for one in racers] == [i in ill for i in range(8)]
    assert all(math.isinf(racers[i].costs[CHECKS[0]]) and racers[i].best is None for i in ill)
    healthy = [i for i in range(8) if i not in ill]
    assert found([racers[i] for i in healthy]) == [well[i] for i in healthy]
    assert made == len(healthy) * STEPS + len(ill) * CHECKS[0]


def test_a_crew_of_which_all_are_ill_stops(heats):
    """Where no racer of a call is left, none of its lanes goes on."""
    racers = company()[:4]
    for one in racers:
        heats[2, 4].enter(one)
        one.state = one.state._replace(weights=jax.tree.map(lambda a: a * np.nan, one.state.weights))
    crew = Crew(heats[2, 4], racers)
    assert crew.advance(STEPS, CHECKS, lambda: False) == 4 * CHECKS[0]
    assert crew.place_steps < 4 * STEPS


def test_racers_of_all_folds_share_a_call():
    """Racers of three folds, mixed in the lanes of one call, each go through the rows of their own fold and are scored
    on them: the same bits and scores as alone in a call."""
    parts = np.array_split(np.random.default_rng(0).permutation(60), 3)
    train, none = tuple(np.setdiff1d(np.arange(60), part) for part in parts), np.array([], int)
    split = Split(train, tuple(map(np.sort, parts)), (none,) * 3, none)
    heat = compiled(heat_of("regression", split, depth=1, activation="silu"), ["adam"], 2, 4)
    folds = [0, 2, 1, 1, 0, 2, 2, 0]
    mixed = lambda: [Racer(i, one.recipe, fold) for i, (one, fold) in enumerate(zip(company(), folds, strict=True))]  # noqa: E731
    together = apart(heat, mixed(), 8)
    assert apart(heat, mixed(), 1) == together
    same = [Racer(0, company()[0].recipe, fold) for fold in range(3)]
    assert len({bits for bits, *_ in apart(heat, same, 3)}) == 3


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 40), st.lists(st.integers(0, 4)))
@settings(max_examples=100, deadline=None)
def test_crews_hold_no_more_than_a_call_takes(k, lanes, orders, share, folds):
    """Racers are dealt to crews in their order: of no more places and orders of rows than the program has, and no more
    racers than the share of a core in whole lanes; and each crew is as large as it can be."""
    program = types.SimpleNamespace(width=k, places=k * lanes, orders=orders)
    racers = [Racer(i, None, fold) for i, fold in enumerate(folds)]
    crews = together(program, racers, share, racer_of=lambda one: one)
    most = min(k * lanes, -(-share // k) * k)
    assert [one for crew in crews for one in crew] == racers
    assert all(1 <= len(crew) <= most and len({one.fold for one in crew}) <= orders for crew in crews)
    for crew, after in itertools.pairwise(crews):
        assert len(crew) == most or len({one.fold for one in [*crew, after[0]]}) > orders


@given(k=st.integers(1, 3), g=st.integers(1, 5), data=st.data())
@settings(max_examples=15, deadline=None)
def test_each_lane_is_run_on_the_filled_lanes_alone(k, g, data):
    """`each_lane` puts what a lane answers into its places, leaves those behind the filled lanes as they were, and
    hands a lane of one over without its racer axis."""
    filled = data.draw(st.integers(1, g))
    table = np.arange(k * g * 3, dtype=np.float32).reshape(k * g, 3)
    shapes = []

    def run(rows):
        shapes.append(rows.shape)
        return rows.sum(-1) * 2 - (0 if k == 1 else rows[::-1, 0])  # of lane mates too

    answer = jax.jit(each_lane(run, k, g))(np.int32(filled), jnp.full(k * g, -1.0), table)
    lanes = table.reshape(g, k, 3)
    expected = lanes.sum(-1) * 2 - (0 if k == 1 else lanes[:, ::-1, 0])
    np.testing.assert_array_equal(answer[: filled * k], expected.ravel()[: filled * k])
    assert (answer[filled * k :] == -1).all()
    assert set(shapes) == {(k, 3) if k > 1 else (3,)}


# --- rooms ------------------------------------------------------------------------------------------------------------


def test_rules_take_turns_in_one_room(heats):
    """Racers of two rules that take turns in one program are the same whoever came first; the rule that carries more
    fills the room, and it alone is averaged."""
    heat = heats[2, 1]
    alone = {rule: apart(heat, company(rule, 2), 2) for rule in RULES}
    room = heat.program.room
    assert room.averaging == set(kinds(["ema"]))
    adam, ema = (set(room.places[kind]) for kind in kinds(RULES))
    assert adam < ema == set(range(len(room.shapes)))
    assert {rule: apart(heat, company(rule, 2), 2) for rule in reversed(RULES)} == alone


# --- how wide, how many, how long -------------------------------------------------------------------------------------

NETS = st.builds(
    Net, inputs=st.integers(1, 800), outputs=st.integers(1, 20), depth=st.integers(0, 4), width=st.integers(1, 2000),
    normalisation=st.sampled_from(["none", "batch_norm", "layer_norm"]),
)  # fmt: skip
STRUCTURES = st.builds(Structure, NETS, st.sampled_from([2**i for i in range(13)]), st.just("softmax"))


def is_power(number):
    return type(number) is int and number > 0 and number & (number - 1) == 0


@given(one=STRUCTURES)
@settings(max_examples=200, deadline=None)
def test_lanes_are_narrow_on_a_cpu_and_wide_elsewhere(one):
    """K is 1, 2, 4 or 8 on a CPU, and 8 to 1,024 elsewhere, there with at most 2²⁴ numbers of a batch in the widest
    layer unless it is 8; a larger batch never makes lanes wider."""
    work = one.batch_size * max(one.net.sizes[one.net.depth == 0 :])  # the columns alone are no layer
    assert width(one, "cpu") in (1, 2, 4, 8)
    assert 8 <= width(one, "gpu") <= 1024
    assert width(one, "gpu") == 8 or width(one, "gpu") * work <= 2**24
    twice = Structure(one.net, 2 * one.batch_size, one.loss)
    for device in ("cpu", "gpu"):
        assert width(twice, device) <= width(one, device)
    assert width(one, "cpu") == width(one)


@given(one=STRUCTURES, epoch=st.integers(1, 100_000))
@settings(max_examples=200, deadline=None)
def test_a_call_takes_as_many_lanes_as_make_its_time(one, epoch):
    """G is a power of two up to the most; more than one only where an epoch of all is within the time of a call; and
    never half of what would be."""
    k = width(one)
    g = call_lanes(one, k, epoch)
    seconds = lambda lanes: lanes * k * epoch * step_seconds(one, k)  # noqa: E731
    assert is_power(g)
    assert g <= MOST_LANES
    assert g == 1 or seconds(g) <= CALL_SECONDS * (1 + 1e-9)
    assert g == MOST_LANES or seconds(2 * g) > CALL_SECONDS * (1 - 1e-9)


@given(one=STRUCTURES, epoch=st.integers(1, 100_000))
@settings(max_examples=200, deadline=None)
def test_a_call_takes_as_many_steps_as_make_its_time(one, epoch):
    """S is 1 to 4,096; more than one only within the time of a call and 2²¹ row numbers; and no bound left unused."""
    k = width(one)
    places = k * call_lanes(one, k, epoch)
    s = call_steps(one, k, places // k)
    seconds = places * step_seconds(one, k)
    assert type(s) is int
    assert 1 <= s <= 4096
    assert s == 1 or s * seconds <= CALL_SECONDS * (1 + 1e-9)
    assert s == 1 or s * one.batch_size <= 2**21
    assume(places * one.batch_size * 4096 <= 2**21)
    assert s == 4096 or (s + 1) * seconds > CALL_SECONDS * (1 - 1e-9)


@given(one=STRUCTURES, epoch=st.integers(1, 100_000))
@settings(max_examples=100, deadline=None)
def test_calls_elsewhere_are_bounded_too(one, epoch):
    """On other devices, too, calls have whole lanes and steps, within the same bounds of memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lane.jax, "default_backend", lambda: "gpu")
        k = width(one)
        g = call_lanes(one, k, epoch)
        s = call_steps(one, k, g)
    assert k == width(one, "gpu")
    assert is_power(g)
    assert g <= MOST_LANES
    assert 1 <= s <= 4096
    assert s == 1 or s * one.batch_size <= 2**21
