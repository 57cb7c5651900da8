"""Repeat: the command and the program of Python that race a recipe again on the same rows."""

import shlex
from typing import Any

import tomli_w

Told = dict[str, Any]


def commands(told: Told) -> dict[str, str]:
    """How the winner is raced again, to its last epoch: a command, where the rows were a file's, a program of Python,
    and what has to be saved as columns.toml for the command.

    Both ask for everything that the race was asked for that bears on its rows and its score; neither can name what was
    given as arrays, which the program shows as names of yours.

    >>> made = commands({"source": "a b.csv", "target": "y", "seed": 1, "data": {"roles": {"group": "g"}}})
    >>> made["command"]
    "slalom race 'a b.csv' --target y --seed 1 --recipe recipe.toml --group g"
    """
    data, order = told.get("data") or {}, told.get("order") or {}
    roles, given = data.get("roles") or {}, data.get("given") or []
    columns, reading = data.get("columns") or {}, data.get("reading") or {}
    source, target, seed = told.get("source") or "", told.get("target") or "", told.get("seed", 0)
    options = {"--target": target, "--seed": seed, "--recipe": "recipe.toml"}
    options |= {"--task": order["task"]} if order.get("task", "auto") != "auto" else {}
    options |= {"--metric": order["metric"]} if order.get("metric") else {}
    flags = {"sample_weight": "--weights", "group": "--group", "time": "--time"}
    options |= {flags[role]: name for role, name in roles.items() if role in flags}
    options |= {f"--{name}": value for name, value in reading.items()}
    options |= {"--columns": "columns.toml"} if columns else {}
    words = [source, *(word for pair in options.items() for word in pair)]
    words += [] if order.get("test", True) else ["--no-test"]
    file = bool(source and target) and not given and not data.get("validation_rows")
    return {
        "command": "slalom race " + " ".join(shlex.quote(str(word)) for word in words) if file else "",
        "python": _python(told, file=file),
        "columns": tomli_w.dumps({str(name): str(kind) for name, kind in columns.items()}) if columns and file else "",
    }


def _python(told: Told, *, file: bool) -> str:
    data, order = told.get("data") or {}, told.get("order") or {}
    roles, given = data.get("roles") or {}, data.get("given") or []
    rows = [repr(str(told["source"])), f"target={str(told['target'])!r}"] if file else ["X", "y"]
    asked = ["recipe=recipe", f"seed={told.get('seed', 0)}"]
    asked += [f"task={order['task']!r}"] if order.get("task", "auto") != "auto" else []
    asked += [f"metric={order['metric']!r}"] if order.get("metric") else []
    asked += [f"{role}={name!r}" for role, name in roles.items()] + [f"{role}={role}" for role in given]
    asked += [f"{name}={data[name]!r}" for name in ("columns", "reading") if data.get(name)]
    asked += ["validation=(X_validation, y_validation)"] if data.get("validation_rows") else []
    asked += [] if order.get("test", True) else ["test=False"]
    return (
        "from pathlib import Path\n\nimport slalom\n\n"
        'recipe = slalom.Recipe.from_toml(Path("recipe.toml").read_text(encoding="utf-8"))\n'
        f"result = slalom.race(\n    {', '.join(rows)},\n    {', '.join(asked)},\n)\n"
        "print(result.best.score, result.best.test)\n"
    )
