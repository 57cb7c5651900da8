"""FromOptax: any optimiser of Optax as a rule, so that it races beside those written here."""

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slalom.errors import SlalomError, unknown, wrong
from slalom.record import Unwritten
from slalom.rules.base import Rule
from slalom.rules.optax_bridge import the_optax
from slalom.types import Array

PLAIN = (bool, int, float, str)
WHERE = "FromOptax(optimiser=…)"
DOWNHILL = {
    "w": np.array([[1, -2, 3], [0.5, 0.25, -1.5]], "float32"),
    "b": np.array([0.75, -4], "float32"),
}  # for a trial


@contextlib.contextmanager
def ordinary() -> Iterator[None]:
    """Optax counts on JAX's ordinary promotion of types and ranks, whatever the caller has set."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@functools.cache
def optimisers() -> dict[str, Callable[..., Any]]:
    """The optimisers of Optax that take a learning rate, by name: adam, contrib.prodigy, …"""
    optax = the_optax()
    return {
        prefix + name: made
        for prefix, room in (("", optax), ("contrib.", optax.contrib))
        for name, made in sorted(vars(room).items())
        if inspect.isfunction(made)
        and "learning_rate" in inspect.signature(made).parameters
        and not name.startswith(("_", "scale_by"))
    }


def is_number(value: Any) -> bool:
    """Whether a setting is a number, or a tuple of them, in which racers of one program may differ."""
    parts = value if isinstance(value, tuple) else (value,)
    return bool(parts) and all(isinstance(p, (float, np.ndarray, jax.Array)) for p in parts)


def fitting(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in the types that a factory's defaults have, or the sentence that names an unknown one."""
    defaults = {n: p.default for n, p in inspect.signature(optimisers()[name]).parameters.items()}
    del defaults["learning_rate"]
    made: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in defaults:
            raise unknown(f"setting of Optax's {name}", key, defaults)
        kind = type(defaults[key])
        if isinstance(value, str) and kind in (bool, tuple, int, float):
            value = from_text(f"setting {key} of Optax's {name}", value, kind)
        if (kind is float and type(value) is int) or (kind is int and type(value) is float and value.is_integer()):
            value = kind(value)
        made[key] = tuple(value) if isinstance(value, list) else value
    return made


def from_text(where: str, text: str, kind: type) -> Any:
    """A setting as a command line or a leaderboard has it, in the type that the factory's default has.

    >>> from_text("nesterov", "false", bool), from_text("betas", "0.9, 0.99", tuple)
    (False, (0.9, 0.99))
    """
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.strip().lower()]
        return tuple(map(float, text.split(","))) if kind is tuple else float(text)
    except (KeyError, ValueError):
        wanted = "true or false" if kind is bool else "numbers with commas" if kind is tuple else "a number"
        raise wrong(where, wanted, text) from None


