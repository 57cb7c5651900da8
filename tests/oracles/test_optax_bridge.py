"""The bridge to Optax: rules in Optax's loops, Optax's optimisers as rules, each against the other side's own loop."""

import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tomli_w

from slalom import rules, schedules
from slalom.errors import SlalomError
from slalom.record import from_plain, to_plain
from slalom.rules import FromOptax, score_params, to_optax
from slalom.rules.base import at_horizon
from slalom.rules.from_optax import optimisers
from slalom.rules.optax_bridge import RuleState

ROOT = Path(__file__).parents[2]
TURN = np.linalg.qr(np.random.default_rng(7).normal(size=(6, 6)))[0]
QUADRATIC = TURN @ np.diag(np.logspace(-2, 1, 6)) @ TURN.T
START = np.array([[1.0, -2.0, 0.5], [3.0, -0.25, 1.5]])  # a matrix, for rules that need one
STEPS = 200
FALL = np.where(np.arange(STEPS) < 100, 1.0, 0.3)
EACH_RULE = pytest.mark.parametrize("name", rules.REGISTRY)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def gradient(w):
    return (jnp.asarray(QUADRATIC) @ w.reshape(-1)).reshape(w.shape)


def by_slalom(rule, rates, start=START):
    """(the points of a rule's own walk, the weights to score at its end)."""

    def one(carry, now):
        w, memory = carry
        delta, memory = rule.step(gradient(w), memory, w, t=now[0], rate=now[1])
        return (w + delta, memory), w + delta

    w = jnp.asarray(start)
    now = (jnp.arange(1.0, len(rates) + 1), jnp.asarray(rates))
    (w, memory), points = jax.jit(lambda carry: jax.lax.scan(one, carry, now))((w, rule.init(w)))
    return np.asarray(points), np.asarray(rule.weights_to_score(w, memory))


def by_optax(tx, steps=STEPS, start=START):
    """(the points of an Optax loop, its last weights, its last state)."""

    def one(carry, _):
        w, state = carry
        updates, state = tx.update(gradient(w), state, w)
        w = optax.apply_updates(w, updates)
        return (w, state), w

    w = jnp.asarray(start)
    (w, state), points = jax.jit(lambda carry: jax.lax.scan(one, carry, length=steps))((w, tx.init(w)))
    return np.asarray(points), w, state


def assert_same(mine, theirs):
    """Equal to 1e-12 of the size of each point, on a walk that leads somewhere."""
    assert np.isfinite(theirs).all()
    assert np.abs(theirs[-1] - START).max() > 1e-3
    np.testing.assert_array_less(np.abs(mine - theirs).max(axis=(1, 2)), 1e-12 * np.abs(theirs).max(axis=(1, 2)))


# --- rules in Optax ---------------------------------------------------------------------------------------------------


@EACH_RULE
def test_a_rule_in_optax_walks_its_own_way(name, float64):
    """200 steps through Optax are the rule's own, with a schedule and lengths in fractions of the horizon."""
    rule = rules.REGISTRY[name]()
    rate = np.sqrt(np.prod(rule.rates))  # the middle of those worth trying
    tx = to_optax(rule, rate, schedule=schedules.Cosine(), horizon=STEPS)
    points, w, state = by_optax(tx)
    rates = rate * schedules.Cosine()(np.arange(STEPS), STEPS)
    own, scored = by_slalom(at_horizon(rule, STEPS), rates)
    assert_same(points, own)
    np.testing.assert_allclose(score_params(rule, state, w), scored, rtol=1e-12, atol=1e-13)


def test_a_rule_in_a_chain_is_that_around_it(float64):
    """Behind Optax's clipping a rule walks as inside Slalom's, and its state is found in the chain's."""
    rule = rules.EMA(rules.Adam(), beta=0.9)
    tx = optax.chain(optax.clip_by_global_norm(0.5), to_optax(rule, 0.05))
    points, w, state = by_optax(tx)
    own, scored = by_slalom(rules.ClipNorm(rule, norm=0.5), np.full(STEPS, 0.05))
    assert_same(points, own)
    np.testing.assert_allclose(score_params(rule, state, w), scored, rtol=1e-12, atol=1e-13)
    assert np.abs(np.asarray(w) - scored).max() > 1e-6


