"""One net whose heads share their weights, as TabM has them, in PyTorch at the seconds of a race: is it worth racing?

    build/bench/bin/python -m benchmarks.tabm --rtdl DIR --set california --seconds 60

TabM-mini (Gorishniy et al. 2025, https://arxiv.org/abs/2410.24210): k heads see a batch through a shared MLP, each
behind a learned scaling of its inputs, each with an output layer of its own; their losses are averaged in training and
their predictions at the end. Quantile-normal scaling and periodic features stand in front, as in Slalom's best recipes.
Settings are tried one after the other, each for its share of the seconds, and the one that is best on the validation
rows at any epoch is judged on the test rows: an advantage over a race, whose seconds hold everything.
"""

import argparse
import copy
import itertools
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.equal import sets
from slalom.data import Columns
from slalom.scaling import QuantileNormal

WAVES, FEATURES, SIGMA = 16, 4, 0.1  # of the periodic embedding: those of Slalom's default
HEADS, WIDTHS = (8, 16, 32), (64, 128)
BATCH, RATE, DECAY, DROPOUT = 256, 2e-3, 3e-4, 0.1


class TabM(nn.Module):
    """k heads on shared layers: [B, D] -> [B, k, C]."""

    def __init__(self, columns: int, numeric: int, outputs: int, heads: int, width: int, depth: int = 3) -> None:
        super().__init__()
        self.numeric = numeric  # columns, the first ones, that are embedded
        self.frequency = nn.Parameter(SIGMA * torch.randn(numeric, WAVES))
        self.phase = nn.Parameter(torch.rand(numeric, WAVES))
        self.mix = nn.Parameter((torch.rand(numeric, WAVES, FEATURES) * 2 - 1) / WAVES**0.5)
        wide = columns + numeric * FEATURES
        self.scale = nn.Parameter(torch.sign(torch.randn(heads, wide)))
        sizes = [wide, *[width] * depth]
        self.shared = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.out = nn.Parameter((torch.rand(heads, width, outputs) * 2 - 1) / width**0.5)
        self.bias = nn.Parameter(torch.zeros(heads, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waves = torch.cos(2 * torch.pi * (x[:, : self.numeric, None] * self.frequency + self.phase))
        mixed = torch.einsum("bdw,dwf->bdf", waves, self.mix)
        h = torch.cat([x, mixed.flatten(1)], 1)[:, None] * self.scale
        for layer in self.shared:
            h = nn.functional.dropout(torch.relu(layer(h)), DROPOUT, self.training)
        return torch.einsum("bkw,kwo->bko", h, self.out) + self.bias


def loss_of(outputs: torch.Tensor, y: torch.Tensor, classes: int) -> torch.Tensor:
    """The mean over rows and heads."""
    repeated = y[:, None].expand(-1, outputs.shape[1])
    if classes:
        return nn.functional.cross_entropy(outputs.flatten(0, 1), repeated.flatten())
    return ((outputs[..., 0] - repeated) ** 2).mean()


def answer(net: TabM, x: torch.Tensor, classes: int) -> np.ndarray:
    """The mean prediction of the heads."""
    net.eval()
    with torch.no_grad():
        parts = [net(rows) for rows in x.split(4096)]
        found = torch.cat([(part.softmax(2) if classes else part).mean(1) for part in parts]).double().numpy()
    net.train()
    return found


def trained(
    x: list[torch.Tensor], y: list[torch.Tensor], numeric: int, classes: int, heads: int, width: int, seconds: float
):  # fmt: skip
    """(the least validation cost, the net at that epoch, epochs) of so many seconds."""
    torch.manual_seed(0)
    net = TabM(x[0].shape[1], numeric, classes or 1, heads, width)
    optimiser = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    began, best, epochs = time.perf_counter(), (np.inf, net), 0
    while time.perf_counter() - began < seconds:
        for rows in torch.randperm(len(x[0])).split(BATCH):
            optimiser.zero_grad()
            loss_of(net(x[0][rows]), y[0][rows], classes).backward()
            optimiser.step()
            if time.perf_counter() - began > seconds:
                break
        epochs += 1
        cost = cost_of(answer(net, x[1], classes), y[1].numpy(), classes)
        if cost < best[0]:
            best = (cost, copy.deepcopy(net))
    return *best, epochs


def cost_of(found: np.ndarray, y: np.ndarray, classes: int) -> float:
    """RMSE in the unit of the net, or log loss."""
    if classes:
        return float(-np.log(np.maximum(found[np.arange(len(y)), y], 1e-7)).mean())
    return float(np.sqrt(np.mean((found[:, 0] - y) ** 2)))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rtdl", type=Path)
    parser.add_argument("--set", default="diabetes")
    parser.add_argument("--seconds", type=float, default=60.0, help="of all settings together")
    parser.add_argument("--heads", type=int, nargs="*", default=HEADS)
    parser.add_argument("--widths", type=int, nargs="*", default=WIDTHS)
    given = parser.parse_args()
    data = sets.loaders(given.rtdl, None)[given.set]()
    parts, classes = data.rows(0), len(data.classes)
    columns = Columns.fit(data.frame, parts[0])
    if columns.categories:
        raise SystemExit("Words of many levels have no place in this trial: take another set.")
    table = columns(data.frame)
    scaler = QuantileNormal.fit(table[parts[0]])
    x = [torch.tensor(scaler(table[rows]), dtype=torch.float32) for rows in parts]
    mean, spread = (0.0, 1.0) if classes else (data.target[parts[0]].mean(), data.target[parts[0]].std())
    y = [torch.tensor((data.target[rows] - mean) / spread) for rows in parts]
    y = [part.long() if classes else part.float() for part in y]
    best = None
    settings = [(heads, width) for heads in given.heads for width in given.widths]
    for heads, width in settings:
        cost, net, epochs = trained(x, y, columns.numeric, classes, heads, width, given.seconds / len(settings))
        print(
            f"{heads} heads, width {width}: validation {cost * (1 if classes else spread):.4f}, {epochs} epochs",
            flush=True,
        )
        if best is None or cost < best[0]:
            best = (cost, net)
    found, truth = answer(best[1], x[2], classes), y[2].numpy()
    said = (
        f"rmse {cost_of(found, truth, 0) * spread:.4f}"
        if not classes
        else (f"accuracy {np.mean(found.argmax(1) == truth):.2%}, log loss {cost_of(found, truth, classes):.4f}")
    )
    print(f"{given.set}, {given.seconds:.0f} s: test {said}")


if __name__ == "__main__":
    main()
