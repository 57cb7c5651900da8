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
ROWS, EPOCHS, RATES, SEEDS = 500, 15, 4, 3
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


def _recipes(shape: dict[str, Any]) -> list[Recipe]:
    """Every rule at every rate of its own range."""
    fixed = shape | {"batch_size": 32, "epochs": EPOCHS, "weight_decay": 0.0}
    return [
        Recipe(rule=made(), learning_rate=float(rate)).with_fields(fixed)
        for made in RULES.values()
        for rate in np.geomspace(*made.rates, RATES)
    ]


def measured(name: str) -> dict[str, list[float]]:
    """The best score of each rule on choosing rows, RMSE, one for each seed of a race."""
    x, y, shape = _task(name)
    recipes, found = _recipes(shape), {rule: [] for rule in RULES}  # type: ignore[var-annotated]
    for seed in range(SEEDS):
        board = race(x, y, recipes=len(recipes), epochs=EPOCHS, also=recipes, metric="rmse", seed=seed, test=False,
                     baselines=False).leaderboard  # fmt: skip
        for rule, scores in found.items():
            own = board.filter(board["rule"] == rule)["score"].drop_nulls()
            scores.append(float(own.min()) if len(own) else float("nan"))
    return found


def tell(page: Page) -> None:
    """Three tasks, five rules, four rates each, three seeds."""
    page.lines("a race: every rule × every rate of its own range, all trained side by side, compared on choosing rows")
    page.say("Tables in lessons say: sgd or momentum for simple tasks, adam for complex ones, adagrad or rmsprop for"
             " sparse data. Here are three small tasks of {rows} rows, {epochs} epochs, {rates} rates a rule, {seeds}"
             " races with other seeds. The best RMSE of each rule, mean and deviation over the races:",
             rows=ROWS, epochs=EPOCHS, rates=RATES, seeds=SEEDS)  # fmt: skip
    found = {name: measured(name) for name in CLAIMS}
    page.table({"rule": list(RULES)} | {name: [_said(row) for row in rows.values()] for name, rows in found.items()})
    verdicts = {name: _verdict(rows, CLAIMS[name]) for name, rows in found.items()}
    page.table({"task": list(found), "best here": [best for best, _ in verdicts.values()],
                "said to be best": [" or ".join(claim) for claim in CLAIMS.values()],
                "so here": [kept for _, kept in verdicts.values()]})  # fmt: skip
    page.see("With a rate of its own each, the rules are closer than such tables suggest: where the gap is smaller than"
             " the deviation it is called a tie.")  # fmt: skip
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