def test_a_schedule_is_a_function_of_the_step_for_either_side(float64):
    """Slalom's schedule in Optax's Adam, Optax's schedule in Slalom's, and both as functions are one walk."""
    cosine, theirs = schedules.Cosine(), optax.cosine_decay_schedule(0.05, STEPS)
    reference, _, _ = by_optax(optax.adam(theirs))
    for tx in (
        optax.adam(lambda t: 0.05 * cosine(t, STEPS)),
        to_optax(rules.Adam(), 0.05, schedule=cosine, horizon=STEPS),
        to_optax(rules.Adam(), 0.05, schedule=lambda t: cosine(t, STEPS)),
        to_optax(rules.Adam(), theirs),
        to_optax(rules.Adam(), 1.0, schedule=theirs),
    ):
        # JAX divides whole numbers, such as Optax's count, in float32 even where all else is float64.
        np.testing.assert_allclose(by_optax(tx)[0], reference, rtol=0, atol=1e-6)


def test_there_and_back_is_the_rule_itself(float64):
    """A rule handed to Optax and taken back walks as the rule itself."""
    own, _ = by_slalom(rules.RAdam(), 0.01 * FALL)
    assert_same(by_slalom(FromOptax(to_optax(rules.RAdam(), 1.0)), 0.01 * FALL)[0], own)
    assert_same(by_slalom(FromOptax(lambda rate: to_optax(rules.RAdam(), rate)), 0.01 * FALL)[0], own)


def test_half_precision_keeps_its_types_and_its_count():
    """With bfloat16 parameters updates and memory stay bfloat16, and step 257 is not step 256."""

    class Counting(rules.SGD):
        def init(self, params):
            return ()

        def step(self, gradient, memory, params, *, t, rate):
            return jax.tree.map(lambda p: 0 * p + (t - 256).astype(p.dtype), params), memory

    w = jnp.ones(3, jnp.bfloat16)
    state = to_optax(rules.Adam(), 0.1).init(w)
    updates, after = to_optax(rules.Adam(), 0.1).update(w, state, w)
    assert updates.dtype == jnp.bfloat16
    assert [leaf.dtype for leaf in jax.tree.leaves(after)] == [leaf.dtype for leaf in jax.tree.leaves(state)]
    updates, _ = to_optax(Counting(), 0.1).update(w, RuleState(jnp.int32(256), ()), w)
    assert float(updates[0]) == 1.0


def test_a_rate_may_be_injected(float64):
    """Optax's inject_hyperparams moves the rate of a rule between steps."""
    tx = optax.inject_hyperparams(to_optax, static_args=("rule",))(rule=rules.SGD(), learning_rate=0.5)
    w = jnp.ones(2)
    state = tx.init(w)
    state.hyperparams["learning_rate"] = jnp.asarray(0.25)
    updates, _ = tx.update(w, state, w)
    np.testing.assert_array_equal(updates, [-0.25, -0.25])


