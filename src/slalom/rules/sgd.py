"""SGD: step against the gradient, by the learning rate."""

from slalom.record import record
from slalom.rules.base import Rule, over_tree


@record
class SGD(Rule):
    """Stochastic gradient descent (Robbins & Monro 1951, https://doi.org/10.1214/aoms/1177729586).

        Δ = −η g

    It has no settings and remembers nothing: the memory of every array is None. Whether it is batch, mini-batch or
    truly stochastic descent is decided by the rows that g was taken from.

    >>> import jax.numpy as jnp
    >>> delta, memory = SGD().step(jnp.array([3.0, -0.5]), None, jnp.zeros(2), t=1, rate=0.1)
    >>> [round(float(d), 6) for d in delta]
    [-0.3, 0.05]
    """

    rates = (1e-2, 1.0)
    ignores_zeros = True

    def init(self, params):
        return over_tree(lambda p: None)(params)

    def step(self, gradient, memory, params, *, t, rate):
        del params, t

        @over_tree
        def one(g, memory):
            delta = -rate * g
            return delta, memory

        return one(gradient, memory)
