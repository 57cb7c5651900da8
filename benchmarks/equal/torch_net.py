"""A net in PyTorch and its training, as fast as an eager loop on a core goes: the contestant Optuna trains with it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch._dynamo  # what PyTorch imports when the first optimiser is made, for seconds: here with everything else
from torch import nn

from benchmarks.equal.task import Task

PARTS_OF_A_COLUMN = 16  # of a piecewise linear encoding
ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh, "gelu": nn.GELU}
NORMALISATIONS: dict[str, Callable[[int], nn.Module]] = {"batch_norm": nn.BatchNorm1d, "layer_norm": nn.LayerNorm}


class Periodic(nn.Module):
    """PLR (lite) of Gorishniy et al. (https://arxiv.org/abs/2203.05556): sines and cosines of learned frequencies, one
    linear layer that all columns share, ReLU. x [B, D] → [B, D * places]."""

    def __init__(self, columns: int, frequencies: int, sigma: float, places: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(columns, frequencies) * sigma)
        self.linear = nn.Linear(2 * frequencies, places)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        angles = 2 * math.pi * self.frequencies * x[..., None]
        return torch.relu(self.linear(torch.cat([angles.cos(), angles.sin()], -1))).flatten(1)


class PiecewiseLinear(nn.Module):
    """The piecewise linear encoding of the same paper: x [B, D] → how far x has come through each of the parts that the
    quantiles of the training rows cut a column into, [B, D * parts]."""

    def __init__(self, edges: torch.Tensor) -> None:
        super().__init__()
        self.low: torch.Tensor
        self.factor: torch.Tensor
        self.register_buffer("low", edges[:, :-1])
        wide = edges[:, 1:] - edges[:, :-1]
        self.register_buffer("factor", torch.where(wide > 0, 1 / wide.clamp(min=1e-8), torch.zeros_like(wide)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x[..., None] - self.low) * self.factor).clamp(0, 1).flatten(1)


class Net(nn.Module):
    """Embedding of the numbers, hidden layers (linear, normalisation, activation, dropout), and the outputs."""

    def __init__(self, recipe: dict[str, Any], x: torch.Tensor, numbers: int, outputs: int) -> None:
        super().__init__()
        self.numbers, wide = numbers, x.shape[1]
        self.embedding: nn.Module | None = None
        if recipe["embedding"] == "periodic" and numbers:
            self.embedding = Periodic(numbers, recipe["frequencies"], recipe["sigma"], recipe["places"])
            wide += numbers * (recipe["places"] - 1)
        elif recipe["embedding"] == "piecewise_linear" and numbers:
            parts = torch.linspace(0, 1, PARTS_OF_A_COLUMN + 1)
            self.embedding = PiecewiseLinear(torch.quantile(x[:100_000, :numbers], parts, dim=0).T.contiguous())
            wide += numbers * (PARTS_OF_A_COLUMN - 1)
        layers: list[nn.Module] = []
        for _ in range(recipe["depth"]):
            layers.append(nn.Linear(wide, recipe["width"]))
            wide = recipe["width"]
            if recipe["normalisation"] != "none":
                layers.append(NORMALISATIONS[recipe["normalisation"]](wide))
            layers.append(ACTIVATIONS[recipe["activation"]]())
            if recipe["dropout"]:
                layers.append(nn.Dropout(recipe["dropout"]))
        self.layers = nn.Sequential(*layers, nn.Linear(wide, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.embedding is not None:
            x = torch.cat([self.embedding(x[:, : self.numbers]), x[:, self.numbers :]], 1)
        return self.layers(x)


def optimiser(recipe: dict[str, Any], net: nn.Module) -> torch.optim.Optimizer:
    """The rule of a recipe, in PyTorch's fastest writing of it."""
    rate, decay = recipe["rate"], recipe["decay"]
    weights = net.parameters()
    if recipe["rule"] == "adamw":
        return torch.optim.AdamW(weights, rate, weight_decay=decay, fused=True)
    if recipe["rule"] == "adam":
        return torch.optim.Adam(weights, rate, weight_decay=decay, fused=True)
    if recipe["rule"] == "nesterov":
        return torch.optim.SGD(weights, rate, momentum=0.9, nesterov=True, weight_decay=decay, fused=True)
    return torch.optim.RMSprop(weights, rate, weight_decay=decay, foreach=True)


def share(recipe: dict[str, Any], done: float) -> float:
    """The schedule: the share of its rate that a recipe has when so much of its horizon is done.

    >>> share({"schedule": "cosine", "warmup": 0.0}, 0.5)
    0.5
    """
    warm = recipe["warmup"]
    if done < warm:
        return max(done, 1e-3) / warm
    if recipe["schedule"] == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (done - warm) / (1 - warm)))
    if recipe["schedule"] == "step":
        return 0.1 ** int(3 * done)
    return 1.0


@dataclass(eq=False)
class Data:
    """Rows as tensors: for each scaling training, validation and test rows; and the target as it is trained."""

    scaled: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
    numbers: int
    y: torch.Tensor
    classes: int
    centre: float = 0.0
    spread: float = 1.0


Answer = Callable[[int], np.ndarray]  # 1: of the validation rows, 2: of the test rows


def epochs_of(recipe: dict[str, Any], data: Data, task: Task, epochs: int, seed: int) -> Iterator[tuple[float, Answer]]:
    """Train a recipe; after every epoch what the validation rows cost, and what answers for rows at this moment."""
    torch.manual_seed(seed)
    rows = data.scaled[recipe["scaling"]]
    x, y, n, size = rows[0], data.y, len(data.y), recipe["batch"]
    net = Net(recipe, x, data.numbers, max(data.classes, 1))
    rule = optimiser(recipe, net)
    loss = nn.CrossEntropyLoss(label_smoothing=recipe["smoothing"]) if data.classes else nn.MSELoss()
    steps = max(n // size, 1)

    def answer(part: int) -> np.ndarray:
        net.eval()
        with torch.inference_mode():
            out = torch.cat([net(piece) for piece in rows[part].split(4096)])
            told = out.softmax(1) if data.classes else out[:, 0].double() * data.spread + data.centre
        net.train()
        return told.numpy()

    for epoch in range(epochs):
        order = torch.randperm(n)[: steps * size]  # a short last batch is left out: batch norm would suffer
        for step, (inputs, wanted) in enumerate(zip(x[order].split(size), y[order].split(size), strict=True)):
            for group in rule.param_groups:
                group["lr"] = recipe["rate"] * share(recipe, (epoch + step / steps) / epochs)
            rule.zero_grad(set_to_none=True)
            out = net(inputs)
            loss(out if data.classes else out[:, 0], wanted).backward()
            rule.step()
        validation = answer(1)
        yield (task.cost(validation) if np.isfinite(validation).all() else math.inf), answer