WRONG_CALLS = {
    "no params": (
        lambda: to_optax(rules.SGD(), 0.1).update(jnp.ones(1), None),
        "to_optax: update(params=…) must be the parameters. Got None. Call update(gradient, state, params).",
    ),
    "no horizon": (
        lambda: to_optax(rules.SGD(), 0.1, schedule=schedules.Cosine()),
        "to_optax(schedule=…) is a schedule, which must know its horizon. Give to_optax(horizon=…) in steps.",
    ),
    "a class": (
        lambda: to_optax(rules.SGD, 0.1),
        f"to_optax(rule=…) must be a rule of slalom.rules. Got {rules.SGD!r}. Give a record such as Adam().",
    ),
    "a negative rate": (
        lambda: to_optax(rules.SGD(), -0.1),
        "to_optax(learning_rate=…) must be a number in [0, inf), or a function of the step. Got -0.1.",
    ),
    "no rate": (
        lambda: to_optax(rules.SGD(), None),
        "to_optax(learning_rate=…) must be a number in [0, inf), or a function of the step. Got None.",
    ),
    "no rule in a state": (
        lambda: score_params(rules.SGD(), optax.adam(0.1).init(jnp.ones(1)), jnp.ones(1)),
        "score_params(state=…) must be an Optax state with one rule of to_optax in it. Got 0.",
    ),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_a_wrong_call_is_a_sentence(case):
    """What cannot work says where, what was wanted, what came and what to do."""
    call, sentence = WRONG_CALLS[case]
    with pytest.raises(SlalomError) as raised:
        call()
    assert str(raised.value) == sentence


# --- Optax's optimisers as rules --------------------------------------------------------------------------------------


def falling(rate):
    """The rates of `rate * FALL` as Optax takes them."""
    return lambda count: jnp.where(count < 100, rate, 0.3 * rate)


AS_RULES = {
    "adam": (FromOptax("adam", {"b1": 0.8, "b2": 0.9, "eps": 0.5}), 0.05, lambda r: optax.adam(r, 0.8, 0.9, 0.5)),
    "adam as a function": (FromOptax(optax.adam), 0.05, optax.adam),
    "adabelief": (FromOptax("adabelief", {"b1": 0.8, "eps": 0.1}), 0.05, lambda r: optax.adabelief(r, b1=0.8, eps=0.1)),
    "adamw": (FromOptax("adamw", {"weight_decay": 0.1}), 0.05, lambda r: optax.adamw(r, weight_decay=0.1)),
    "lion": (FromOptax("lion", {"b1": 0.8}), 0.003, lambda r: optax.lion(r, b1=0.8)),
    "sgd with momentum": (
        FromOptax("sgd", {"momentum": 0.8, "nesterov": True}),
        0.03,
        lambda r: optax.sgd(r, 0.8, nesterov=True),
    ),
    "rmsprop with the rate in its memory": (
        FromOptax("rmsprop", {"momentum": 0.8, "eps": 0.1}),
        0.005,
        lambda r: optax.rmsprop(r, momentum=0.8, eps=0.1),
    ),
    "prodigy": (
        FromOptax("contrib.prodigy", {"betas": (0.8, 0.9), "estim_lr0": 1e-3}),
        0.5,
        lambda r: optax.contrib.prodigy(r, (0.8, 0.9), estim_lr0=1e-3),
    ),
    "muon": (FromOptax("contrib.muon"), 0.02, optax.contrib.muon),
    "a chain": (
        FromOptax(optax.chain(optax.clip_by_global_norm(0.7), optax.add_decayed_weights(0.1), optax.adam(1.0))),
        0.05,
        lambda r: optax.chain(optax.clip_by_global_norm(0.7), optax.add_decayed_weights(0.1), optax.adam(r)),
    ),
    "a function": (
        FromOptax(lambda rate, norm: optax.chain(optax.clip_by_global_norm(norm), optax.yogi(rate)), {"norm": 0.7}),
        0.05,
        lambda r: optax.chain(optax.clip_by_global_norm(0.7), optax.yogi(r)),
    ),
}


@pytest.mark.parametrize("case", AS_RULES)
def test_an_optimiser_walks_as_in_optax(case, float64):
    """200 steps of Optax inside Slalom, the rate from outside, are those of its own loop with its own schedule."""
    rule, rate, build = AS_RULES[case]
    assert_same(by_slalom(rule, rate * FALL)[0], by_optax(build(falling(rate)))[0])


def test_racers_side_by_side_walk_as_alone(float64):
    """Racers that differ in the numbers of one Optax optimiser share a program and walk as each would alone."""
    racers = [FromOptax("contrib.prodigy", {"betas": (b, 0.9), "estim_lr0": d}) for b, d in ((0.7, 1e-3), (0.9, 1e-2))]
    assert jax.tree.structure(racers[0]) == jax.tree.structure(racers[1])
    together = jax.vmap(lambda rule: _points(rule, 0.5 * FALL))(jax.tree.map(lambda *n: jnp.stack(n), *racers))
    for mine, rule in zip(together, racers, strict=True):
        np.testing.assert_allclose(
            mine, by_slalom(rule, 0.5 * FALL)[0], rtol=0, atol=1e-8
        )  # Prodigy makes rounding grow
    assert np.abs(together[0] - together[1]).max() > 1e-3


def _points(rule, rates):
    def one(carry, rate):
        w, memory = carry
        delta, memory = rule.step(gradient(w), memory, w, t=None, rate=rate)
        return (w + delta, memory), w + delta

    w = jnp.asarray(START)
    return jax.lax.scan(one, (w, rule.init(w)), jnp.asarray(rates))[1]


def test_what_makes_another_program_stands_in_the_structure():
    """Names and truths make another structure, numbers do not; equal rules are equal and have one hash."""
    structure = jax.tree.structure
    assert structure(FromOptax("adam", {"b1": 0.9})) == structure(FromOptax("adam", {"b1": 0.5}))
    assert structure(FromOptax("adam", {"b1": 0.9})) != structure(FromOptax("adam", {"b2": 0.9}))
    assert structure(FromOptax("adam", {"b1": 0.9})) != structure(FromOptax("lion", {"b1": 0.9}))
    assert structure(FromOptax("adam", {"nesterov": True})) != structure(FromOptax("adam", {"nesterov": False}))
    assert len({structure(FromOptax("adam", {"b1": b})) for b in (0.1, 0.2)}) == 1
    assert FromOptax("adam", {"b1": 0.9}) == FromOptax(optax.adam, {"b1": 0.9}) != FromOptax("adam", {"b1": 0.5})
    assert hash(FromOptax("adam", {"b1": 0.9})) == hash(FromOptax("adam", {"b1": 0.9}))
    assert repr(FromOptax("adam", {"b1": 0.9})) == "FromOptax(optimiser='adam', settings={'b1': 0.9})"


def test_a_number_that_optax_looks_at_is_part_of_the_program(float64):
    """Where Optax branches on a setting while it builds, that setting is no number of the program, and all is right."""
    build = lambda rate, momentum: optax.sgd(rate, momentum=momentum if momentum > 0 else None)  # noqa: E731
    rule = FromOptax(build, {"momentum": 0.8})
    assert jax.tree.leaves(rule) == []
    assert_same(by_slalom(rule, 0.03 * FALL)[0], by_optax(optax.sgd(falling(0.03), 0.8))[0])


def test_settings_take_the_types_of_optax():
    """A whole number for a fraction, and one written with a point for a count, are what Optax wants."""
    assert FromOptax("adam", {"eps": 1}).settings["eps"] == 1.0
    assert type(FromOptax("adam", {"eps": 1}).settings["eps"]) is float
    assert type(FromOptax("adafactor", {"min_dim_size_to_factor": 64.0}).settings["min_dim_size_to_factor"]) is int


def test_schedule_free_is_scored_at_its_average(float64):
    """The weights to score of Optax's schedule-free optimisers are those that Optax evaluates."""
    rule = FromOptax("contrib.schedule_free_sgd")
    tx = optax.contrib.schedule_free_sgd(0.05)
    _, w, state = by_optax(tx)
    _, scored = by_slalom(rule, np.full(STEPS, 0.05))
    np.testing.assert_allclose(scored, optax.contrib.schedule_free_eval_params(state, w), rtol=1e-12, atol=1e-13)
    assert np.abs(scored - w).max() > 1e-4


def test_optax_in_a_wrapper_of_slalom(float64):
    """A Slalom wrapper around an Optax optimiser is the chain of Optax."""
    rule = rules.ClipNorm(FromOptax("adam", {"b1": 0.8}), norm=0.5)
    chain = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(falling(0.05), b1=0.8))
    assert_same(by_slalom(rule, 0.05 * FALL)[0], by_optax(chain)[0])


