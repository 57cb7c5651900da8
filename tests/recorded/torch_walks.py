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
    """The waypoints of a walk: all parameters, or their averages, in a row; make(parameters): optimiser, or a list."""
    start = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in PROBLEMS[problem]["start"].items()}
    model = torch.nn.ParameterDict(start)
    averaged = AveragedModel(model, multi_avg_fn=average) if average else None
    made, points = make(list(start.values())), []
    optimisers = made if isinstance(made, list) else [made]
    for step in range(STEPS):
        for group in (group for one in optimisers for group in one.param_groups):
            group["lr"] = rate * (FALL[1] if step >= FALL[0] else 1.0)
        model.zero_grad()
        loss(problem, start).backward()
        prepare(list(start.values()))
        for one in optimisers:
            one.step()
        shown = start
        if averaged:
            averaged.update_parameters(model)
            shown = dict(averaged.module.items())
        if step + 1 in WAYPOINTS[problem]:
            points.append([x for name in start for x in shown[name].detach().reshape(-1).tolist()])
    return points


MEANS = {"betas": (0.8, 0.9), "eps": 0.5}
ADAM = {"beta1": 0.8, "beta2": 0.9, "epsilon": 0.5}
RATES = {  # of each optimiser: on the quadratic, on the net
    "SGD": (0.1, 0.1),
    "SGD momentum": (0.03, 0.03),
    "Adagrad": (0.5, 0.3),
    "Adadelta": (0.1, 1.0),
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
    (
        "momentum dampened as much", "SGD", {"momentum": 0.8, "dampening": 0.8}, "SGD",
        {"name": "averaged_momentum", "beta": 0.8}, "",
    ),
    ("Nesterov", "SGD", {"momentum": 0.8, "nesterov": True}, "SGD momentum", {"name": "nesterov", "mu": 0.8}, ""),
    ("Adagrad", "Adagrad", {"eps": 0.5}, "Adagrad", {"name": "adagrad", "epsilon": 0.5}, ""),
    ("Adadelta", "Adadelta", {"rho": 0.8, "eps": 0.01}, "Adadelta",
     {"name": "adadelta", "rho": 0.8, "epsilon": 0.01}, ""),
    ("RMSprop", "RMSprop", {"alpha": 0.8, "eps": 0.5}, "RMSprop",
     {"name": "rmsprop", "beta": 0.8, "epsilon": 0.5}, ""),
    ("RMSprop centred", "RMSprop", {"alpha": 0.8, "eps": 0.5, "centered": True}, "RMSprop",
     {"name": "centred_rmsprop", "beta": 0.8, "epsilon": 0.5, "mu": 0.0, "floor": 0.0}, ""),
    ("RMSprop with momentum", "RMSprop", {"alpha": 0.8, "eps": 0.5, "momentum": 0.7}, "RMSprop momentum",
     {"name": "rmsprop_momentum", "beta": 0.8, "epsilon": 0.5, "mu": 0.7}, ""),
    ("RMSprop centred, with momentum", "RMSprop", {"alpha": 0.8, "eps": 0.5, "momentum": 0.7, "centered": True},
     "RMSprop momentum", {"name": "centred_rmsprop", "beta": 0.8, "epsilon": 0.5, "mu": 0.7, "floor": 0.0}, ""),
    ("Adam", "Adam", MEANS, "Adam", {"name": "adam", **ADAM}, ""),
    ("AMSGrad", "Adam", {**MEANS, "amsgrad": True}, "Adam", {"name": "amsgrad", **ADAM}, ""),
    ("Adamax", "Adamax", MEANS, "Adam", {"name": "adamax", **ADAM}, ""),
    ("NAdam", "NAdam", {**MEANS, "momentum_decay": 0.05}, "Adam",
     {"name": "nadam", **ADAM, "momentum_decay": 0.05}, ""),
    ("RAdam", "RAdam", MEANS, "SGD momentum", {"name": "radam", **ADAM, "threshold": 5.0},
     "ε is added to the root before its bias correction: as ε / √(1 − β₂ᵗ) after it."),
]  # fmt: skip
# Decay of the optimiser itself, decoupled from the gradient.
DECOUPLED = [
    ("AdamW", "AdamW", {**MEANS, "weight_decay": 0.1}, "Adam", {"name": "adamw", **ADAM, "weight_decay": 0.1}, ""),
]
WRAPPED = [
    ("clip_grad_norm_ and SGD", "norm", 2.0, "SGD", {"name": "clip_norm", "rule": {"name": "sgd"}},
     "1e-6 is added to the norm that the limit is divided by."),
    ("clip_grad_value_ and SGD", "value", 0.5, "SGD", {"name": "clip_value", "rule": {"name": "sgd"}}, ""),
]  # fmt: skip
AVERAGED = [
    ("AveragedModel, EMA, and momentum", get_ema_multi_avg_fn(0.9),
     {"name": "ema", "beta": 0.9, "rule": {"name": "momentum", "mu": 0.8}},
     "It starts as a copy of the first weights, which keep βᵗ⁻¹ of it: Slalom's is corrected for its start."),
    ("AveragedModel, SWA, and momentum", get_swa_multi_avg_fn(),
     {"name": "swa", "start": 0.0, "every": 1.0, "rule": {"name": "momentum", "mu": 0.8}}, ""),
]  # fmt: skip
# One ε has two places in Slalom's rule: it is chosen so small that neither matters.
MUON = {"momentum": 0.8, "eps": 1e-100, "adjust_lr_fn": "match_rms_adamw"}
OTHERS = {"betas": (0.8, 0.9), "eps": 1e-100}


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
    for name, field, limit, rates, rule, differs in WRAPPED:
        clip = getattr(torch.nn.utils, name.partition(" ")[0])
        for problem, rate, part in (("quadratic", RATES[rates][0], 1.0), ("net", RATES[rates][1], 0.2)):
            make = lambda p: torch.optim.SGD(p, lr=1.0)  # noqa: E731
            points = walked(problem, rate, make, prepare=lambda p, c=clip, at=limit * part: c(p, at))
            yield entry(f"{name}, {problem}", f"{name.partition(' ')[0]}(…, {limit * part}), SGD()", problem, rate,
                        rule | {field: limit * part}, points, differs=differs)  # fmt: skip
    for name, average, rule, differs in AVERAGED:
        for problem, rate in zip(("quadratic", "net"), RATES["SGD momentum"], strict=True):
            make = lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.8)  # noqa: E731
            points = walked(problem, rate, make, average=average)
            yield entry(f"{name}, {problem}", f"{name}(momentum=0.8)", problem, rate, rule, points, differs=differs)


def muon():
    """Muon on a tall and a wide matrix, and on the net with AdamW for all but its one matrix; iterated in float64.

    PyTorch iterates in bfloat16, whose two to three digits are no oracle and depend on the machine: here the one
    call that rounds is made to do nothing, and all else is PyTorch's.
    """
    for problem, rate, decay in (("matrix", 0.02, 0.1), ("matrix", 0.02, 0.0), ("net", 0.003, 0.1)):
        given = MUON | {"weight_decay": decay}

        def make(params, given=given, decay=decay):
            matrices = [p for p in params if p.ndim == 2 and min(p.shape) > 1]
            others = [p for p in params if not any(p is m for m in matrices)]
            one = torch.optim.Muon(matrices, lr=1.0, **given)
            return [one, torch.optim.AdamW(others, lr=1.0, weight_decay=decay, **OTHERS)] if others else [one]

        rule = {"name": "muon", "mu": 0.8, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-100, "weight_decay": decay}
        with unittest.mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            points = walked(problem, rate, make)
        name = f"Muon{', without decay' * (not decay)}, {problem}"
        yield entry(name, called("Muon", given), problem, rate, rule, points)


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