@functools.lru_cache(maxsize=1024)
def trial(structure: Any) -> Callable[..., tuple[list[Array], Array]]:
    """Three steps down a slope at two rates, compiled: (⟨step, gradient⟩ at each, do the memories begin alike)."""

    @jax.jit
    def walk(leaves: Any) -> tuple[list[Array], Array]:
        rule = jax.tree.unflatten(structure, leaves)
        downhill, starts = [], []
        for rate in (0.01, 0.02):
            params, along = jax.tree.map(jnp.asarray, DOWNHILL), jnp.zeros([], jnp.float32)
            memory = rule.init(params, rate)
            starts.append(jax.tree.leaves(memory))
            for t in (1, 2, 3):
                delta, memory = rule.step(DOWNHILL, memory, params, t=t, rate=jnp.float32(rate))
                params = jax.tree.map(jnp.add, params, delta)
                along += sum(jnp.vdot(d, DOWNHILL[name]) for name, d in delta.items())
            downhill.append(along)
        alike = [jnp.all(one == other) for one, other in zip(*starts, strict=True)]
        return downhill, jnp.all(jnp.array(alike or [True]))

    return walk


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True)
class FromOptax(Rule):
    """Any optimiser of Optax (https://optax.readthedocs.io) as a rule.

        a name:              Δ = optax.NAME(learning_rate=η, **settings).update(g, memory, w)
        a function:          Δ = optimiser(η, **settings).update(g, memory, w)
        a transformation:    Δ = η optimiser.update(g, memory, w)

    optimiser: a name of Optax, "adabelief" or "contrib.prodigy"; or a function of the learning rate; or a ready
    `optax.GradientTransformation`, a chain perhaps, built with learning_rate=1.0 because the rate comes from the
    recipe. settings: what the name or the function takes beside the learning rate. A name is written
    down with its settings; of functions and transformations the name alone. The rate enters anew at every step, so that
    optimisers that sum it up in their memory are right. Settings that are floats may differ between racers of one
    program (which is why b2 = 0.999 given here has five digits in float32, as anything that Optax traces; its own
    default has all); the others make another program, and so do all where Optax looks at a float while it builds.
    Three steps are tried when the rule is built: an optimiser that needs the loss value, ignores its learning rate,
    keeps it from the start on or walks uphill is refused with a sentence. Schedule-free optimisers are scored at their
    own average. Optax must be installed.

    >>> rule, w = FromOptax("lion", {"b1": 0.5}), jnp.array([1.0, -2.0])
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(w), w, t=1, rate=0.1)
    >>> [round(float(d), 4) for d in delta]
    [-0.1001, 0.1002]
    """

    ignores_zeros = False  # nobody knows

    optimiser: Any = "adam"
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    numbers: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        if isinstance(self.optimiser, Unwritten):
            return
        optax, name = the_optax(), self.optimiser
        if callable(name):  # optax.adam is "adam"
            names = [known for known, made in optimisers().items() if made is name]
            name = names[0] if names else name
        ready = isinstance(name, optax.GradientTransformation)
        if isinstance(name, str) and name not in optimisers():
            room = optax.contrib if name.startswith("contrib.") else optax
            if hasattr(room, name.removeprefix("contrib.")):
                raise wrong(WHERE, "a name of Optax that takes a learning_rate", name)
            raise unknown(WHERE, name, optimisers())
        if not (isinstance(name, str) or ready or callable(name)):
            raise wrong(WHERE, "a name, a transformation or a function of the learning rate", name)
        if ready and self.settings:
            raise wrong("FromOptax(settings=…)", "left away where a transformation is given", dict(self.settings))
        settings = fitting(name, self.settings) if isinstance(name, str) else dict(self.settings)
        object.__setattr__(self, "optimiser", name)
        object.__setattr__(self, "settings", settings)
        object.__setattr__(self, "numbers", tuple(sorted(n for n, v in settings.items() if is_number(v))))
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(self)):
            self._try()

    def _try(self) -> None:
        """Take three steps; what is no rule is refused, in a sentence."""
        said = self.optimiser if isinstance(self.optimiser, str) else type(self.optimiser).__name__
        try:
            (low, high), alike = self._walk()
        except Exception as error:  # noqa: BLE001 - whatever Optax raises becomes a sentence
            reason = " ".join(str(error).split())[:200].rstrip(".")
            wanted = "an optimiser that needs gradient, parameters and learning rate alone"
            raise SlalomError(f"{WHERE} must be {wanted}. Got {said!r}. Optax says: {reason}.") from None
        if not alike:
            raise wrong(WHERE, "an optimiser that takes a new learning rate at every step", said)
        if not low < 0:
            raise wrong(WHERE, "an optimiser that walks downhill", said, "Build it with learning_rate=1.0.")
        if low == high:
            raise wrong(WHERE, "an optimiser that answers to its learning rate", said)

    def _walk(self) -> tuple[list[Array], Array]:
        leaves, structure = jax.tree.flatten(self)
        try:
            return trial(structure)(leaves)
        except jax.errors.ConcretizationTypeError:  # Optax looks at a setting while it builds
            if not self.numbers:
                raise
            object.__setattr__(self, "numbers", ())
            return self._walk()

    def __hash__(self) -> int:
        return hash((self.optimiser, tuple(sorted(self.settings.items()))))

    def tree_flatten(self) -> tuple[Any, Any]:
        """(the numbers, what makes another program)."""
        static = tuple(sorted((n, v) for n, v in self.settings.items() if n not in self.numbers))
        return [self.settings[n] for n in self.numbers], (self.optimiser, self.numbers, static)

    @classmethod
    def tree_unflatten(cls, about: Any, numbers: Any) -> "FromOptax":
        """The rule again; nothing is tried inside a program."""
        rule = object.__new__(cls)
        optimiser, names, static = about
        for field, value in (
            ("optimiser", optimiser),
            ("settings", dict(static) | dict(zip(names, numbers, strict=True))),
            ("numbers", names),
        ):
            object.__setattr__(rule, field, value)
        return rule

    def to_plain(self) -> dict[str, Any]:
        """The name of the optimiser and its settings; of a function or a transformation the name alone."""
        if not isinstance(self.optimiser, str):
            return {"unwritten": Unwritten.of(self.optimiser)}
        for key, value in self.settings.items():
            if not all(type(part) in PLAIN for part in (value if isinstance(value, tuple) else (value,))):
                raise wrong(
                    f"FromOptax(settings={{{key!r}: …}})", "a number, a word or a truth to be written down", value
                )
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in self.settings.items()}
        return {"optimiser": self.optimiser, **plain}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "FromOptax":
        """The rule from what `to_plain` gives; of a function or a transformation one that cannot run."""
        if "unwritten" in plain:
            return cls(Unwritten(str(plain["unwritten"])))
        return cls(plain.get("optimiser", "adam"), {key: v for key, v in plain.items() if key != "optimiser"})

    def transformation(self, rate: Array) -> Any:
        """What Optax makes of it at a learning rate; a ready transformation as it is."""
        if isinstance(self.optimiser, str):
            return optimisers()[self.optimiser](learning_rate=rate, **self.settings)
        return self.optimiser if hasattr(self.optimiser, "update") else self.optimiser(rate, **self.settings)

    def init(self, params, rate=0.0):
        with ordinary():
            return jax.tree.map(jnp.asarray, self.transformation(rate).init(params))

    def step(self, gradient, memory, params, *, t, rate):
        del t  # Optax counts for itself
        with ordinary():
            updates, after = self.transformation(rate).update(gradient, memory, params)
            factor = rate if hasattr(self.optimiser, "update") else 1
            delta = jax.tree.map(lambda u, p: (factor * u).astype(p.dtype), updates, params)
            alike = lambda new, old: new if new.dtype == old.dtype else new.astype(old.dtype)  # noqa: E731
            return delta, jax.tree.map(lambda new, old: alike(jnp.asarray(new), old), after, memory)

    def weights_to_score(self, params, memory):
        contrib = the_optax().contrib
        if isinstance(memory, contrib.ScheduleFreeState):
            return contrib.schedule_free_eval_params(memory, params)
        return params