@pytest.mark.parametrize(
    "rule",
    [
        FromOptax(),
        FromOptax("adabelief", {"b1": 0.9, "nesterov": True}),
        rules.Lookahead(FromOptax("contrib.prodigy", {"betas": (0.8, 0.9)})),
    ],
    ids=["default", "settings", "nested"],
)
def test_a_named_optimiser_is_written_and_read(rule):
    """A name of Optax with its settings goes through TOML and back, inside a wrapper too."""
    plain = to_plain(rule, rules.REGISTRY)
    assert from_plain("rule", tomllib.loads(tomli_w.dumps(plain)), rules.REGISTRY) == rule


def test_plain_data_is_flat():
    """Settings of Optax stand beside the name, as those of any rule: `rule.b1` names one."""
    plain = to_plain(FromOptax("lion", {"b1": 0.5}), rules.REGISTRY)
    assert plain == {"name": "from_optax", "optimiser": "lion", "b1": 0.5}


UNWRITABLE = {
    "a mask": (
        FromOptax("adamw", {"mask": None}),
        "FromOptax(settings={'mask': …}) must be a number, a word or a truth",
    ),
}


@pytest.mark.parametrize("case", UNWRITABLE)
def test_what_cannot_be_written_down_says_so(case):
    """Settings that are no plain data are refused when a recipe is written."""
    rule, sentence = UNWRITABLE[case]
    with pytest.raises(SlalomError) as raised:
        to_plain(rule, rules.REGISTRY)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    "optimiser", [optax.sgd(1.0), lambda rate: optax.chain(optax.clip(1.0), optax.sgd(rate))], ids=["ready", "function"]
)
def test_of_an_object_the_name_is_written_down(optimiser):
    """A transformation or a function is written down by its name alone, and what is read back says so when it runs."""
    plain = to_plain(FromOptax(optimiser), rules.REGISTRY)
    assert set(plain) == {"name", "unwritten"}
    again = from_plain("rule", plain, rules.REGISTRY)
    assert to_plain(again, rules.REGISTRY) == plain
    with pytest.raises(SlalomError, match=r" was a Python object, of which only the name was kept\. Give it anew\.$"):
        again.init(jnp.ones(2))


