"""Walks of PyTorch's optimisers down a quadratic, a quadratic of matrices and a small tanh net."""

import unittest.mock

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

STEPS = 200
FALL = [100, 0.3]  # from this step on (counted from 0) the rate is this share of what it was
WAYPOINTS = {
    "quadratic": [1, 2, 3, 5, 6, 7, 50, 100, 101, 150, 200],
    "matrix": [1, 2, 10, 100, 101, 200],
    "net": [1, 10, 100, 101, 200],
}
WITHOUT_COUNTERPART = ["ASGD", "Adafactor", "LBFGS", "Rprop", "SparseAdam"]


def problems():
    """The data of the three problems and where a walk starts."""
    rng = np.random.default_rng(7)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    matrix = turn @ np.diag(np.logspace(-2, 1, 6)) @ turn.T  # as in tests/oracles/test_rules.py
    rng = np.random.default_rng(11)
    some = lambda *shape: rng.normal(size=shape).round(3).tolist()  # noqa: E731
    return {
        "quadratic": {"matrix": matrix.tolist(), "start": {"w": [1.0, -2.0, 0.5, 3.0, -0.25, 1.5]}},
        "matrix": {"matrix": matrix.tolist(), "start": {"tall": some(6, 2), "wide": some(2, 6)}},
        "net": {
            "x": some(12, 3),
            "y": some(12, 1),
            "start": {"w1": some(4, 3), "b1": some(4), "w2": some(1, 4), "b2": some(1)},
        },
    }


PROBLEMS = problems()


def loss(problem, p):
    """½ w'A w; ½ tr(W'A W) of a tall matrix and of a wide one's transpose; the mean squared error of a tanh net."""
    about = PROBLEMS[problem]
    if problem == "net":
        hidden = torch.tanh(torch.tensor(about["x"]) @ p["w1"].T + p["b1"])
        return ((hidden @ p["w2"].T + p["b2"] - torch.tensor(about["y"])) ** 2).mean()
    matrix = torch.tensor(about["matrix"])
    columns = [p["w"][:, None]] if problem == "quadratic" else [p["tall"], p["wide"].T]
    return sum((w * (matrix @ w)).sum() for w in columns) / 2


def walked(problem, rate, make, *, prepare=lambda params: None, average=None):
    """The waypoints of a walk: all parameters in one row, or their averages; make(parameters) -> optimiser."""
    start = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in PROBLEMS[problem]["start"].items()}
    model = torch.nn.ParameterDict(start)
    averaged = AveragedModel(model, multi_avg_fn=average) if average else None
    optimiser, points = make(list(start.values())), []
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = rate * (FALL[1] if step >= FALL[0] else 1.0)
        optimiser.zero_grad()
        loss(problem, start).backward()
        prepare(list(start.values()))
        optimiser.step()
        shown = start
        if averaged:
            averaged.update_parameters(model)
            shown = dict(averaged.module.items())
        if step + 1 in WAYPOINTS[problem]:
            points.append([x for name in start for x in shown[name].detach().reshape(-1).tolist()])
    return points


MEANS = {"betas": (0.8, 0.9), "eps": 0.5}
ADAM = {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}
MUON = {"momentum": 0.8, "eps": 1e-3, "ns_steps": 5}
RATES = {  # of each optimiser: on the quadratic, on the net
    "SGD": (0.1, 0.1),
    "SGD momentum": (0.03, 0.03),
    "Adagrad": (0.5, 0.3),
    "Adadelta": (1.0, 1.0),
    "RMSprop": (0.01, 0.03),
    "RMSprop momentum": (0.01, 0.01),
    "Adam": (0.05, 0.1),
}

