"""`slalom bench`: one real run, the sentences that refuse one, and its rooms with contestants that only pretend."""

import itertools
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slalom import cli
from slalom.bench import contest, measure, shown
from slalom.bench.cases import CLASSES, SHAPES, Case, first_weights, made_data, orders
from slalom.bench.contest import Contestant
from slalom.executor import cores

from .command import slalom

pytestmark = pytest.mark.long

TINY = ["--shapes", "D", "--racers", "64", "--rows", "500", "--seconds", "0.1"]  # 300 steps
SKLEARN = "scikit-learn, one process a core"
TORCH = (
    ["PyTorch, one process", "PyTorch, one process a core", "PyTorch, best population"] if measure.has_torch() else []
)
NAMES = ["Slalom", *TORCH, SKLEARN, "JAX, scan and vmap"]
NUMBERS = ("racer_steps_per_second", "gflops", "share", "slalom_is_faster", "peak_mb", "loss")


def refuse(text: str) -> Any:
    raise AssertionError(f"{text} is no JSON")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a tiny bench says as JSON, nothing beside it."""
    ended = slalom("bench", *TINY, "--json", "--quiet", cwd=tmp_path_factory.mktemp("bench"))
    assert (ended.returncode, ended.stderr) == (0, "")
    return json.loads(ended.stdout, parse_constant=refuse)


def test_every_contestant_is_told_with_finite_numbers(told: Any) -> None:
    assert set(told) == {"machine", "cases"}
    (case,) = told["cases"]
    assert [one["contestant"] for one in case["contestants"]] == NAMES
    for one in case["contestants"]:
        assert one["failure"] is None
        assert len(one["rounds"]) == measure.ROUNDS
        assert one["racer_steps_per_second"] == max(one["rounds"])
        assert all(math.isfinite(one[name]) and one[name] > 0 for name in NUMBERS)
        assert one["loss"] < math.log(CLASSES)
        assert (one["rows"], one["mixed"], one["unsteady"]) == (500, False, one["unsteady"] is True)
        rate = one["racer_steps_per_second"]
        assert one["gflops"] == pytest.approx(rate * case["flops_per_step"] / 1e9, abs=case["flops_per_step"] / 1e9)
        assert one["share"] == pytest.approx(one["gflops"] / case["matrix_product_gflops"])
    mine = case["contestants"][0]
    assert (mine["racers"], mine["steps"]) == (64, case["case"]["steps"])
    assert (mine["slalom_is_faster"], mine["compile_seconds"] > 0) == (1.0, True)
    assert (case["sizes"], case["batch"], case["columns"]) == ([30, 32, 32, 3], 32, 30)
    assert case["losses_alike"] is True


def test_the_headline_is_the_ratio_to_the_fastest_rival(told: Any) -> None:
    (case,) = told["cases"]
    mine, *others = case["contestants"]
    fastest = max(others, key=lambda one: one["racer_steps_per_second"])
    assert case["fastest_rival"] == fastest["contestant"]
    ratio = mine["racer_steps_per_second"] / fastest["racer_steps_per_second"]
    assert case["headline"] == fastest["slalom_is_faster"] == pytest.approx(ratio, rel=1e-3)  # of whole numbers


def test_the_machine_says_whether_pytorch_is_there(told: Any) -> None:
    machine = told["machine"]
    assert (machine["torch"] == "not installed") == (not measure.has_torch())
    assert machine["cores"] == cores() > 0
    assert {"processor", "avx512", "system", "python", "jax", "jaxlib", "numpy", "scikit-learn"} <= set(machine)


def test_text_has_every_contestant_and_the_headline(
    told: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (case,) = told["cases"]
    monkeypatch.setattr(measure, "compared", lambda *_: case)
    monkeypatch.setattr(measure, "has_torch", lambda: False)
    assert cli.run(["bench", *TINY, "-q"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for name in NAMES:
        assert re.search(rf"^{re.escape(name)} .*\d", out, re.MULTILINE)
    assert f"Slalom trains {case['headline']:.1f} times as fast as the fastest rival: {case['fastest_rival']}." in out
    assert out.splitlines()[-1].startswith("PyTorch is not installed here, so that it took no part: pip install ")
    heading, first = out.splitlines()[2:4]
    assert heading.split()[-2:] == ["Slalom", "is"]
    assert len(first) <= len(heading)  # Slalom's own line has no ratio


# --- what is refused --------------------------------------------------------------------------------------------------

SENTENCES = {
    "an unknown shape": (["--shapes", "AZ"], r"slalom bench: --shapes takes letters of ABCDEFG, .* got 'AZ'\."),
    "no shape": (["--shapes", ""], r"slalom bench: --shapes takes letters of ABCDEFG, .* got ''\."),
    "no racers": (["--racers", "0"], r"Invalid value for '--racers': 0 is not in the range 1<=x<=65536\. See .*"),
    "negative racers": (["--racers", "-1"], r"Invalid value for '--racers': -1 is not in the range .*"),
    "half a racer": (["--racers", "1.5"], r"Invalid value for '--racers': '1\.5' is not a valid integer range\. .*"),
    "rows below a batch": (["--rows", "255"], r"Invalid value for '--rows': 255 is not in the range x>=256\. .*"),
    "no seconds": (["--seconds", "0"], r"Invalid value for '--seconds': 0\.0 is not in the range 0\.1<=x<=600\. .*"),
    "negative seconds": (["--seconds", "-3"], r"Invalid value for '--seconds': -3\.0 is not in the range .*"),
    "endless seconds": (["--seconds", "inf"], r"Invalid value for '--seconds': inf is not in the range .*"),
    "seconds that are no number": (["--seconds", "nan"], r".*--seconds.* nan.*"),
    "a word for seconds": (["--seconds", "soon"], r"Invalid value for '--seconds': 'soon' is not a valid .*"),
    "a file": (["houses.csv"], r"Got unexpected extra argument \(houses\.csv\) See slalom bench --help\."),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_bad_input_of_a_bench_is_one_sentence(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, sentence = SENTENCES[case]
    assert cli.run(["bench", "--racers", "1", *arguments, "-q"]) == 2
    out, err = capsys.readouterr()
    assert re.fullmatch(sentence + r"\n", err), err
    assert out == ""


# --- contestants that only pretend ------------------------------------------------------------------------------------

PRETENDER = """#!{python}
import json, sys
asked = json.loads(sys.argv[-1])
name, fate = asked["name"], asked["given"].get("fate") or {fates}.get(asked["name"], "")
print("some warning", file=sys.stderr, flush=True)
if fate == "never ready":
    sys.exit("Traceback:\\n  somewhere\\nImportError: no such thing")
