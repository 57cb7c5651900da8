"""The house: who imports whom, what a file looks like, and what the public door holds."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import slalom

SRC = Path(slalom.__file__).parent
FILES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix("__init__").removesuffix("."): path
    for path in sorted(SRC.rglob("*.py"))
}
DOOR = ""  # slalom/__init__.py
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}

# Rooms whose files are algorithms that do not know each other: a new one needs no line here.
ROOMS = ("layers", "rules", "schedules", "scaling")
ROOMS_OF_THE_DOOR = {*ROOMS, "pictures"}
# Files that are no member of their room's registry.
BESIDE = {
    "layers": {"activations", "initialisers"},
    "rules": {"optax_bridge"},
    "schedules": {"by_epoch", "custom", "warmup"},
}
# Rules that wrap another stand a floor above those that they may wrap.
WRAPPERS = {f"rules.{name}" for name in ("clip_norm", "clip_value", "lookahead", "ema", "swa")}


def members(room):
    """The files of a room beside its contract and its registry."""
    return {name for name in FILES if name.startswith(f"{room}.") and name != f"{room}.base"}


# A file imports only from lines above its own: not from its own line, and never from below.
FLOORS = (
    # ground
    "types errors exports.rows exports.torch_net status",
    "exports.predict exports.onnx_graph",
    "record forked",
    # parts: in each folder the contract, then the algorithms, which do not know each other, then the registry
    "layers.base rules.base schedules.base scaling.base data.base",
    "rules.optax_bridge data.treatments data.split data.text data.packed",
    "data.decided",
    " ".join(sorted({name for room in ROOMS for name in members(room)} - WRAPPERS - {"rules.optax_bridge"}))
    + " data.columns data.frames data.read data.apart data.target suspects"
    " averages back_propagation calibration losses metrics selection statistics plan executor budget journal folder"
    " baselines board cache seats draws importance evidence conformal contest",
    " ".join(sorted(WRAPPERS)) + " data.encoded data.pieces intervals corrected notebook",
    "layers rules schedules scaling data exports exports.training",
    # nets
    "blocks unit walk described nested",
    "net",
    "recipe step descent exports.training.optimisers exports.training.rates",
    # lanes and what stands beside them
    "room cost",
    "fields portfolio",
    "lane space table prepare model shuffles racer ablated",
    "program objective ensemble inspected surface",
    "exports.numpy_files exports.onnx_rows exports.onnx_net exports.training.inputs exports.training.nets"
    " exports.training.reading",
    "exports.onnx_file exports.training.values",
    # heats
    "heat result order explained standings",
    # races
    "crews entry verdict compared",
    "crew",
    "scored",
    "pace calibrated mattered checkpoints",
    "track",
    "finish repeated opened promised curvature permuted resumed report.plots report.predicted report.repeat",
    "combined refitting winning held report.scaled report.raced report.measured report.grounds report.library around",
    "report.document",
    "weighed start continued report.gathered report.side",
    "ending study outline reopened report",
    "racing fitting explaining comparing exports.scripts",
    "resuming reporting",
    # the bench
    "bench bench.cases",
    "bench.contest bench.ours bench.torch_rivals bench.sklearn_rival bench.jax_rival bench.shown",
    "bench.contestant bench.measure",
    # pictures and lessons
    "pictures.style",
    "pictures.labels pictures.columns",
    "pictures.paths pictures.curves pictures.factors pictures.grids pictures.series",
    "pictures.landscapes",
    "pictures",
    "lessons.base",
    "lessons.bowls",
    " ".join(sorted(members("lessons") - {"lessons.bowls"})),
    "lessons",
    # faces
    "asked display told listed transformers estimating shell",
    "showing",
    "measuring using teaching estimators",
    "outcome",
    "cli",
)
FLOOR = {name: i for i, line in enumerate(FLOORS) for name in line.split()}

# What comes from outside stands behind one file, or a few.
OUTSIDE = {
    "click": "cli measuring outcome showing using teaching shell",
    "matplotlib": "pictures.style",
    "rich": "display",
    "jinja2": "report.document exports.scripts",
    "sqlite3": "journal",
    "safetensors": "model checkpoints",
    "narwhals": "data.frames",
    "fastexcel": "data.read",
    "onnx": "exports.onnx_graph",
    "tomli_w": "folder recipe report.repeat",
    "tomllib": "folder recipe",
    "sklearn": "baselines metrics transformers estimating estimators exports.scripts bench.sklearn_rival",
    "subprocess": "baselines bench.contest",
    "torch": "bench.torch_rivals exports.torch_net",
    "optax": "rules.optax_bridge",
    "jax": "checkpoints record losses seats room lane program step crew scored finish repeated descent walk curvature"
    " bench.jax_rival bench.measure surface around pictures.landscapes lessons.rmsprop lessons.batch_norm"
    " lessons.dropout",
    "jaxlib": "seats program",
}
ANYWHERE_IN = {"jax": ("layers", "rules")}  # rooms whose members may use a package or not

LONG_FILES: dict[str, tuple[int, str]] = {}  # name: (lines it may have, why)
LONG_FUNCTIONS = {  # name: (lines it may have, why)
    "executor.Threads.run": (55, "the queue, the worker and the waiting share their variables and one lock"),
}


def imported(name):
    """The files of the house that a file imports, wherever in it, and the outside packages."""
    inside, outside = set(), set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            deeper = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [d if d.removeprefix("slalom.") in FILES and d != node.module else node.module for d in deeper]
        else:
            continue
        for one in found:
            top, _, rest = one.partition(".")
            (inside.add(rest) if top == "slalom" else outside.add(top))
    return inside, outside


@pytest.mark.parametrize("name", [name for name in FILES if name != DOOR])
def test_file_imports_only_from_floors_below(name):
    """A file imports only from floors below its own, inside functions too; siblings never import each other."""
    assert name in FLOOR, f"{name}.py stands on no floor: give it one in FLOORS"
    inside, _ = imported(name)
    assert not [other for other in inside if other == DOOR or FLOOR[other] >= FLOOR[name]]


def test_every_floor_is_lived_on():
    """The floors name every file once, and none that is not there."""
    listed = [name for line in FLOORS for name in line.split()]
    assert sorted(listed) == sorted(name for name in FILES if name != DOOR)


@pytest.mark.parametrize("package", OUTSIDE)
def test_outside_packages_stand_behind_their_files(package):
    """A package from outside is imported by the files that are named for it, and by no other."""
    free = {f"{room}.base" for room in ANYWHERE_IN.get(package, ())}.union(*map(members, ANYWHERE_IN.get(package, ())))
    assert {name for name in FILES if package in imported(name)[1]} - free == set(OUTSIDE[package].split())


def test_the_racer_axis_has_one_door():
    """Only `lane` and `heat` know that racers lie side by side: vmap stands in `lane` alone."""
    users = [
        name
        for name, tree in TREES.items()
        if any(
            isinstance(node, ast.Attribute) and node.attr in ("vmap", "pmap", "shard_map") for node in ast.walk(tree)
        )
    ]
    assert sorted(users) == ["bench.jax_rival", "lane"]  # the rival shows what the house does not do


def test_files_open_with_a_sentence():
    """One sentence opens every file."""
    first = {name: (ast.get_docstring(tree) or "").split("\n")[0] for name, tree in TREES.items()}
    assert not {name: s for name, s in first.items() if not (s[:1].isupper() and s.endswith(".") and 20 < len(s) < 120)}


def test_files_are_short():
    """A file has at most 300 lines, unless it stands among the exceptions with its reason."""
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()}
    assert not {name: n for name, n in lines.items() if n > LONG_FILES.get(name, (300, ""))[0]}


def functions(tree, prefix):
    """(name, lines without the docstring) of every function, methods and inner ones too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f"{prefix}.{node.name}"
            yield from functions(node, name)
            if not isinstance(node, ast.ClassDef):
                head = node.body[0]
                documented = ast.get_docstring(node, clean=False) is not None
                said = head.end_lineno - head.lineno + 1 if documented else 0
                yield name, node.end_lineno - node.lineno + 1 - said