# (name, optimiser, its arguments, rates, rule of Slalom and its settings, L2, how it differs where it does)
OPTIMISERS = [
    ("SGD", "SGD", {}, "SGD", {"name": "sgd"}, ""),
    ("momentum", "SGD", {"momentum": 0.8}, "SGD momentum", {"name": "momentum", "mu": 0.8}, ""),
    (
        "momentum with dampening", "SGD", {"momentum": 0.8, "dampening": 0.4}, "SGD momentum",
        {"name": "momentum", "mu": 0.8},
        "The first gradient is not dampened: (1 − d) times the rate, from the memory d g₁ / ((1 − d) μ).",
    ),
    ("Nesterov", "SGD", {"momentum": 0.8, "nesterov": True}, "SGD momentum", {"name": "nesterov", "mu": 0.8}, ""),
    ("Adagrad", "Adagrad", {"eps": 0.5}, "Adagrad", {"name": "adagrad", "epsilon": 0.5}, ""),
    ("Adadelta", "Adadelta", {"rho": 0.8, "eps": 0.01}, "Adadelta",
     {"name": "adadelta", "beta": 0.8, "epsilon": 0.01}, ""),
    ("RMSprop", "RMSprop", {"alpha": 0.8, "eps": 0.5}, "RMSprop",
     {"name": "rmsprop", "beta": 0.8, "epsilon": 0.5}, ""),
    ("RMSprop centred", "RMSprop", {"alpha": 0.8, "eps": 0.5, "centered": True}, "RMSprop",
     {"name": "centred_rmsprop", "beta": 0.8, "epsilon": 0.5, "mu": 0.0}, ""),
    ("RMSprop with momentum", "RMSprop", {"alpha": 0.8, "eps": 0.5, "momentum": 0.7}, "RMSprop momentum",
     {"name": "rmsprop_momentum", "beta": 0.8, "epsilon": 0.5, "mu": 0.7}, ""),
    ("RMSprop centred, with momentum", "RMSprop", {"alpha": 0.8, "eps": 0.5, "momentum": 0.7, "centered": True},
     "RMSprop momentum", {"name": "centred_rmsprop", "beta": 0.8, "epsilon": 0.5, "mu": 0.7}, ""),
    ("Adam", "Adam", MEANS, "Adam", {"name": "adam", **ADAM}, ""),
    ("AMSGrad", "Adam", {**MEANS, "amsgrad": True}, "Adam", {"name": "amsgrad", **ADAM}, ""),
    ("Adamax", "Adamax", MEANS, "Adam", {"name": "adamax", **ADAM}, ""),
    ("NAdam", "NAdam", {**MEANS, "momentum_decay": 0.05}, "Adam", {"name": "nadam", **ADAM, "psi": 0.05}, ""),
    ("RAdam", "RAdam", MEANS, "SGD momentum", {"name": "radam", **ADAM, "threshold": 5.0},
     "ε is added to the root before its bias correction: as ε / √(1 − β₂ᵗ) after it."),
]  # fmt: skip
# Decay of the optimiser itself, decoupled from the gradient.
DECOUPLED = [
    ("AdamW", "AdamW", {**MEANS, "weight_decay": 0.1}, "Adam", {"name": "adamw", **ADAM, "weight_decay": 0.1}, ""),
]
WRAPPED = [
    ("clip_grad_norm_ and SGD", 2.0, "SGD", {"name": "clip_norm", "limit": 2.0, "rule": {"name": "sgd"}},
     "1e-6 is added to the norm that the limit is divided by."),
    ("clip_grad_value_ and SGD", 0.5, "SGD", {"name": "clip_value", "limit": 0.5, "rule": {"name": "sgd"}}, ""),
]  # fmt: skip
AVERAGED = [
    ("AveragedModel, EMA, and momentum", get_ema_multi_avg_fn(0.9),
     {"name": "ema", "beta": 0.9, "rule": {"name": "momentum", "mu": 0.8}},
     "It starts as a copy of the first weights after a step: Slalom's, from the start's, is debiased."),
    ("AveragedModel, SWA, and momentum", get_swa_multi_avg_fn(),
     {"name": "swa", "rule": {"name": "momentum", "mu": 0.8}}, ""),
]  # fmt: skip
MUONS = [
    ("Muon", {"nesterov": True, "weight_decay": 0.1}),
    ("Muon without Nesterov and decay", {"nesterov": False, "weight_decay": 0.0}),
]