print("ready", flush=True)
for round, _ in enumerate(sys.stdin):
    if fate == "dies" or (fate == "dies late" and round):
        sys.exit("Traceback:\\n  somewhere\\nMemoryError: no room")
    seconds = {{"slalom": 1, "usual_jax": 4, "scikit_learn": 10}}.get(name, 1) * (1 + round)
    print(json.dumps({{"updates": 1000, "seconds": seconds, "loss": 0.5, "gflops": 100.0, "peak_mb": 7.0}}), flush=True)
"""


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put a process that only pretends in the place of every contestant's; fates: of those that fail, by name."""
    monkeypatch.setattr(measure, "has_torch", lambda: False)

    def put(**fates: str) -> None:
        script = tmp_path / "pretender"
        script.write_text(PRETENDER.format(python=sys.executable, fates=fates), encoding="utf-8")
        script.chmod(0o755)
        monkeypatch.setattr(contest, "sys", type("sys", (), {"executable": str(script)}))

    return put


CASE = Case("D", racers=2, rows=500, steps=10)


def test_ratios_are_those_of_the_best_rounds(pretend: Any) -> None:
    pretend()
    told = measure.compared(CASE)
    mine, sklearn, jax = told["contestants"]
    assert (mine["rounds"], mine["racer_steps_per_second"]) == ([1000, 500], 1000)
    assert sklearn["rounds"] == [
        cores() * 100,
        cores() * 50,
    ]  # processes at the same time: all updates, the last's time
    assert (told["fastest_rival"], told["headline"]) == ("JAX, scan and vmap", 4.0)
    assert (jax["slalom_is_faster"], mine["slalom_is_faster"], told["losses_alike"]) == (4.0, 1.0, True)
    assert [one["unsteady"] for one in told["contestants"]] == [False] * 3
    assert (mine["gflops"], mine["share"]) == pytest.approx((1000 * CASE.flops / 1e9, 1000 * CASE.flops / 1e11))


@pytest.mark.parametrize(
    ("fate", "line", "rounds"),
    [("never ready", "ImportError: no such thing", 0), ("dies", "MemoryError: no room", 0),
     ("dies late", "MemoryError: no room", 1)],
)  # fmt: skip
def test_a_rival_that_dies_is_told_and_breaks_nothing(pretend: Any, fate: str, line: str, rounds: int) -> None:
    pretend(usual_jax=fate)
    told = measure.compared(CASE)
    mine, sklearn, jax = told["contestants"]
    assert (jax["failure"], len(jax["rounds"])) == (line, rounds)
    assert (jax["loss"] is None) == (jax["slalom_is_faster"] is None) == (rounds == 0)
    assert (mine["failure"], sklearn["failure"], told["fastest_rival"]) == (None, None, SKLEARN)
    text = shown.text(told)
    assert re.search(rf"^JAX, scan and vmap +failed: {re.escape(line)}$", text, re.MULTILINE), text
    assert "the fastest rival: scikit-learn" in text


