"""PyTorch's schedulers, normalisations, activations and label smoothing, number by number."""

import warnings

import numpy as np
import torch
from torch.optim import lr_scheduler

HORIZON, AFTER = 50, 10  # steps of a training, and how many are looked at after its end


def factors(make, steps=HORIZON + AFTER, base=1.0):
    """The rate in each step of a training whose rate is 1, or base."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SequentialLR warns of a habit of its own
        scheduler, rates = make(optimiser), []
        for step in range(steps):
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            if step + 1 < steps:
                scheduler.step()
    return [float(rate) for rate in rates]


def warmed(optimiser):
    """Ten steps of climb from a tenth, then a cosine over the other forty."""
    climb = lr_scheduler.LinearLR(optimiser, start_factor=0.1, end_factor=1.0, total_iters=9)
    return lr_scheduler.SequentialLR(optimiser, [climb, lr_scheduler.CosineAnnealingLR(optimiser, 40)], [10])


# (scheduler, its arguments, schedule of Slalom and its settings, how it differs where it does)
SCHEDULES = [
    ("StepLR", {"step_size": 13, "gamma": 0.3}, {"name": "step", "every": 13, "factor": 0.3}, ""),
    ("MultiStepLR", {"milestones": [10, 25, 40], "gamma": 0.3},
     {"name": "multi_step", "milestones": [10, 25, 40], "factor": 0.3}, ""),
    ("ExponentialLR", {"gamma": 0.95}, {"name": "exponential", "every": 1, "factor": 0.95}, ""),
    ("PolynomialLR", {"total_iters": 50, "power": 2.0}, {"name": "polynomial", "power": 2.0, "floor": 0.0}, ""),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 50},
     {"name": "linear", "start": 1.0, "end": 0.1}, ""),
    ("CosineAnnealingLR", {"T_max": 50, "eta_min": 0.1}, {"name": "cosine", "floor": 0.1},
     "After the horizon it rises again; Slalom's stays at the floor."),
    ("CosineAnnealingWarmRestarts", {"T_0": 10, "T_mult": 2, "eta_min": 0.1},
     {"name": "cosine_restarts", "period": 10, "multiplier": 2.0, "floor": 0.1}, ""),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 50, "pct_start": 0.3, "div_factor": 25.0, "final_div_factor": 400.0},
     {"name": "one_cycle", "rise": 0.3, "divisor": 25.0, "final_divisor": 400.0}, ""),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "step_size_up": 10, "cycle_momentum": False},
     {"name": "cyclic", "period": 20, "floor": 0.1}, ""),
]  # fmt: skip


def schedules():
    """Every scheduler with a counterpart, over a horizon and a little more (OneCycleLR refuses to go on)."""
    made = []
    for name, given, schedule, differs in SCHEDULES:
        cls = getattr(lr_scheduler, name)
        call = f"{name}({', '.join(f'{k}={v!r}' for k, v in given.items())})"
        steps = HORIZON if name == "OneCycleLR" else HORIZON + AFTER
        rates = factors(lambda optimiser, c=cls, a=given: c(optimiser, **a), steps)
        made.append({"torch": call, "schedule": schedule, "horizon": HORIZON, "differs": differs, "factors": rates})
    climb = "SequentialLR([LinearLR(start_factor=0.1, total_iters=9), CosineAnnealingLR(T_max=40)], [10])"
    inside = {"name": "warmup", "length": 10, "schedule": {"name": "cosine"}}
    made.append({
        "torch": climb, "schedule": inside, "horizon": HORIZON, "differs": "After the horizon it rises again.",
        "factors": factors(warmed),
    })  # fmt: skip
    return made


FALLING = [1.0, 0.8, 0.81, 0.7, 0.7, 0.7, 0.7, 0.7, 0.69999, 0.6, 0.6, 0.61, 0.6, 0.6, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5]
# (name, arguments, metrics, settings of Slalom, how it differs where it does)
PLATEAUS = [
    ("constant", {"factor": 0.1, "patience": 2}, [1.0] * 14, {"fall": 0.1, "patience": 2.0}, ""),
    ("cooldown", {"factor": 0.1, "patience": 2, "cooldown": 3}, [1.0] * 20,
     {"fall": 0.1, "patience": 2.0, "cooldown": 3.0}, ""),
    ("falling and resting", {"factor": 0.5, "patience": 1, "cooldown": 2, "threshold": 0.02, "min_lr": 0.1}, FALLING,
     {"fall": 0.5, "patience": 1.0, "cooldown": 2.0, "threshold": 0.02, "floor": 0.1}, ""),
    ("maximum", {"factor": 0.5, "patience": 1, "mode": "max"}, [round(1 - m, 6) for m in FALLING],
     {"fall": 0.5, "patience": 1.0}, ""),
    ("negative and flat", {"factor": 0.1, "patience": 2}, [-1.0] * 14, {"fall": 0.1, "patience": 2.0},
     "best (1 − threshold) lies above a negative best: the same metric again counts as better, for ever."),
    ("negative and flat, absolute", {"factor": 0.1, "patience": 2, "threshold_mode": "abs"}, [-1.0] * 14,
     {"fall": 0.1, "patience": 2.0}, ""),
]  # fmt: skip


def plateaus():
    """ReduceLROnPlateau: the rate after each metric."""
    made = []
    for name, given, metrics, settings, differs in PLATEAUS:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler, rates = lr_scheduler.ReduceLROnPlateau(optimiser, **given), []
        for metric in metrics:
            scheduler.step(metric)
            rates.append(float(optimiser.param_groups[0]["lr"]))
        made.append({
            "name": name, "torch": given, "metrics": metrics, "schedule": {"name": "plateau", **settings},
            "differs": differs, "rates": rates,
        })  # fmt: skip
    return made


# (name, layer of PyTorch, its arguments, shape of x, layer of Slalom and its settings)
LAYERS = [
    ("BatchNorm1d", (3,), {"momentum": 0.3, "eps": 0.5}, (5, 3), {"name": "batch_norm", "rho": 0.3}),
    ("BatchNorm2d", (2,), {"momentum": 0.3, "eps": 0.5}, (3, 2, 2, 3), {"name": "batch_norm", "rho": 0.3}),
    ("BatchNorm3d", (2,), {"momentum": 0.3, "eps": 0.5}, (2, 2, 2, 2, 3), {"name": "batch_norm", "rho": 0.3}),
    ("LayerNorm", (4,), {"eps": 0.5}, (3, 4), {"name": "layer_norm"}),
    ("LayerNorm", ([2, 2, 3],), {"eps": 0.5}, (3, 2, 2, 3), {"name": "layer_norm"}),
    ("GroupNorm", (2, 4), {"eps": 0.5}, (3, 4), {"name": "group_norm", "groups": 2}),
    ("GroupNorm", (2, 4), {"eps": 0.5}, (2, 4, 2, 3), {"name": "group_norm", "groups": 2}),
    ("InstanceNorm1d", (2,), {"eps": 0.5, "affine": True}, (2, 2, 5), {"name": "instance_norm"}),
    ("InstanceNorm2d", (2,), {"eps": 0.5, "affine": True}, (2, 2, 2, 3), {"name": "instance_norm"}),
]  # fmt: skip
UPDATES = 3


def layers():
    """Every normalisation over a few updates: answers, gradients, moving averages; then an answer at test time."""
    return [normalised(*about) for about in LAYERS]


def normalised(name, positions, given, shape, layer):
    """One layer: gain and shift stay as they are, x and the gradient that comes back differ in every update."""
    rng = np.random.default_rng(3)
    some = lambda *shape: torch.tensor((rng.normal(size=shape) * 2 + 0.5).round(2))  # noqa: E731
    one = getattr(torch.nn, name)(*positions, **given)
    with torch.no_grad():
        one.weight.copy_(some(*one.weight.shape))
        one.bias.copy_(some(*one.weight.shape))
    updates = []
    for _ in range(UPDATES):
        x, back = some(*shape).requires_grad_(), some(*shape)
        one.zero_grad()
        y = one(x)
        (y * back).sum().backward()
        update = {"x": x, "back": back, "y": y, "dx": x.grad, "dgain": one.weight.grad, "dshift": one.bias.grad}
        if "Batch" in name:
            update |= {"mean": one.running_mean, "variance": one.running_var}
        updates.append({k: v.detach().tolist() for k, v in update.items()})
    one.eval()
    x, back = some(*shape).requires_grad_(), some(*shape)
    y = one(x)
    (y * back).sum().backward()
    last = {k: v.detach().tolist() for k, v in {"x": x, "back": back, "y": y, "dx": x.grad}.items()}
    arguments = ", ".join([*map(str, positions), *(f"{k}={v!r}" for k, v in given.items())])
    return {
        "torch": f"{name}({arguments})",
        "layer": layer | {"epsilon": given["eps"]},
        "gain": one.weight.tolist(),
        "shift": one.bias.tolist(),
        "differs": "The moving variance divides by n − 1; Slalom's by n." if "Batch" in name else "",
        "updates": updates,
        "test": last,
    }


ACTIVATIONS = {
    "relu": torch.nn.ReLU(),
    "leaky_relu": torch.nn.LeakyReLU(0.01),
    "elu": torch.nn.ELU(),
    "selu": torch.nn.SELU(),
    "silu": torch.nn.SiLU(),
    "gelu": torch.nn.GELU(),
    "mish": torch.nn.Mish(),
    "softplus": torch.nn.Softplus(),
    "tanh": torch.nn.Tanh(),
    "sigmoid": torch.nn.Sigmoid(),
    "identity": torch.nn.Identity(),
}


def activations():
    """Every activation and its slope, far out and near the middle."""
    at = [-30.0, -8.0, -3.0, -1.5, -0.7, -0.1, -1e-6, 1e-6, 0.1, 0.7, 1.5, 3.0, 8.0, 30.0]
    made = {"x": at}
    for name, function in ACTIVATIONS.items():
        x = torch.tensor(at, requires_grad=True)
        y = function(x)
        y.sum().backward()
        made[name] = {"y": y.tolist(), "slope": x.grad.tolist()}
    return made


def losses():
    """Cross entropy with and without label smoothing: each row's loss, and the gradient of their mean."""
    rng = np.random.default_rng(5)
    logits, labels = (3 * rng.normal(size=(5, 4))).round(2).tolist(), [0, 3, 1, 1, 2]
    made = []
    for smoothing in (0.0, 0.1, 0.3):
        x = torch.tensor(logits, requires_grad=True)
        each = torch.nn.functional.cross_entropy(
            x, torch.tensor(labels), label_smoothing=smoothing, reduction="none"
        )  # fmt: skip
        each.mean().backward()
        made.append({
            "smoothing": smoothing, "logits": logits, "labels": labels, "losses": each.tolist(),
            "gradient": x.grad.tolist(),
        })  # fmt: skip
    return made


