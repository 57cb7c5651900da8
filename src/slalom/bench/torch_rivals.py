"""PyTorch as a contestant: one racer after the other in its usual loop, and a population of them by batched products.

The optimiser is its fused Adam. The population is written by hand (`torch.baddbmm` on stacked weights), the form that
measured fastest; on a GPU its step is one CUDA graph.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from slalom.bench.cases import CLASSES, RATE, Case, first_weights, made_data, orders
from slalom.layers import Periodic

LOOKED_AT = 4096
WARM = 20
Answer = tuple[Callable[[], dict[str, Any]], dict[str, Any]]


torch.backends.cuda.matmul.allow_tf32 = True  # as JAX does on a GPU


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _data(case: Case) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x, y = made_data(case)
    x = (x - x.mean(0)) / x.std(0)
    rows = torch.from_numpy(orders(case, case.steps + WARM).astype(np.int64))
    return torch.from_numpy(x).to(_device()), torch.from_numpy(y).to(_device()), rows.to(_device())


class Periodics(torch.nn.Module):
    """The periodic embedding: of each column itself and three mixtures of 16 waves."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        m = Periodic.waves
        self.frequency = torch.nn.Parameter(0.1 * torch.randn(columns, m))
        self.phase = torch.nn.Parameter(2 * torch.pi * torch.rand(columns, m))
        self.w = torch.nn.Parameter((2 * torch.rand(columns, m, 3) - 1) * m**-0.5)
        self.b = torch.nn.Parameter((2 * torch.rand(columns, 3) - 1) * m**-0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[B, D] -> [B, 4 D]."""
        waves = torch.cos(2 * torch.pi * self.frequency * x[..., None] + self.phase)
        mixed = torch.einsum("bdm,dmk->bdk", waves, self.w) + self.b
        return torch.cat([x[..., None], mixed], -1).flatten(1)


def _net(case: Case) -> torch.nn.Module:
    """One racer as a module, with the first weights of the case."""
    parts: list[torch.nn.Module] = []
    fields, sizes = case.fields, list(case.sizes)
    if fields.get("embedding") == "periodic":
        parts.append(Periodics(case.columns))
        sizes[0] = 4 * case.columns
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        layer = torch.nn.Linear(a, b)
        hidden = i < len(sizes) - 2
        torch.nn.init.normal_(layer.weight, 0.0, ((2.0 if hidden else 1.0) / a) ** 0.5)
        torch.nn.init.zeros_(layer.bias)
        parts.append(layer)
        if hidden:
            if fields.get("normalisation") == "batch_norm":
                parts.append(torch.nn.BatchNorm1d(b))
            parts.append(torch.nn.ReLU())
            if fields.get("dropout"):
                parts.append(torch.nn.Dropout(fields["dropout"]))
    return torch.nn.Sequential(*parts).to(_device())


def loop(case: Case, threads: int) -> Answer:
    """The eager loop: racers one after the other."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, y, rows = _data(case)

    def train(first: int, last: int) -> torch.nn.Module:
        net = _net(case)
        optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        for i in range(first, last):
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(net(x[rows[i]]), y[rows[i]]).backward()
            optimiser.step()
        return net

    train(0, WARM)
    _wait()

    def run() -> dict[str, Any]:
        start = time.perf_counter()
        nets = [train(0, case.steps) for _ in range(case.racers)]
        _wait()
        seconds = time.perf_counter() - start
        with torch.no_grad():
            losses = [functional.cross_entropy(net.eval()(x[:LOOKED_AT]), y[:LOOKED_AT]) for net in nets[:8]]
        return {"updates": case.racers * case.steps, "seconds": seconds, "loss": float(sum(losses) / len(losses))}

    return run, {"threads": threads, "device": str(_device())}


class Population:
    """R racers as stacked weights [R, in, out], with whatever the shape has between its layers."""

    def __init__(self, case: Case, width: int) -> None:
        self.case, self.width = case, width
        self.weights: list[torch.Tensor] = []
        fields, made = case.fields, first_weights(case, width)
        self.periodic = fields.get("embedding") == "periodic"
        self.batch_norm, self.dropout = fields.get("normalisation") == "batch_norm", fields.get("dropout", 0.0)
        if self.periodic:
            one = Periodics(case.columns)
            self.embedding = [self._own(p.detach().expand(width, *p.shape).clone()) for p in one.parameters()]
            a, b = 4 * case.columns, made[0][0].shape[2]
            first = np.random.default_rng(2).standard_normal((width, a, b)) * (2 / a) ** 0.5
            made[0] = (first.astype(np.float32), made[0][1])
        self.layers = [(self._own(torch.from_numpy(w)), self._own(torch.from_numpy(b))) for w, b in made]
        self.gains = [
            (self._own(torch.ones_like(b)), self._own(torch.zeros_like(b))) for _, b in self.layers[:-1]
        ] if self.batch_norm else []  # fmt: skip

    def _own(self, w: torch.Tensor) -> torch.Tensor:
        w = w.to(_device()).requires_grad_()
        self.weights.append(w)
        return w

    def __call__(self, x: torch.Tensor, *, training: bool) -> torch.Tensor:
        """[B, D] -> [R, B, classes]."""
        h = self._embedded(x) if self.periodic else x.expand(self.width, *x.shape)
        for i, (w, b) in enumerate(self.layers):
            h = torch.baddbmm(b, h, w)
            if i == len(self.layers) - 1:
                return h
            if self.batch_norm:
                mean, variance = h.mean(1, keepdim=True), h.var(1, keepdim=True, unbiased=False)
                h = (h - mean) * torch.rsqrt(variance + 1e-5) * self.gains[i][0] + self.gains[i][1]
            h = torch.relu(h)
            h = functional.dropout(h, self.dropout, training) if self.dropout else h
        raise AssertionError("a net has a layer")

    def _embedded(self, x: torch.Tensor) -> torch.Tensor:
        frequency, phase, w, b = self.embedding
        waves = torch.cos(2 * torch.pi * frequency[:, None] * x[None, ..., None] + phase[:, None])  # [R, B, D, M]
        mixed = torch.einsum("rbdm,rdmk->rbdk", waves, w) + b[:, None]
        return torch.cat([x.expand(self.width, *x.shape)[..., None], mixed], -1).flatten(2)


def population(case: Case, threads: int, width: int) -> Answer:
    """Populations of `width` racers, one after the other."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    (x, y, rows), racers = _data(case), Population(case, width)
    start_values, graph = [w.detach().clone() for w in racers.weights], torch.cuda.is_available()
    optimiser = torch.optim.Adam(racers.weights, lr=RATE, fused=True, capturable=graph)
    labels = y[rows]

    def step(batch: torch.Tensor, label: torch.Tensor) -> None:
        out = racers(batch, training=True).reshape(-1, CLASSES)
        loss = functional.cross_entropy(out, label.expand(width, -1).reshape(-1)) * width  # the sum of their means
        optimiser.zero_grad(set_to_none=not graph)
        loss.backward()
        optimiser.step()

    for i in range(WARM):
        step(x[rows[i]], labels[i])
    _wait()
    replayed = _captured(step, x[rows[0]].clone(), labels[0].clone()) if graph else step

    def run() -> dict[str, Any]:
        count, start = max(1, case.racers // width), time.perf_counter()
        for _ in range(count):
            _begun(racers.weights, start_values, optimiser)
            for i in range(case.steps):
                replayed(x[rows[i]], labels[i])
        _wait()
        seconds = time.perf_counter() - start
        with torch.no_grad():
            out = racers(x[:LOOKED_AT], training=False).reshape(-1, CLASSES)
            loss = functional.cross_entropy(out, y[:LOOKED_AT].repeat(width))
        return {"updates": count * width * case.steps, "seconds": seconds, "loss": float(loss)}

    return run, {"threads": threads, "width": width, "device": str(_device())}


def _begun(weights: list[torch.Tensor], first: list[torch.Tensor], optimiser: torch.optim.Optimizer) -> None:
    """Weights and the optimiser's memory as before the first step."""
    with torch.no_grad():
        for w, value in zip(weights, first, strict=True):
            w.copy_(value)
        for memory in optimiser.state.values():
            for kept in memory.values():
                kept.zero_()


def _captured(step: Callable[..., None], batch: torch.Tensor, label: torch.Tensor) -> Callable[..., None]:
    """The step as one CUDA graph that is replayed on other rows."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(batch, label)

    def replayed(rows: torch.Tensor, labels: torch.Tensor) -> None:
        batch.copy_(rows)
        label.copy_(labels)
        graph.replay()

    return replayed