def test_the_bench_fails_where_slalom_itself_does(pretend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pretend(slalom="dies")
    assert cli.run(["bench", *TINY, "--json", "-q"]) == 1
    out, err = capsys.readouterr()
    (case,) = json.loads(out, parse_constant=refuse)["cases"]
    assert (case["contestants"][0]["failure"], err) == ("MemoryError: no room", "")
    assert cli.run(["bench", *TINY, "-q"]) == 1
    out = capsys.readouterr().out
    assert "failed: MemoryError: no room" in out
    assert "times as fast" not in out


def test_a_contestant_of_the_real_kind_that_cannot_run_says_why() -> None:
    linear = Contestant("scikit-learn", "scikit_learn", Case("G", racers=1, rows=500, steps=10))  # it has no such net
    linear.measure()
    assert (linear.failure, linear.rate, linear.loss) == ("KeyError: 'width'", 0.0, None)
    assert linear.plain()["failure"] == "KeyError: 'width'"


def test_progress_says_who_is_at_work(pretend: Any) -> None:
    pretend()
    said: list[str] = []
    measure.compared(CASE, said.append)
    assert [text for text in said if text.startswith("Slalom")] == [
        "Slalom is made ready", "Slalom, round 1 of 2", "Slalom, round 2 of 2",
    ]  # fmt: skip


# --- cases ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_flops_are_counted_by_their_formula(shape: str) -> None:
    case = Case(shape)
    sizes = [4 * case.columns if shape == "F" else case.columns, *case.sizes[1:]]
    weights = sum(a * b for a, b in itertools.pairwise(sizes))
    expected = 6 * case.batch * weights - 2 * case.batch * sizes[0] * sizes[1]
    if shape == "F":  # its mixtures learn too, 3 of 16 waves a column, and so the first layer passes its gradient on
        expected = 6 * case.batch * (weights + 3 * 16 * case.columns)
    assert case.flops == expected


def test_orders_are_permutations_of_the_rows_in_every_epoch() -> None:
    case = Case("D", rows=100)  # three batches of 32 an epoch, and four rows left over
    rows = orders(case, 11)
    assert rows.shape == (11, 32)
    epochs = [rows[i : i + 3].ravel() for i in range(0, 11, 3)]
    assert all(len(set(epoch)) == len(epoch) for epoch in epochs)
    assert len({tuple(epoch[:32]) for epoch in epochs}) == 4
    assert (rows.min(), rows.max()) >= (0, 98)
    assert rows.max() < 100
    np.testing.assert_array_equal(orders(case, 5), rows[:5])


def test_made_data_is_the_same_every_time_and_can_be_learned() -> None:
    case = Case("A", rows=3000)
    (x, y), (again, labels) = made_data(case), made_data(replace(case, racers=7, steps=3))
    np.testing.assert_array_equal(x, again)
    np.testing.assert_array_equal(y, labels)
    assert (x.shape, x.dtype) == ((3000, 16), np.float32)
    counts = np.bincount(y)
    assert len(counts) == CLASSES
    assert counts.min() > 300
    assert not np.array_equal(made_data(Case("A", rows=3001))[1][:3000], y)


def test_first_weights_are_as_large_as_slaloms() -> None:
    layers = first_weights(Case("A"), 50)
    assert [w.shape for w, _ in layers] == [(50, 16, 64), (50, 64, 64), (50, 64, 3)]
    for (w, b), variance in zip(layers, (2 / 16, 2 / 64, 1 / 64), strict=True):
        assert abs(w.var() / variance - 1) < 5 * math.sqrt(2 / w.size)  # five standard errors
        assert (b.shape, b.any()) == ((50, 1, w.shape[2]), False)


def test_a_case_takes_slalom_about_so_many_seconds() -> None:
    short, longer = (measure.case_of("A", 64, 1000, seconds) for seconds in (1.0, 2.0))
    assert 1.9 < longer.steps / short.steps < 2.1
    assert measure.case_of("C", 65_536, 1000, 0.1).steps == measure.LEAST_STEPS
    assert measure.case_of("G", 1, 1000, 600).steps == 20_000


@pytest.mark.parametrize(
    ("losses", "alike"),
    [([], True), ([None, None], True), ([0.5, 0.5], True), ([0.5, 0.6], True), ([0.5, 0.7], False), ([1.2, 1.3], False),
     ([1.0986, 0.5], False), ([0.5, None, 0.55], True), ([0.5, math.nan], False), ([math.nan, 0.5], False)],
)  # fmt: skip
def test_losses_are_alike_where_they_fell_alike(losses: list[float | None], alike: bool) -> None:
    assert measure.losses_alike(losses) is alike