ALONE = "FromOptax(optimiser=…) must be an optimiser that needs gradient, parameters and learning rate alone. Got "
REFUSED = {
    "unknown": ("adabelieve", {}, "FromOptax(optimiser=…) must be one of adabelief, adadelta,"),
    "unknown setting": ("lion", {"beta1": 0.9}, "setting of Optax's lion must be one of b1, b2,"),
    "the rate as a setting": ("lion", {"learning_rate": 0.9}, "setting of Optax's lion must be one of b1, b2,"),
    "loss value": ("lbfgs", {}, ALONE + "'lbfgs'. Optax says: "),
    "loss value, contrib": ("contrib.momo", {}, ALONE + "'contrib.momo'. Optax says: "),
    "loss value, ready": (optax.polyak_sgd(1.0), {}, ALONE),
    "plateau": (optax.chain(optax.sgd(1.0), optax.contrib.reduce_on_plateau()), {}, ALONE),
    "line search": (optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(5)), {}, ALONE),
    "no rate": ("polyak_sgd", {}, "FromOptax(optimiser=…) must be a name of Optax that takes a learning_rate."),
    "no optimiser": ("clip", {}, "FromOptax(optimiser=…) must be a name of Optax that takes a learning_rate."),
    "rate ignored": (
        "contrib.cocob",
        {},
        "FromOptax(optimiser=…) must be an optimiser that answers to its learning rate.",
    ),
    "rate kept": (
        "rprop",
        {},
        "FromOptax(optimiser=…) must be an optimiser that takes a new learning rate at every step.",
    ),
    "rate injected": (
        optax.inject_hyperparams(optax.adam),
        {},
        "FromOptax(optimiser=…) must be an optimiser that takes a new learning rate at every step.",
    ),
    "uphill": (optax.scale_by_adam(), {}, "FromOptax(optimiser=…) must be an optimiser that walks downhill."),
    "settings beside": (optax.sgd(1.0), {"b1": 0.9}, "FromOptax(settings=…) must be left away where a transformation"),
    "a number": (3, {}, "FromOptax(optimiser=…) must be a name, a transformation or a function of the learning rate."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_rule_is_refused_in_a_sentence(case):
    """What needs the loss, ignores or keeps its rate, walks uphill or is unknown is refused when the rule is built."""
    optimiser, settings, sentence = REFUSED[case]
    with pytest.raises(SlalomError) as raised:
        FromOptax(optimiser, settings)
    assert str(raised.value).startswith(sentence)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Specifying a key:UserWarning", "ignore::DeprecationWarning")
def test_every_optimiser_of_optax_is_a_rule_or_refused():
    """Of all optimisers of Optax these need more than a gradient and a rate; every other one is a rule by its name."""
    refused = set()
    for name in optimisers():
        try:
            FromOptax(name)
        except SlalomError:
            refused.add(name)
    value, arguments, rate = {"lbfgs", "momo", "momo_adam", "sophia"}, {"dpsgd", "schedule_free"}, {"rprop", "cocob"}
    assert {name.removeprefix("contrib.") for name in refused} == value | arguments | rate
    assert len(optimisers()) - len(refused) >= 35


def test_optax_is_not_needed_until_it_is_asked_for(monkeypatch):
    """Slalom's rules load without Optax; asking for it says how to get it."""
    code = "import sys; sys.modules['optax'] = None; from slalom import rules; print(len(rules.REGISTRY) > 9)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "True", done.stderr
    monkeypatch.setitem(sys.modules, "optax", None)
    for ask in (FromOptax, lambda: to_optax(rules.SGD(), 0.1)):
        with pytest.raises(SlalomError, match=r"^Optax must be installed for this\. Do `pip install optax`\.$"):
            ask()


# --- the example ------------------------------------------------------------------------------------------------------


def test_the_example_runs():
    """examples/rules_in_optax.py runs and its losses fall."""
    script = ROOT / "examples" / "rules_in_optax.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "JAX: loss " in done.stdout
    for line in done.stdout.splitlines():
        if ": loss " in line:
            first, last = (float(number) for number in line.split(": loss ")[1].split(" -> "))
            assert last < 0.1 * first
