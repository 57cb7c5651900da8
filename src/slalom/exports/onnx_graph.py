"""A graph of ONNX operators that grows call by call, and the functions of numbers that ONNX has no operator for."""

from typing import Any

import numpy as np

from slalom.types import Array

# Wichura 1988, Applied Statistics 37 (3), algorithm AS 241: Φ⁻¹ for |p − 1/2| ≤ 0.425, and for the tails down to e⁻²⁵.
MIDDLE = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3),
)  # fmt: skip
TAILS = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9),
)  # fmt: skip


class Graph:
    """Nodes in the order in which they were asked for. Everything is a name; arrays given in its place are constants.

    double: columns and targets are float64, what a net computes is float32 (`single`).
    """

    def __init__(self) -> None:
        import onnx

        self._onnx, self.nodes, self.constants = onnx, list[Any](), list[Any]()

    def __call__(self, kind: str, *inputs: Any, domain: str = "", **settings: Any) -> str:
        """The name of what an operator makes of its inputs."""
        name = f"v{len(self.nodes)}"
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        self.nodes.append(self._onnx.helper.make_node(kind, names, [name], domain=domain, **settings))
        return name

    def constant(self, value: Any) -> str:
        """The name of an array; numbers are float64 unless they are an array of another type."""
        array, name = np.asarray(value), f"c{len(self.constants)}"
        if array.dtype.kind in "UO":
            texts: list[Any] = [str(one).encode() for one in array.ravel()]
            held = self._onnx.helper.make_tensor(name, self._onnx.TensorProto.STRING, array.shape, texts)
        else:
            held = self._onnx.numpy_helper.from_array(np.asarray(array, order="C"), name)
        self.constants.append(held)
        return name

    def cast(self, x: str, dtype: str) -> str:
        """x as double, float, int64 or bool."""
        kinds = {"double": "DOUBLE", "float": "FLOAT", "int64": "INT64", "bool": "BOOL"}
        return self("Cast", x, to=getattr(self._onnx.TensorProto, kinds[dtype]))

    def columns(self, x: str, some: range) -> str:
        """Some neighbouring columns of x [N, F]."""
        return self("Gather", x, np.array(some, np.int64), axis=1)

    def joined(self, parts: list[str], axis: int = 1) -> str:
        """Parts side by side."""
        return parts[0] if len(parts) == 1 else self("Concat", *parts, axis=axis)

    def ratio(self, x: str, above: tuple[float, ...], below: tuple[float, ...]) -> str:
        """(a₀ + a₁ x + …) / (b₀ + b₁ x + …)."""
        return self("Div", self._polynomial(x, above), self._polynomial(x, below))

    def _polynomial(self, x: str, factors: tuple[float, ...]) -> str:
        found: Any = factors[-1]
        for factor in factors[-2::-1]:
            found = self("Add", self("Mul", x, found), factor)
        return str(found)

    def normal_quantile(self, p: str) -> str:
        """Φ⁻¹(p) for p between 1e-10 and 1 − 1e-10."""
        q = self("Sub", p, 0.5)
        middle = self("Mul", q, self.ratio(self("Sub", 0.180625, self("Mul", q, q)), *MIDDLE))
        least = self("Max", self("Min", p, self("Sub", 1.0, p)), 1e-300)
        tail = self.ratio(self("Sub", self("Sqrt", self("Neg", self("Log", least))), 1.6), *TAILS)
        signed = self("Where", self("Less", q, 0.0), self("Neg", tail), tail)
        return self("Where", self("LessOrEqual", self("Abs", q), 0.425), middle, signed)

    def power_of(self, u: str, p: float) -> str:
        """((1 + u)^p − 1) / p, log(1 + u) for p = 0."""
        log = self("Log", self("Add", u, 1.0))
        return log if abs(p) < 1e-12 else self("Div", self("Sub", self("Exp", self("Mul", log, p)), 1.0), p)


def small(value: Any) -> Array:
    """An array as the nets hold it, float32."""
    return np.asarray(value, np.float32)