def entry(name, call, problem, rate, rule, points, *, l2=0.0, differs=""):
    """One recording."""
    return {
        "name": name,
        "torch": call,
        "problem": problem,
        "rate": rate,
        "rule": rule,
        "l2": l2,
        "differs": differs,
        "waypoints": WAYPOINTS[problem],
        "points": points,
    }


def called(name, arguments):
    """As one writes it."""
    return f"{name}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"


def optimised():
    """Every optimiser on both problems, and with an L2 penalty on the quadratic."""
    for name, cls, given, rates, rule, differs in OPTIMISERS + DECOUPLED:
        for problem, rate, l2 in (
            ("quadratic", RATES[rates][0], 0.0), ("quadratic", RATES[rates][0], 0.1), ("net", RATES[rates][1], 0.0)
        ):  # fmt: skip
            if l2 and name == "AdamW":
                continue
            given_here = given | ({"weight_decay": l2} if l2 else {})
            points = walked(problem, rate, lambda p, a=given_here, c=cls: getattr(torch.optim, c)(p, lr=1.0, **a))
            yield entry(f"{name}, {'L2, ' * bool(l2)}{problem}", called(cls, given_here), problem, rate, rule,
                        points, l2=l2, differs=differs)  # fmt: skip


def wrapped():
    """Clipped gradients and averaged weights."""
    for name, limit, rates, rule, differs in WRAPPED:
        clip = getattr(torch.nn.utils, name.partition(" ")[0])
        for problem, rate, part in (("quadratic", RATES[rates][0], 1.0), ("net", RATES[rates][1], 0.2)):
            make = lambda p: torch.optim.SGD(p, lr=1.0)  # noqa: E731
            points = walked(problem, rate, make, prepare=lambda p, c=clip, at=limit * part: c(p, at))
            yield entry(f"{name}, {problem}", f"{name.partition(' ')[0]}(…, {limit * part}), SGD()", problem, rate,
                        rule | {"limit": limit * part}, points, differs=differs)  # fmt: skip
    for name, average, rule, differs in AVERAGED:
        for problem, rate in zip(("quadratic", "net"), RATES["SGD momentum"], strict=True):
            make = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.8)  # noqa: E731
            points = walked(problem, rate, make, average=average)
            yield entry(f"{name}, {problem}", f"{name}(momentum=0.8)", problem, rate, rule, points, differs=differs)


def muon():
    """Muon on a tall and a wide matrix, its iteration kept in float64.

    PyTorch computes it in bfloat16, whose two to three digits are no oracle and depend on the machine: here the one
    call that rounds is made to do nothing, and all else is PyTorch's.
    """
    for name, given in MUONS:
        rule = {"name": "muon", "mu": 0.8, "weight_decay": given["weight_decay"], "nesterov": given["nesterov"]}
        with unittest.mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            points = walked("matrix", 0.02, lambda p, a=given: torch.optim.Muon(p, lr=1.0, **MUON, **a))
        yield entry(f"{name}, matrix", called("Muon", MUON | given), "matrix", 0.02, rule, points,
                    differs="PyTorch iterates in bfloat16; recorded with that one rounding left out.")  # fmt: skip


def walks():
    """All walks; every optimiser of PyTorch has one, or is named as one without a counterpart."""
    made = [*optimised(), *wrapped(), *muon()]
    used = {walk["torch"].partition("(")[0] for walk in made}
    missing = {
        name
        for name, cls in vars(torch.optim).items()
        if isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer) and cls is not torch.optim.Optimizer
    } - used
    assert missing == set(WITHOUT_COUNTERPART), missing
    return made
