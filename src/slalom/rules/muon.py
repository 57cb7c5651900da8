"""Muon: a matrix takes steps that turn all its directions equally; everything else walks by AdamW."""

from typing import NamedTuple

import jax.numpy as jnp

from slalom.record import record, setting
from slalom.rules.base import Rule, correction, forgetting, over_tree, root
from slalom.types import Array, Setting


class MatrixMemory(NamedTuple):
    m: Array  # mean of the gradient


class OtherMemory(NamedTuple):
    m: Array  # mean of the gradient
    v: Array  # mean of its square


def is_matrix(w: Array) -> bool:
    """Whether an array is a matrix: two sides, both longer than 1 (biases and gains are [F, 1] here)."""
    return w.ndim == 2 and min(w.shape) > 1


def orthogonal(u: Array, epsilon: Array) -> Array:
    """u with its singular values brought near 1 (into 0.7-1.2) by five steps of a quintic Newton-Schulz iteration.

        X ← u / (‖u‖ + ε), turned so that it is wider than high
        five times:  A = X Xᵀ;  X ← 3.4445 X + (−4.7750 A + 2.0315 A²) X

    >>> bool(jnp.linalg.norm(orthogonal(jnp.array([[3.0, 0.0], [0.0, 0.5]]), 1e-8) - jnp.eye(2)) < 0.5)
    True
    """
    turned = u.shape[0] > u.shape[1]
    x = u.T if turned else u
    x = x / (jnp.sqrt(jnp.sum(x**2)) + epsilon)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.T if turned else x


@record
class Muon(Rule):
    """Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) for matrices, AdamW for all other arrays.

        a matrix [out, in] with both sides longer than 1:
            m ← μ m + (1 − μ) g
            u = (1 − μ) g + μ m                               Nesterov's look ahead
            Δ = −η (0.2 √max(out, in) orthogonal(u) + λ w)
        any other array:
            m ← β₁ m + (1 − β₁) g
            v ← β₂ v + (1 − β₂) g²
            Δ = −η (m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε) + λ w)

    mu: [] how much of the past the mean gradient of a matrix keeps. beta1, beta2: [] the same for the other arrays.
    epsilon: [] added to the norm of a matrix before `orthogonal`, and to the root elsewhere. weight_decay: [] λ, the
    share of a weight that decays, times the rate, in all arrays. The factor 0.2 √max(out, in) gives a matrix steps of
    AdamW's usual size (Liu et al. 2025, https://arxiv.org/abs/2502.16982), so that one rate fits both kinds: PyTorch's
    `match_rms_adamw`. PyTorch's default and Optax's is Jordan's √max(1, out / in); Keras has a factor of its own for a
    rate of its own. PyTorch takes matrices only; Optax corrects m for its start, which changes the look ahead of the
    first steps, counts [F, 1] as matrices, and has Nesterov's look ahead in its AdamW. All arithmetic is in the
    array's own type (Jordan: bfloat16). The last layer of a net with several outputs is a matrix like the others.

    >>> rule, w = Muon(weight_decay=0.0), jnp.array([[3.0, 0.0], [0.0, 0.5]])
    >>> delta, memory = rule.step(w, rule.init(w), w, t=1, rate=0.1)
    >>> [round(float(d), 3) for d in jnp.diag(delta)]
    [-0.02, -0.029]
    """

    ignores_zeros = False  # the shape of a matrix is the size of its steps

    mu: Setting = setting(
        0.95, "[0, 1)", "how much of the past the mean gradient of a matrix keeps", keeps=True, search=(0.9, 0.95)
    )
    beta1: Setting = setting(0.9, "[0, 1)", "how much of the past the mean gradient elsewhere keeps", keeps=True)
    beta2: Setting = setting(0.999, "[0, 1)", "how much of the past the mean square elsewhere keeps", keeps=True)
    epsilon: Setting = setting(1e-8, "(0, inf)", "added to the norm of a matrix, and to the root elsewhere")
    weight_decay: Setting = setting(0.01, "[0, inf)", "the share of a weight that decays, times the rate")

    def init(self, params):
        def memory(p):
            m = jnp.zeros_like(p)
            return MatrixMemory(m) if is_matrix(p) else OtherMemory(m, v=jnp.zeros_like(p))

        return over_tree(memory)(params)

    def step(self, gradient, memory, params, *, t, rate):
        f, f1, f2 = forgetting(self.mu), forgetting(self.beta1), forgetting(self.beta2)
        k1, k2 = correction(f1, t), correction(f2, t)  # once for the whole tree

        def matrix(g, memory, w):
            m = memory.m + f * (g - memory.m)
            u = m + f * (g - m)
            scale = 0.2 * max(w.shape) ** 0.5
            delta = -rate * (scale * orthogonal(u, self.epsilon) + self.weight_decay * w)
            return delta, MatrixMemory(m)

        def other(g, memory, w):
            m = memory.m + f1 * (g - memory.m)
            v = memory.v + f2 * (g**2 - memory.v)
            delta = -rate * (m * k1 / (root(v * k2) + self.epsilon) + self.weight_decay * w)
            return delta, OtherMemory(m, v)

        @over_tree
        def one(g, memory, w):
            return (matrix if is_matrix(w) else other)(g, memory, w)

        return one(gradient, memory, params)