def test_functions_are_short():
    """A function has at most 40 lines beside its docstring, unless it stands among the exceptions with its reason."""
    lines = [pair for name, tree in TREES.items() for pair in functions(tree, name)]
    assert not {name: n for name, n in lines if n > LONG_FUNCTIONS.get(name, (40, ""))[0]}


def test_exceptions_are_needed():
    """No exception is kept that nothing needs any more."""
    for name in LONG_FILES:
        assert len(FILES[name].read_text(encoding="utf-8").splitlines()) > 300
    lengths = dict(pair for name, tree in TREES.items() for pair in functions(tree, name))
    for name in LONG_FUNCTIONS:
        assert lengths[name] > 40


@pytest.mark.parametrize("folder", ROOMS)
def test_registry_is_the_folder(folder):
    """A registry has one line for each file of its folder, under the file's name, and the class lives in that file."""
    registry = importlib.import_module(f"slalom.{folder}").REGISTRY
    files = {name.partition(".")[2] for name in members(folder)} - BESIDE.get(folder, set())
    assert set(registry) == files
    for name, cls in registry.items():
        assert cls.__module__ == f"slalom.{folder}.{name}"
        assert cls.__doc__
        assert cls.__name__ in importlib.import_module(f"slalom.{folder}").__all__


# --- the public door --------------------------------------------------------------------------------------------------


