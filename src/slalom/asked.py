"""From the options of `slalom race` to the arguments of `slalom.race`; what is wrong with them is one sentence."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slalom.errors import SlalomError, wrong
from slalom.table import READING, ROLES

Given = dict[str, Any]
REFIT = {None: False, "train": True, "all": "all"}  # option -> argument
SIGNS = {"tab": "\t", "\\t": "\t", "comma": ",", "point": "."}  # words for signs that a shell makes hard to type
OPTIONS = {"sample_weight": "weights", "no_test": "no-test"}  # that have another name than their argument
# What a continued race cannot have otherwise.
KEPT = ("target", "seed", "task", "metric", "out", "no_test", *ROLES, "columns", *READING)


def wanted(given: Given) -> dict[str, Any]:
    """The arguments of `slalom.race` for the options of the command (SlalomError).

    >>> asked = wanted({"file": Path("a/houses.csv"), "target": "price", "fixed": ["depth=1"], "dry_run": True})
    >>> asked["X"].name, asked["target"], asked["fixed"], asked["out"]
    ('houses.csv', 'price', {'depth': 1}, None)
    """
    fixed = fields(given.get("fixed") or ())
    own: Given = {"space": space_of(given["space"])} if given.get("space") else {}
    if given.get("also"):
        own["also"] = [recipe_of(file, "--also") for file in given["also"]]
    amount = {name: given.get(name) for name in ("seconds", "recipes", "epochs")}
    if given.get("recipe"):
        amount["recipe"] = recipe_of(given["recipe"])
    if given.get("extend"):
        return _continued(given, amount, fixed) | own
    file = given.get("file")
    if file is None:
        raise SlalomError("FILE must be given: slalom race houses.csv --target price. Or --continue DIR.")
    if not given.get("target"):
        raise SlalomError(f"--target must be given: the column of {file} to predict.")
    out = given.get("out") or (None if given.get("dry_run") else free_folder(file))
    named = {name: given[name] for name in ("task", "metric") if given.get(name)}
    named |= {"refit": REFIT[given.get("refit")], "test": not given.get("no_test")}
    named |= {role: given[role] for role in ROLES if given.get(role)} | about(given) | kept(given)
    return {"X": file, "target": given["target"], "seed": given.get("seed") or 0, "out": out, "fixed": fixed} | (
        amount | named | own
    )


def about(given: Given) -> Given:
    """What the options say of the columns and of how a text file is to be read."""
    found: Given = {"columns": kinds_of(given["columns"])} if given.get("columns") else {}
    reading = {name: SIGNS.get(given[name], given[name]) for name in READING if given.get(name)}
    return found | ({"reading": reading} if reading else {})


def kept(given: Given) -> Given:
    """How often racers are kept, and how much memory there is, where that is given."""
    return {name: given[name] for name in ("every", "memory") if given.get(name) is not None}


def kinds_of(file: Path) -> dict[str, str]:
    """What a TOML file says that columns are: `name = "category"`, at its top or under [columns] (SlalomError)."""
    from slalom.folder import toml

    held = toml(file, _text(file, "--columns"))
    inside = held.get("columns", held)
    return inside if isinstance(inside, dict) else held


def fields(pairs: Sequence[str]) -> dict[str, Any]:
    """The values of `--set FIELD=VALUE`.

    >>> fields(["rule=adam", "width=8"])
    {'rule': 'adam', 'width': 8}
    """
    from slalom.recipe import parse_value

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise wrong("--set", "FIELD=VALUE, as in --set rule=adam", pair)
        found[name.strip()] = parse_value(name.strip(), text.strip())
    return found


def recipe_of(file: Path, option: str = "--recipe") -> Any:
    """The recipe in a TOML file (SlalomError)."""
    from slalom.recipe import Recipe

    text = _text(file, option)
    try:
        return Recipe.from_toml(text)
    except SlalomError as error:
        raise SlalomError(f"{file}: {error}") from None


def space_of(file: Path) -> dict[str, Any]:
    """The space in a TOML file, as `race(space=…)` takes it; what it holds is checked there (SlalomError)."""
    from slalom.folder import toml

    return toml(file, _text(file, "--space"))


def _text(file: Path, option: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SlalomError(f"{option} must be a TOML file. {file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SlalomError(f"{option} must be a TOML file. {file} is not UTF-8 text.") from None


def free_folder(file: Path) -> Path:
    """`runs/NAME`, or the first of `runs/NAME-2`, `runs/NAME-3`, … that is not there yet."""
    stem = file.name.removesuffix(".gz").rpartition(".")[0] or file.name
    found, number = Path("runs") / stem, 1
    while found.exists():
        number += 1
        found = Path("runs") / f"{stem}-{number}"
    return found


def _continued(given: Given, amount: dict[str, Any], fixed: dict[str, Any]) -> dict[str, Any]:
    """The arguments that add recipes to the race in a folder: as it was asked, unless time or fields are given anew."""
    from slalom.folder import RunFolder

    folder = given["extend"]
    for name in KEPT:
        if given.get(name) is not None and given[name] is not False:
            option = OPTIONS.get(name, name)
            raise SlalomError(f"--{option} must not be given beside --continue. It stays as it was in {folder}.")
    settings = RunFolder.extend(folder).settings()
    try:
        data, order = settings["data"], settings["order"]
        source, target, seed, task, metric = (
            data["source"], data["target"], order["seed"], order["task"], order["metric"],
        )  # fmt: skip
    except KeyError as error:
        raise SlalomError(f"{folder / 'race.toml'} must be as Slalom wrote it. It lacks {error}.") from None
    _refuse_made_in_python(folder, source, target, metric, data)
    file = Path(given.get("file") or source)
    if not file.exists():
        again = f"slalom race FILE --continue {shlex.quote(str(folder))}"
        raise SlalomError(f"The data of {folder} must still be there. {file} is not: give its place, {again}.")
    return {
        "X": file, "target": target, "seed": seed, "task": task, "metric": metric, "extend": folder,
        "fixed": order.get("fixed", {}) | fixed, "space": order.get("space", {}), **_amount(folder, order, amount),
        "refit": REFIT[given["refit"]] if given.get("refit") else order.get("refit", False),
        "test": order.get("test", True), "baselines": order.get("baselines", True),
        **data.get("roles", {}), **({"memory": order.get("memory")} | kept(given)), "columns": data.get("columns"),
        "reading": data.get("reading"),
    }  # fmt: skip


def _refuse_made_in_python(folder: Path, source: str, target: str, metric: str, data: dict[str, Any]) -> None:
    from slalom.metrics import is_named

    why = ""
    if not source or not target:
        why = "Its rows came from Python"
    elif data.get("validation_rows"):
        why = "Its validation rows came from Python"
    elif data.get("given"):
        why = f"Its {data['given'][0]} came from Python"
    elif not is_named(metric):
        why = f"Its metric {metric!r} is a function in Python"
    if why:
        raise SlalomError(
            f"{folder} must be a race from a file. {why}: continue it there, slalom.race(…, extend={str(folder)!r})."
        )


def _amount(folder: Path, order: dict[str, Any], amount: dict[str, Any]) -> dict[str, Any]:
    """How much to run: what is given now, else as much as the race was given."""
    given = {name: value for name, value in amount.items() if value is not None}
    if given:
        return given
    if "recipe" in order:
        raise SlalomError(f"--seconds must be given: {folder} holds one recipe alone, and others can race against it.")
    return {name: order[name] for name in ("seconds", "recipes", "epochs") if name in order}
