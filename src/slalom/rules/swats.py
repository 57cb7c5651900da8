"""SWATS: starts as Adam, measures the rate at which SGD would walk alike, and goes on as SGD once that is steady."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, debias, forgetting, inner, over_tree, root, zero
from slalom.types import Array, Setting, Tree


class WalkMemory(NamedTuple):
    m: Array  # mean of the gradient
    a: Array  # mean of its square
    v: Array  # fading sum of the gradients since the switch


class SWATSMemory(NamedTuple):
    walk: Tree  # of WalkMemory
    projection: Array  # [] λ, mean of SGD's rate over Adam's
    ratio: Array  # [] λ̂ at the switch; 0 before it
    switched: Array  # [] the step at which it switched; 0 before it
    learned: Array  # [] Λ, SGD's rate at the switch; 0 before it


@record
class SWATS(Rule):
    """SWATS (Keskar & Socher 2017, https://arxiv.org/abs/1712.07628, Algorithm 1), switching from Adam to SGD.

        as Adam:  m ← β₁ m + (1 − β₁) g
                  a ← β₂ a + (1 − β₂) g²
                  p = −√(1 − β₂ᵗ) / (1 − β₁ᵗ) m / (√a + ε)
                  Δ = η p
                  γ = pᵀp / (−pᵀg)                  over the whole parameter vector
                  λ ← β₂ λ + (1 − β₂) γ             where pᵀg ≠ 0
                  λ̂ = λ / (1 − β₂ᵗ)
                  if t > 1 and λ̂ > 0 and |λ̂ − γ| < threshold λ̂:  Λ/η = λ̂, v = 0, from the next step on SGD
        as SGD:   v ← β₁ v + g
                  Δ = −(1 − β₁) η (Λ/η) v

    γ is the rate at which the projection of SGD's step on Adam's is Adam's step. beta1, beta2: [] how much of the past
    each mean keeps; beta1 is SGD's momentum too. epsilon: [] added outside the root, before the correction of a, as in
    the paper. threshold: [] relative: how near the mean must come to the newest γ, as a share of itself. The paper's is
    absolute, |λ̂ − γ| < 1e-9, and in practice never met. γ varies from batch to batch by more than its own size, so that
    the two meet by chance: with 1e-3, nets 8-32-1 switched after 23 to 2,700 steps, half of them before step 700, with
    1e-2 after some tens; 0 never switches. latest: [] the step from which on any positive λ̂ with pᵀg ≠ 0 will do; 0
    waits for the threshold alone.

    The paper's rate is constant. Here the rate stands outside the estimate, so that a schedule goes on acting after
    the switch: SGD's rate is Λ at the switch, and moves in proportion to η from there. A step at rate 0 does not
    switch. λ̂ can drift below 0: SGD would climb, hence the guard. A pᵀg below 1e-30 pᵀp counts as 0. `remark` tells
    when the switch was and Λ, or that there was none. Other codes project every array by itself (kozistr) or shrink
    the momentum of their SGD by mistake: other rules.

    >>> rule, w = SWATS(latest=20), jnp.array([1.0, -2.0])
    >>> memory = rule.init(w)
    >>> for t in range(1, 101):
    ...     delta, memory = rule.step(w, memory, w, t=t, rate=0.01)
    ...     w = w + delta
    >>> rule.remark(memory)
    'switched to SGD at step 20 with rate 0.00705'
    """

    beta1: Setting = setting(
        0.9, "[0, 1)", "how much of the past the mean gradient keeps, and SGD after it", keeps=True
    )
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square and the estimate keep", keeps=True, search=(0.99, 0.999)
    )
    epsilon: Setting = setting(1e-9, "(0, inf)", "added to the root")
    threshold: Setting = setting(1e-3, "[0, inf)", "how near the estimate must be to the newest one, as a share")
    latest: Setting = setting(
        0.0,
        "[0, inf)",
        "when it switches at the latest; 0 waits for the threshold",
        length=True,
        search=(0.0, 0.25, 0.5),
    )

    ignores_zeros = True

    def init(self, params):
        empty, nothing = jnp.zeros_like, zero(params)
        walk = over_tree(lambda p: WalkMemory(m=empty(p), a=empty(p), v=empty(p)))(params)
        return SWATSMemory(walk, projection=nothing, ratio=nothing, switched=nothing, learned=nothing)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        c1, c2 = debias(f1, t), debias(f2, t)  # once for the whole tree
        sgd = memory.switched > 0

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            a = memory.a + f2 * (g**2 - memory.a)
            v = jnp.where(sgd, (memory.v - f1 * memory.v) + g, jnp.zeros_like(g))
            p = -jnp.sqrt(c2) / c1 * m / (root(a) + self.epsilon)
            return p, WalkMemory(m, a, v)

        p, walk = one(gradient, memory.walk)
        due = (self.latest > 0) & (t >= self.latest)
        estimate, ready = self._estimated(memory.projection, inner(p, p), inner(p, gradient), f2, c2, due)
        ratio = estimate / c2
        switch = ~sgd & (t > 1) & ready & (ratio * rate > 0)

        def move(p, one):
            return jnp.where(sgd, -rate * memory.ratio * f1 * one.v, rate * p)

        return jax.tree.map(move, p, walk), SWATSMemory(
            walk,
            projection=jnp.where(sgd, memory.projection, estimate),
            ratio=jnp.where(switch, ratio, memory.ratio),
            switched=jnp.where(switch, t, memory.switched).astype(memory.switched.dtype),
            learned=jnp.where(switch, ratio * rate, memory.learned),
        )

    def _estimated(self, projection, pp, pg, f2, c2, due):
        """λ after this step, from pᵀp and pᵀg, and whether it is steady enough, or due, to switch."""
        seen = jnp.abs(pg) > 1e-30 * pp
        gamma = pp / jnp.where(seen, -pg, jnp.ones_like(pg))
        after = jnp.where(seen, projection + f2 * (gamma - projection), projection)
        return after, seen & (due | (jnp.abs(after / c2 - gamma) < self.threshold * after / c2))

    def remark(self, memory):
        if not float(memory.switched):
            return "never switched to SGD"
        return f"switched to SGD at step {int(memory.switched)} with rate {float(memory.learned):.3g}"