def run(code):
    """What a fresh process prints."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_door_is_small_and_resolves():
    """The door has at most 30 names, sorted, each with a docstring; nothing else comes through it."""
    assert len(slalom.__all__) <= 30
    assert slalom.__all__ == sorted(slalom.__all__)
    assert dir(slalom) == sorted(slalom.__all__)
    for name in slalom.__all__:
        assert getattr(slalom, name).__doc__, name
    with pytest.raises(AttributeError, match=r"^module 'slalom' has no attribute 'rase'$"):
        _ = slalom.rase


def test_door_loads_nothing_before_it_is_needed():
    """`import slalom` loads none of the heavy packages: not scikit-learn, not polars, not JAX, not Matplotlib."""
    heavy = ["sklearn", "polars", "jax", "scipy", "numpy", "matplotlib"]
    assert run(f"import sys, slalom; print([name for name in {heavy} if name in sys.modules])") == "[]"


def test_names_of_the_door_are_what_they_say():
    """In a fresh process every name of the door is a function, a class or a room, in whatever order they are used."""
    code = "import slalom; print(*[type(getattr(slalom, n)).__name__ for n in {names}])"
    kinds = dict(zip(slalom.__all__, run(code.format(names=slalom.__all__)).split(), strict=True))
    assert {name for name, kind in kinds.items() if kind == "module"} == ROOMS_OF_THE_DOOR
    assert {name for name, kind in kinds.items() if kind == "function"} == {
        *(
            "race",
            "resume",
            "report_on",
            "explain",
            "compare",
            "inspect",
            "fit",
            "load",
            "leaderboard",
            "descend",
            "ewma",
        )
    }
    assert run(code.format(names=slalom.__all__[::-1])).split() == list(kinds.values())[::-1]


@pytest.mark.parametrize("name", slalom.__all__)
def test_name_is_not_hidden_by_a_module(name):
    """No module stands under a name of the door that is something else: importing it would put it in the place of the
    function, and `slalom.race(…)` would call a module."""
    assert (name in FILES) == (name in ROOMS_OF_THE_DOOR)
