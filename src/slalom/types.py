"""The shape letters and the few type names that every file shares.

Shapes in comments and docstrings use these letters and no others:
R racers of a race, K racers of one lane, N rows, B rows of a batch, D columns of X, F features of a layer.
"""

from typing import Any, TypeAlias

Array: TypeAlias = Any  # a NumPy array on the host, a JAX array (or tracer) in a program
Setting: TypeAlias = Any  # a Python float, or one number of a program when it differs per racer
Tree: TypeAlias = Any  # any nesting of tuples, dicts and records with arrays as leaves
