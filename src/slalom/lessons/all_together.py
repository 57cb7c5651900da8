"""Lesson: all together, a small race that tests which rule suits which task."""

from typing import Any

import numpy as np

from slalom import rules
from slalom.lessons.base import Lesson, Page
from slalom.racing import race
from slalom.recipe import Recipe
from slalom.types import Array

RULES = {"sgd": rules.SGD, "momentum": rules.Momentum, "adagrad": rules.Adagrad, "rmsprop": rules.RMSProp,
         "adam": rules.Adam}  # fmt: skip
ROWS, EPOCHS, SEEDS = 500, 20, 3
RATES = np.geomspace(1e-3, 1, 7)  # the same for all, so wide that the best of each rule lies inside
FIXED = {"batch_size": 32}
CLAIMS = {"simple": ("sgd", "momentum"), "complex": ("adam",), "sparse": ("adagrad", "rmsprop")}


def _task(name: str) -> tuple[Array, Array, dict[str, Any]]:
    """(X, y, the shape of the net)."""
    rng = np.random.default_rng(0)
    noise = 0.1 * rng.normal(size=ROWS)
    if name == "simple":
        x = rng.normal(size=(ROWS, 6))
        return x, x @ rng.normal(size=6) + noise, {"depth": 0}
    if name == "complex":
        x = rng.normal(size=(ROWS, 6))
        return x, np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] + np.abs(x[:, 3]) + noise, {"depth": 2, "width": 32}
    x = (rng.random((ROWS, 40)) < np.geomspace(0.5, 0.02, 40)).astype(float)  # columns that are rarer and rarer
    return x, x @ rng.normal(size=40) + noise, {"depth": 0, "scaling": "none"}


def measured(name: str) -> dict[str, list[float]]:
    """The best score of each rule on choosing rows, RMSE, one for each seed of a race: every rule at every rate."""
    x, y, shape = _task(name)
    also = [Recipe(rule=made(), learning_rate=float(rate)) for made in RULES.values() for rate in RATES]
    found: dict[str, list[float]] = {rule: [] for rule in RULES}
    for seed in range(SEEDS):
        given = {"recipes": 1 + len(also), "epochs": EPOCHS, "fixed": shape | FIXED, "also": also, "metric": "rmse"}
        board = race(x, y, seed=seed, test=False, baselines=False, **given).leaderboard  # type: ignore[arg-type]
        ours = board.filter(board["name"] != "recipe 0")  # the default one, which every race has
        for rule, scores in found.items():
            own = ours.filter(ours["rule"] == rule)["score"].drop_nulls()
            scores.append(float(own.min()) if len(own) else float("nan"))  # type: ignore[arg-type]
    return found


def tell(page: Page) -> None:
    """Three tasks, five rules, a grid of rates, three seeds."""
    page.lines("a race: every rule × every rate of one grid, all trained side by side, compared on choosing rows")
    page.say("Tables in lessons say: sgd or momentum for simple tasks, adam for complex ones, adagrad or rmsprop for"
             " sparse data. Here are three small tasks of {rows} rows, {epochs} epochs, {rates} rates from {low:g} to"
             " {high:g}, {seeds}"
             " races with other seeds. The best RMSE of each rule, mean and deviation over the races:",
             rows=ROWS, epochs=EPOCHS, rates=len(RATES), low=RATES[0], high=RATES[-1], seeds=SEEDS)  # fmt: skip
    found = {name: measured(name) for name in CLAIMS}
    page.table({"rule": list(RULES)} | {name: [_said(row) for row in rows.values()] for name, rows in found.items()})
    verdicts = {name: _verdict(rows, CLAIMS[name]) for name, rows in found.items()}
    page.table({"task": list(found), "best here": [best for best, _ in verdicts.values()],
                "said to be best": [" or ".join(claim) for claim in CLAIMS.values()],
                "so here": [kept for _, kept in verdicts.values()]})  # fmt: skip
    page.see(
        "Every rule has its own best rate, and a grid finds it: with one rate for all, such tables tell which rule "
        "that rate"
        " suits."
    )
    page.see(
        "A gap between the best rule and the best of those that are said to be best is called a tie where it is less "
        "than"
        " twice its error over the paired races."
    )
    page.see("A rule of thumb is a place to begin. On your own rows a race tells: slalom compare FILE --target COLUMN"
             " --over rule.")  # fmt: skip


def _said(scores: list[float]) -> str:
    return f"{np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}"


def _verdict(rows: dict[str, list[float]], claim: tuple[str, ...]) -> tuple[str, str]:
    """(the best rule, whether the claim holds): paired over the seeds, a gap within twice its error is a tie."""
    means = {rule: float(np.mean(scores)) for rule, scores in rows.items()}
    best = min(means, key=lambda rule: means[rule])
    if best in claim:
        return best, "yes"
    champion = min(claim, key=lambda rule: means[rule])
    gap = np.array(rows[champion]) - np.array(rows[best])
    return best, "tie" if gap.mean() < 2 * gap.std(ddof=1) / len(gap) ** 0.5 else "no"


def draw() -> Any:
    """The scores of every rule on every task."""
    from slalom import pictures

    made, axes = pictures.panels(1, len(CLAIMS), width=11.0, height=3.4, sharey=True)
    for panel, name in zip(axes[0], CLAIMS, strict=True):
        for i, (rule, scores) in enumerate(measured(name).items()):
            claimed = rule in CLAIMS[name]
            panel.plot(scores, [-i] * len(scores), "o", color="C1" if claimed else "C0", markersize=5, alpha=0.8)
            panel.plot(np.mean(scores), -i, "|", color="C1" if claimed else "C0", markersize=16, markeredgewidth=2)
        panel.set(yticks=[-i for i in range(len(RULES))], yticklabels=list(RULES), xlabel="best RMSE (less is better)")
        panel.set_title(f"{name} (orange: said to be best)")
    return made


LESSON = Lesson("All together: which rule for which task, measured in a small race", tell, draw)
