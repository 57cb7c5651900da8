"""RAdam: Adam that waits with its unit of size until enough gradients have been seen to measure it."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class RAdamMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


def share(y: Array) -> Array:
    """1/y − 2/(e²ʸ − 1) for y > 0; its first terms where that difference would lose its digits (y < 0.1).

    >>> round(float(share(0.03)), 4), round(float(share(3.0)), 4)
    (0.99, 0.3284)
    """
    small, large = jnp.minimum(y, 0.1), jnp.maximum(y, 0.1)
    series = 1 - small / 3 + small**3 / 45 - 2 * small**5 / 945 + small**7 / 4725
    return jnp.where(y < 0.1, series, 1 / large - 2 / jnp.expm1(2 * large))


def span(f: Array, t: Array) -> Array:
    """ρ of RAdam: how many equally weighted gradients a mean that forgets f = 1 − β is worth after t steps.

        ρ = 2 / f − 1 − 2 t βᵗ / (1 − βᵗ)             as the paper has it: a difference that float32 cannot take
          = t h(t λ / 2) + 1 − h(λ / 2)               the same, with λ = −ln β and h(y) = 1/y − 2/(e²ʸ − 1)

    >>> round(float(span(0.001, 1)), 4), round(float(span(0.001, 5)), 4)
    (1.0, 4.996)
    """
    decay = -jnp.log1p(-f)
    return t * share(t * decay / 2) + 1 - share(decay / 2)


def rectifier(rho: Array, rho_inf: Array) -> Array:
    """r of RAdam, for ρ and ρ∞ above 4: how much of Adam's step the measured size is good for, in (0, 1].

    >>> float(rectifier(5.0, 5.0))
    1.0
    """
    return jnp.sqrt((rho - 4) / (rho_inf - 4) * ((rho - 2) / (rho_inf - 2)) * (rho_inf / rho))


@record
class RAdam(Rule):
    """Rectified Adam (Liu et al. 2020, https://arxiv.org/abs/1908.03265, Algorithm 2).

        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²
        m̂ = m / (1 − β₁ᵗ)
        v̂ = v / (1 − β₂ᵗ)
        ρ∞ = 2 / (1 − β₂) − 1
        ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
        r = √((ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ))
        ρ > threshold:  Δ = −η r m̂ / (√v̂ + ε)
        otherwise:      Δ = −η early m̂

    beta1, beta2: [] how much of the past each mean keeps; ρ never passes 4 with beta2 ≤ 0.6. epsilon: [] added outside
    the root, as in Optax (PyTorch adds it before the correction of v). threshold: [] 5 as in PyTorch (the paper says 4,
    Optax ≥ 5): the first rectified step is the 6th (the 5th at 4). early: [] how much of the steps before it is taken:
    1 as in PyTorch and Optax, 0 as in the authors' code, which leaves them out. They have the size of the gradient
    itself, so that badly scaled columns make them huge.

    >>> rule = RAdam()
    >>> delta, memory = rule.step(jnp.array([3.0, -0.5]), rule.init(jnp.zeros(2)), jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.3, 0.05]
    """

    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient keeps", keeps=True)
    beta2: Setting = setting(
        0.999, "[0, 1)", "how much of the past the mean square keeps", keeps=True, search=(0.95, 0.99, 0.999)
    )
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the root")
    threshold: Setting = setting(5.0, "[4, inf)", "the span of the mean square that allows rectified steps")
    early: Setting = setting(1.0, "[0, 1]", "how much of a step is taken before that", search=(0.0, 1.0))

    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: RAdamMemory(m=jnp.zeros_like(p), v=jnp.zeros_like(p)))(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params
        f1, f2 = forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree
        rho_inf = 2 / f2 - 1
        rho = span(f2, t)
        rectified = rho > self.threshold
        r = rectifier(jnp.where(rectified, rho, 5.0), jnp.where(rectified, rho_inf, 5.0))  # 1, not NaN, where unused
        long, short = -rate * r, -rate * self.early

        @over_tree
        def one(g, memory):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            m_hat = m * k1
            v_hat = v * k2
            delta = m_hat * jnp.where(rectified, long / (root(v_hat) + self.epsilon), short)
            return delta, RAdamMemory(m, v)

        return one(gradient, memory)