def criteria():
    """The losses of a regression, also at their corners: value and gradient of the mean over the rows."""
    z, y = [-2.5, -0.75, 0.0, 0.25, 0.5, 1.0, 3.0, 0.0], [0.0, 0.25, 0.0, 1.0, 0.0, 1.0, 0.5, 2.0]
    pinball = lambda z, y, tau: torch.maximum(tau * (y - z), (tau - 1) * (y - z)).mean()  # noqa: E731
    of = {
        "huber": lambda z, y, delta: torch.nn.HuberLoss(delta=delta)(z, y),
        "absolute_error": lambda z, y, _: torch.nn.L1Loss()(z, y),
        "quantile": pinball,
        "poisson": lambda z, y, _: torch.nn.PoissonNLLLoss(log_input=True, full=False)(z, y),
    }
    made = []
    for name, number in [("huber", 0.5), ("huber", 2.5), ("absolute_error", 1.0), ("quantile", 0.5), ("quantile", 0.9),
                         ("poisson", 1.0)]:  # fmt: skip
        x = torch.tensor(z, requires_grad=True)
        loss = of[name](x, torch.tensor(y), number)
        loss.backward()
        made.append({
            "loss": name, "number": number, "outputs": z, "targets": y, "value": loss.item(),
            "gradient": x.grad.tolist(),
        })  # fmt: skip
    return made


def weighted():
    """Cross entropy with weights of the classes, of which one has no row: value and gradient of the mean."""
    rng = np.random.default_rng(6)
    logits, labels = (3 * rng.normal(size=(6, 4))).round(2).tolist(), [0, 3, 1, 1, 0, 1]
    made = []
    for weights in ([1.0, 1.0, 1.0, 1.0], [0.5, 2.0, 7.0, 0.1]):
        x = torch.tensor(logits, requires_grad=True)
        loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(weights))(x, torch.tensor(labels))
        loss.backward()
        made.append({
            "weights": weights, "logits": logits, "labels": labels, "value": loss.item(), "gradient": x.grad.tolist(),
        })  # fmt: skip
    return made
