"""The page of a race is a function of report.json, runs its own script alone, and shows names as they are."""

import base64
import contextlib
import dataclasses
import hashlib
import json
import re
import shutil
import zlib
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from slalom import cli, explain, race, report_on
from slalom.board import table
from slalom.conformal import Conformal
from slalom.curvature import condition
from slalom.errors import SlalomError
from slalom.journal import Journal
from slalom.metrics import METRICS
from slalom.report import page
from slalom.report.gathered import gathered
from slalom.report.library import library
from slalom.report.plots import words
from slalom.report.predicted import of_classes, of_numbers
from slalom.report.raced import _pieces
from slalom.report.repeat import commands
from slalom.report.scaled import steps_to
from slalom.report.side import side_by_side
from slalom.result import leaderboard
from slalom.verdict import counts, verdict

from .test_report import LINEAR, MEAN, TREES, result, with_gain

EVIL = "</script><script>alert(1)</script>\"'&{{7*7}}\x1b[31m\u202e"
SMALL = {"depth": 1, "width": 8, "batch_size": 16, "rule": "adam", "embedding": "none"}


def told_of(given, **more):
    """What the page shows of a result as a race has it, without what needs its rows."""
    with Journal() as journal:
        settings = {"plan": {"rungs": [{"epochs": 2}, {"epochs": 4}]}, "order": {"metric": "rmse"},
                    "data": {"fingerprint": "f00d"}}  # fmt: skip
        found = gathered(given, journal, settings, None, 0.0)
    return json.loads(json.dumps(found | more))


class Page(HTMLParser):
    """What a browser would find in a page; scripts apart."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.scripts, self._inside = [], "", [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag in ("script", "style")
        self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            if self.tags[-1][0] == "script":
                self.scripts[-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a race of 20 recipes on a table whose second column is large."""
    folder = tmp_path_factory.mktemp("page")
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=400), 1000 * draw.normal(size=400)
    frame = pl.DataFrame({"a": a, "b": b, "kind": np.where(a > 0, "x", "y"), "price": 3 * a - b / 500})
    frame.write_csv(folder / "rows.csv")
    race(folder / "rows.csv", target="price", recipes=20, epochs=9, fixed=SMALL, out=folder / "run")
    return folder / "run"


def read(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def figures(text):
    """The figures in a page, by key."""
    plain = next(script for script in Page(text).scripts if script.startswith("[{"))
    return {one["key"]: one for one in json.loads(plain)}


def test_the_page_holds_verdict_all_rows_tests_recipe_command_and_notes():
    """Everything that a result tells stands in the text, also where no script runs."""
    given = result()
    found = Page(page(told_of(given)))
    for said in [*verdict(given), counts(given), "A note.", 'scaling = "z_score"']:
        assert said.replace("`", "") in found.text.replace("`", "")
    assert "slalom race data/houses.csv --target price --seed 7 --recipe recipe.toml" in found.text
    assert all(f"recipe {i}" in found.text for i in range(30))
    assert "price in houses.csv" in found.text
    assert "1,000" in found.text


def test_the_report_shows_the_ensemble_among_the_test_scores():
    """The ensemble is marked as the race's own, beside the winner."""
    text = page(told_of(with_gain(1.5, 0.5)))
    assert re.search(r'<tr class="winner"><th scope="row">ensemble', text)
    assert "An ensemble, the mean of 2 nets" in text
    assert "they say what the winner, its parts and the ensemble are worth" in text


def test_only_the_winner_stands_out():
    """The row of the winner is marked in the leaderboard, also where a baseline is better."""
    marked = re.findall(r'<tr class="winner"><td class="right">(\d+)</td><td>([^<]*)', page(told_of(result())))
    assert marked == [("3", "recipe 1")]


def test_the_page_loads_nothing_and_runs_its_own_scripts_alone(run):
    """No tag refers to anything outside; the policy names two scripts by their hashes: the page's own, and Plotly's
    once it is unpacked."""
    text = (run / "report.html").read_text(encoding="utf-8")
    found = Page(text)
    assert not {"link", "img", "iframe", "object", "form", "base"} & {tag for tag, _ in found.tags}
    for _, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert attributes.get("href", "#").startswith("#")
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    assert "connect-src" not in parts
    packed = next(s for (tag, a), s in zip([t for t in found.tags if t[0] == "script"], found.scripts, strict=True)
                  if a.get("id") == "library")  # fmt: skip
    scripts = [found.scripts[-1].encode(), zlib.decompress(base64.b64decode(packed))]
    hashes = {f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts}
    assert set(parts["script-src"].split()) == hashes
    assert len(text) < 8e6
    assert library()[1] in policy


def test_names_are_text_whatever_they_hold():
    """Names of columns, classes, files and metrics end no script, begin no tag, are no template and steer nothing."""
    given = result({"recipe 1": 1.0, EVIL: 2.0}, source=f"a/{EVIL}.csv", target=EVIL)
    classes = of_classes(np.tile([0, 1], 30), np.tile([[0.8, 0.2], [0.3, 0.7]], (30, 1)), [EVIL, "no"])
    told = told_of(given, predictions=classes | {"kind": "test"}, notes=[EVIL])
    told["race"]["baselines"].append({"name": EVIL, "score": 3.0})
    told["evidence"] = None
    text = page(told)
    found = Page(text)
    assert len(found.scripts) == 3
    assert "<script>alert" not in text.replace("\\u003cscript\\u003ealert", "")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "49" not in re.sub(r"[^{}]*\{\{7\*7\}\}", "", found.text[found.text.index("Notes") :])
    assert "</script><script>alert(1)</script>" in found.text
    assert "&lt;/script&gt;" in figures(text)["confusion"]["data"][0]["x"][0]


def test_the_page_is_made_of_report_json(run):
    """The page drawn from what report.json holds is the page that the race left."""
    assert page(read(run)) == (run / "report.html").read_text(encoding="utf-8")


def test_every_racer_is_drawn(run):
    """Every recipe's curve with all its scores is in the figure of the race, the winner by itself; those of the journal
    are in report.json."""
    told = read(run)
    assert len(told["race"]["racers"]) == 20
    with Journal(run / "journal.sqlite", read_only=True) as journal:
        for number, costs in journal.scores().items():
            racer = next(r for r in told["race"]["racers"] if r["name"] == f"recipe {number}")
            known = [cost for cost in costs.values() if cost is not None]
            np.testing.assert_allclose([point[1] for point in racer["curve"]], known, rtol=1e-5)
    drawn = figures(page(told))["race"]["data"]
    names = {text.partition(":")[0] for trace in drawn for text in trace.get("text", ()) if text}
    assert names == {racer["name"] for racer in told["race"]["racers"] if racer["curve"]}
    assert len(names) > 15
    assert sum("the winner" in trace.get("name", "") for trace in drawn) == 1


@pytest.mark.parametrize("lengths", [(1, 1, 1), (1, 4, 1), (4, 4, 4)])
def test_every_dropped_racer_is_seen(lengths):
    """A racer that was scored once is a dot, beside others' curves as well; longer curves have no dots."""
    told = told_of(result({"recipe 1": 1.0}))
    told["race"]["racers"] = [
        {"name": f"recipe {9 + i}", "outcome": "dropped at rung 1", "finalist": False,
         "curve": [[float(e + 1), 2.0 - 0.1 * e] for e in range(length)]}
        for i, length in enumerate(lengths)
    ]  # fmt: skip
    (whole, *_) = (one for one in figures(page(told))["race"]["data"] if one["name"] == "dropped")
    sizes = whole["marker"]["size"]
    dots = sizes if isinstance(sizes, list) else [sizes if "markers" in whole["mode"] else 0] * len(whole["x"])
    seen = {text.partition(":")[0] for text, size in zip(whole["text"], dots, strict=True) if text and size}
    assert seen == {f"recipe {9 + i}" for i, length in enumerate(lengths) if length == 1}
    assert ("lines" in whole["mode"]) == (max(lengths) > 1)


FALLING = {"name": "recipe 1", "outcome": "finished", "finalist": False,
           "curve": [[1.0, 9.0], [2.0, 5.0], [3.0, 1.0]]}  # fmt: skip


def test_a_single_racer_is_drawn_whole():
    """The range holds the whole curve of a race of one recipe, and the caption speaks of none that was dropped."""
    told = told_of(result({"recipe 1": 1.0}))
    told["race"] |= {"racers": [FALLING], "baselines": []}
    drawn = figures(page(told))["race"]
    low, high = drawn["layout"]["yaxis"]["range"]
    assert low < 1.0 < 9.0 < high
    assert "The curve of 1 recipe over the epochs. Vertical lines" in page(told)


def test_a_label_at_the_top_stands_below_its_line():
    """A baseline whose line lies at the upper end of the plot has its name below it, the others above."""
    told = told_of(result({"recipe 1": 1.0}))
    told["race"] |= {"racers": [FALLING], "baselines": [{"name": "high", "score": 9.2}, {"name": "low", "score": 2.0}]}
    labels = {
        one["name"]: one["label"]["yanchor"] for one in figures(page(told))["race"]["layout"]["shapes"] if "name" in one
    }
    assert labels == {"high": "top", "low": "bottom"}


def test_a_dropped_curve_fades_and_stays_itself():
    """The pieces of a curve join, cover it from end to end, and lie on it."""
    curve = [[1.0, 5.0], [2.0, 3.0], [4.0, 2.5], [8.0, 2.0]]
    pieces = _pieces(curve)
    assert [piece[0] for piece in pieces[1:]] == [piece[-1] for piece in pieces[:-1]]
    assert pieces[0][0] == curve[0]
    assert pieces[-1][-1] == curve[-1]
    points = np.array([point for piece in pieces for point in piece])
    np.testing.assert_allclose(points[:, 1], np.interp(points[:, 0], *np.array(curve).T))
    assert _pieces([[1.0, 2.0]]) == [[[1.0, 2.0]], [], [], []]


@pytest.mark.long
def test_explain_and_report_add_to_the_page(run):
    """Behind a race `explain` and `report_on` draw its page anew with what they measured; what was there stays."""
    before = read(run)
    explain(run, seconds=12)
    report_on(run, seconds=4)
    told, text = read(run), (run / "report.html").read_text(encoding="utf-8")
    assert told["race"] == before["race"]
    assert told["grids"][0]["of"] == "the winner"
    for _, score, seeds in told["grids"][0]["scores"]:
        assert len(seeds) == 2
        assert score is None or min(seeds) - 1e-9 <= score
    assert sum("fill" in trace for trace in figures(text)["rates"]["data"]) == 1
    assert {"race", "rates", "scaling", "random-plane", "path-plane", "truth", "residuals"} <= set(figures(text))
    assert page(told) == text
    assert str(run.parent) not in text + json.dumps(told)
    found = told["landscape"]
    paths = found["path"]["paths"]
    assert len(paths) >= 4
    np.testing.assert_allclose(paths[0]["points"][-1], [0, 0], atol=1e-6)
    starts = np.array([path["points"][0] for path in paths])
    np.testing.assert_allclose(starts, starts[:1].repeat(len(starts), 0), rtol=1e-5, atol=1e-6)
    middle = found["random"]["values"][len(found["random"]["y"]) // 2][len(found["random"]["x"]) // 2]
    np.testing.assert_allclose(middle, paths[0]["losses"][-1], rtol=1e-4)
    assert all(path["losses"][-1] <= 2 * path["losses"][0] for path in paths)


def test_a_page_that_cannot_be_drawn_costs_no_race(monkeypatch, tmp_path):
    """Whatever goes wrong with the page, the race ends, keeps its model and says so."""

    def broken(*given):
        raise ValueError("seven is no colour")

    monkeypatch.setattr("slalom.racing.gathered", broken)
    x = np.random.default_rng(0).normal(size=(100, 2))
    ended = race(x, x[:, 0], recipes=1, epochs=1, fixed=SMALL, out=tmp_path / "run", baselines=False)
    said = "the report could not be drawn (ValueError: seven is no colour); everything else is kept."
    assert ended.notes[-1] == said
    assert not (tmp_path / "run" / "unfinished").exists()
    assert ended.model.predict(x).shape == (100,)


def test_truth_lies_across_prediction():
    """Rows of the table of counts are the truth, columns the prediction; groups go up with the prediction, and their
    residuals are truth less prediction."""
    y = np.linspace(0, 10, 200)
    found = of_numbers(y, np.full(200, 5.0) + 1e-3 * y, Conformal.of(y, y + 1))
    counts = np.array(found["counts"])
    assert (counts.sum(0) > 0).sum() <= 2
    assert (counts.sum(1) > 0).all()
    medians = [group["median"] for group in found["groups"]]
    assert medians == sorted(medians)
    np.testing.assert_allclose(medians[0], np.median(y[:20] - 5 - 1e-3 * y[:20]))
    assert found["groups"][0]["covered"] == 0
    assert of_numbers(y[:5], y[:5], None) == {}
    assert of_numbers(y, np.full(200, np.nan), None) == {}


def test_classes_are_counted_by_their_truth():
    """The confusion matrix has the truth in its rows; rare ones of many classes are together."""
    codes = np.arange(600) % 30
    p = np.full((600, 30), 0.01)
    p[np.arange(600), (codes + 1) % 30] = 0.71
    found = of_classes(codes, p, [f"c{i}" for i in range(30)])
    matrix = np.array(found["confusion"])
    assert matrix.shape == (20, 20)
    assert matrix.sum() == 600
    assert matrix[0, 1] == 20
    assert found["classes"][-1] == "all others"
    (seen,) = (one for one in found["calibration"] if one["rows"])
    assert seen["share"] == 0.0
    np.testing.assert_allclose(seen["interval"], binomtest(0, 600).proportion_ci(0.95), atol=1e-12)


def test_calibration_has_intervals():
    """A tenth's share stands with its exact interval, in the numbers and in the figure; the numbers of an older race,
    which has none, are drawn without."""
    codes = (np.arange(100) % 10 < 3).astype(int)
    told = told_of(
        result(), predictions=of_classes(codes, np.tile([0.72, 0.28], (100, 1)), ["no", "yes"]) | {"kind": "test"}
    )
    (bin,) = (one for one in told["predictions"]["calibration"] if one["rows"])
    np.testing.assert_allclose(bin["interval"], binomtest(30, 100).proportion_ci(0.95), atol=1e-12)
    assert "with 95 % intervals. Larger dots" in page(told)
    bars = figures(page(told))["calibration"]["data"][1]["error_y"]
    np.testing.assert_allclose([0.3 - bars["arrayminus"][0], 0.3 + bars["array"][0]], bin["interval"])
    for one in told["predictions"]["calibration"]:
        del one["interval"]
    text = page(told)
    assert "error_y" not in figures(text)["calibration"]["data"][1]
    assert "with 95 % intervals. Larger dots" not in text


def test_steps_of_descent_are_those_of_descent():
    """The closed form counts as many steps as a loop that makes them."""
    draw = np.random.default_rng(3)
    x, y = draw.normal(size=(50, 2)) * [1.0, 3.0] + [0.5, 0.0], draw.normal(size=50)
    a = np.hstack([x, np.ones((50, 1))])
    loss = lambda w: 0.5 * ((a @ w - y) ** 2).mean()  # noqa: E731
    best = loss(np.linalg.lstsq(a, y, rcond=None)[0])
    rate, w, steps = 1 / np.linalg.eigvalsh(a.T @ a / 50)[-1], np.zeros(3), 0
    while loss(w) - best > 0.01 * (loss(np.zeros(3)) - best):
        w, steps = w - rate * a.T @ (a @ w - y) / 50, steps + 1
    assert steps_to(x, y) == steps > 5
    assert steps_to(np.zeros((5, 1)), np.zeros(5)) is None


def test_a_scaling_that_crushes_columns_is_told(tmp_path):
    """Where a sigmoid of large numbers leaves one value, the page says so, and takes it for no good condition."""
    draw = np.random.default_rng(0)
    x = np.column_stack([draw.normal(size=150), 5000 + 300 * draw.normal(size=150)])
    race(x, x[:, 0], recipes=1, epochs=1, fixed=SMALL, out=tmp_path / "run", baselines=False)
    text = page(read(tmp_path / "run"))
    assert "Under sigmoid 1 column became next to constant: what they held is gone." in Page(text).text
    assert re.search(r'sigmoid</th><td class="right">–</td><td class="right">–</td>', text)


def test_an_interrupted_race_says_so():
    """The page says first that this is the best so far, and how to go on."""
    with Journal() as journal:
        told = gathered(result(), journal, {}, None, 0.0, interrupted=True)
    assert told["verdict"][0].startswith("Interrupted: this is the best so far. `slalom resume ")


def test_scalings_are_compared(run):
    """The winner's scaling comes first; z-scored columns have the condition number of z-scored columns."""
    found = read(run)["scaling"]
    assert found["scalings"][0]["winner"]
    raw = next(one for one in found["scalings"] if one["scaling"] == "none")
    scaled = next(one for one in found["scalings"] if one["scaling"] == "z_score")
    assert raw["condition"] > 1e5 > 3 > scaled["condition"]
    assert raw["steps"] > 100 * scaled["steps"]
    frame = pl.read_csv(run.parent / "rows.csv")
    np.testing.assert_allclose(raw["condition"], condition(frame.select("a", "b").to_numpy()), rtol=0.3)


def test_a_page_of_a_thousand_racers_is_small():
    """A thousand racers with forty scores each take less than eight megabytes."""
    told = told_of(result(recipes=1000))
    for i, racer in enumerate(told["race"]["racers"]):
        racer["curve"] = [[e + 1.0, 100.123456 / (e + i + 1)] for e in range(40)]
        racer["outcome"] = "dropped at rung 1" if i > 10 else "finished"
    text = page(told)
    assert 2e6 < len(text) < 8e6
    assert len(figures(text)["race"]["data"]) < 12


def test_races_stand_side_by_side():
    """Scores in one table, fields in which the winners differ, a warning where scores do not compare."""
    first = told_of(result())
    other = json.loads(json.dumps(first))
    other["recipe"]["learning_rate"] = 0.5
    text = Page(side_by_side(["a", "b<i>"], [first, other])).text
    assert "learning_rate" in text
    assert "0.5" in text
    assert "b<i>" in text
    assert "say nothing about each other" not in text
    for change in ({"target": "rooms"}, {"seed": 8}, {"data": {"fingerprint": "beef"}}, {"data": {}}):
        assert "another target" in Page(side_by_side(["a", "b"], [first, other | change])).text
    other["metric"] = "mae"
    assert "different metrics" in Page(side_by_side(["a", "b"], [first, other])).text
    with pytest.raises(SlalomError, match=r"^slalom compare takes two to 6 runs\. Got 1\.$"):
        side_by_side(["a"], [first])


def test_one_run_is_not_said_to_be_damaged(run, capsys):
    """The command says what is wrong with its arguments, not with a report that is whole."""
    assert cli.run(["compare", str(run)]) == 2
    assert capsys.readouterr().err == "slalom compare takes two to 6 runs. Got 1.\n"


def with_evidence(told, **fields):
    """The same with evidence as `explain` writes it."""
    part = {"value": "adam", "plain": "sgd", "verdict": "helps", "worth": 0.5, "low": 0.1, "high": 0.9, "p": 0.01,
            "unseen": 0.2, "rate": 0.01, "rate_without": 0.1, "kept": 0.4, "diverged": 0}  # fmt: skip
    found = {
        "metric": "rmse", "greater": False, "standing": None, "droppings": [], "ended": {"recipes": 30, "diverged": 1},
        "worths": [part | {"part": "update rule"}, part | {"part": "scaling", "worth": -0.2, "verdict": "hurts"},
                   part | {"part": "schedule", "worth": None}],
        "fields": [{"field": "rule", "divergence": 1.5, "p": 0.01, "recipes": 30, "levels": [], "edge": "upper"},
                   {"field": "width", "divergence": -0.1, "p": 0.8, "recipes": 30, "levels": [], "edge": ""}],
        "scalings": [], "columns": [{"column": name, "worth": 1.0, "error": 0.1} for name in ("a" * 60, "a" * 61)],
        "intervals": {}, "left": [], "needed": 0.0,
    }  # fmt: skip
    return told | {"evidence": found | fields}


def test_what_was_measured_is_drawn():
    """Parts stand by their worth, with what helps in blue; only fields that decided are drawn; columns whose cut names
    are the same stay two."""
    text = page(with_evidence(told_of(result())))
    assert "The winner lies at the edge of the range that is drawn from in rule (at the upper end)" in text
    drawn = figures(text)
    worths = drawn["worths"]["data"][0]
    assert worths["y"] == ["scaling (adam)", "update rule (adam)"]
    assert worths["x"] == [-0.2, 0.5]
    np.testing.assert_allclose(worths["error_x"]["array"][1], 0.4)
    np.testing.assert_allclose(worths["error_x"]["arrayminus"][1], 0.4)
    assert worths["marker"]["color"] == ["\x01orange", "\x01blue"]
    assert drawn["fields"]["data"][0]["y"] == ["rule"]
    assert len(set(drawn["columns"]["data"][0]["y"])) == 2


def test_grids_end_where_the_winner_diverges():
    """The winner's grid has a line halfway, in the logarithm, between its last score and the rate that diverged; the
    band holds each seed; grids of a journal without seeds have none."""
    scores = [[0.01, 2.0, [1.5, 2.5]], [0.1, 1.0, [0.9, 1.1]], [1.0, None, [None, 3.0]]]
    told = told_of(result(), grids=[{"of": "the winner", "scores": scores}])
    drawn = figures(page(told))["rates"]
    np.testing.assert_allclose(drawn["layout"]["shapes"][1]["x0"], 10**-0.5)
    np.testing.assert_allclose(drawn["layout"]["annotations"][1]["x"], -0.5)
    np.testing.assert_allclose(drawn["layout"]["shapes"][0]["x0"], told["recipe"]["learning_rate"])
    top, bottom, line = drawn["data"]
    assert top["y"] == [2.5, 1.1, 3.0]
    assert bottom["y"] == [1.5, 0.9, 3.0]
    assert line["x"] == [0.01, 0.1]
    told["grids"][0]["scores"] = [[rate, score, []] for rate, score, _ in scores]
    assert figures(page(told))["rates"]["data"][-1]["y"] == [2.0, 1.0]


def test_more_can_be_better():
    """Where more is better the axis holds the best score at its upper end, and the best moment is the highest."""
    told = told_of(result({"recipe 1": 0.9, MEAN: 0.5}, metric=METRICS["accuracy"]))
    for i, racer in enumerate(told["race"]["racers"]):
        racer["curve"] = [[1.0, 0.5], [2.0, 0.95 - 0.01 * i], [3.0, 0.9 - 0.01 * i]]
    told["race"]["baselines"] = [{"name": MEAN, "score": 0.6}]
    drawn = figures(page(told))["race"]
    low, high = drawn["layout"]["yaxis"]["range"]
    assert low < 0.65 < 0.95 < high < 1.1
    dot = next(
        trace for trace in drawn["data"] if trace["mode"] == "markers" and "best moment" in trace["hovertemplate"]
    )
    assert (dot["x"], dot["y"]) == ([2.0], [0.94])


def test_a_race_without_a_winner_has_a_page():
    """It names no recipe, and advises nothing that would be refused."""
    found = Page(page(told_of(result(winner=MEAN, outcomes={"diverged": 3})))).text
    assert "No recipe could be scored." in found
    assert "recipe.toml" not in found
    assert "slalom explain" not in found
    assert "slalom report" not in found


def test_a_race_in_which_nothing_began_has_a_page():
    """Without a recipe and without baselines there is a leaderboard of no row, a page, and a table for a terminal."""
    board = leaderboard([], [], METRICS["rmse"])
    assert board.height == 0
    given = result(winner=MEAN, outcomes={}, recipes=2)
    empty = dataclasses.replace(given, leaderboard=board, tests={MEAN: None})
    assert "No recipe could be scored" in page(told_of(empty))
    assert "rank" in table(board, 80)
    assert "No recipe could be scored" in empty._repr_html_()


def test_rows_that_trained_the_network_are_not_predicted(tmp_path):
    """Behind a refit on all rows the page says why it shows no predictions; behind one on all but the test rows it
    shows those of the test rows."""
    x = np.random.default_rng(0).normal(size=(200, 2))
    for refit in (True, "all"):
        folder = tmp_path / str(refit)
        race(x, x[:, 0] > 0, recipes=1, epochs=2, fixed=SMALL, out=folder, refit=refit, baselines=False)
        found = read(folder)["predictions"]
        assert ("why" in found) == (refit == "all")
        assert found.get("kind") == (None if refit == "all" else "test")
    assert "trained once more on all rows" in Page(page(read(folder))).text


def test_commands_ask_for_what_the_race_was_asked(tmp_path):
    """Task, metric, roles, columns, reading and division: the program of the page runs and has the same rows."""
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({"a": draw.normal(size=90), "zip": draw.integers(0, 3, 90), "g": np.arange(90) // 3})
    frame = frame.with_columns(y=(pl.col("a") > 0).cast(pl.Int64))
    file = tmp_path / "it's.csv"
    frame.write_csv(file, separator=";")
    first = race(
        file, target="y", task="regression", metric="mae", group="g", columns={"zip": "category"}, recipes=1, epochs=1,
        fixed=SMALL | {"target_scaling": "z_score"}, out=tmp_path / "run", reading={"separator": ";"}, test=False,
        baselines=False, seed=3,
    )  # fmt: skip
    made = commands(read(tmp_path / "run"))
    assert made["command"] == (
        'slalom race "it\'s.csv" --target y --seed 3 --recipe recipe.toml --task regression --metric mae --group g'
        " --separator ';' --columns columns.toml --no-test"
    ).replace('"it\'s.csv"', "'it'\"'\"'s.csv'")
    assert made["columns"] == 'zip = "category"\n'
    (tmp_path / "recipe.toml").write_text(first.best.recipe.to_toml(), encoding="utf-8")
    names = {}
    with contextlib.chdir(tmp_path):
        exec(made["python"], names)
    assert names["result"].about["rows"] == first.about["rows"]
    assert names["result"].metric.name == "mae"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"verdict": 5}, "verdict is not what a race writes there"),
        ({"seconds": "x"}, "seconds is not what a race writes there"),
        ({"metric": None}, "metric is not what a race writes there"),
        ({"race": {"rungs": [], "racers": [{"name": 3}], "baselines": []}}, "race is not what a race writes there"),
        ({"tests": [1]}, "tests is not what a race writes there"),
        ({"predictions": [1]}, "is damaged"),
        ({"scaling": {"scalings": [{}]}}, "is damaged"),
    ],
    ids=str,
)
def test_a_strangers_numbers_are_refused_in_a_sentence(run, tmp_path, change, said):
    """A report.json that no race wrote is refused by whoever draws from it."""
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "report.json").write_text(json.dumps(read(run) | change), encoding="utf-8")
    with pytest.raises(SlalomError, match=said):
        report_on(tmp_path / "run", seconds=0)


def test_hostile_numbers_draw_nothing_of_their_own(run, tmp_path):
    """Names of racers that are tags stay words, and colours that are named in them too; a curve holds numbers."""
    told = read(run)
    evil = '<a href="https://evil.example/">x</a>'
    told["winner"] = told["race"]["racers"][0]["name"] = evil
    told["schedules"][0]["name"] = "\x01blue"
    shutil.copytree(run, tmp_path / "run")
    told["race"]["racers"][0]["curve"][0][1] = None
    (tmp_path / "run" / "report.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(SlalomError, match="race is not what"):  # a score is a number
        report_on(tmp_path / "run", seconds=0)
    told["race"]["racers"][0]["curve"][0][1] = 1.0
    drawn = figures(page(told))
    texts = json.dumps([trace.get("name", "") for figure in drawn.values() for trace in figure["data"]])
    assert "<a" not in texts
    assert "\\u0001" not in texts


def test_words_are_no_tags_to_plotly():
    """Tags, entities and long names reach Plotly as words."""
    assert words("<a href='x'>&amp;") == "&lt;a href='x'&gt;&amp;amp;"
    assert len(words("n" * 500)) <= 40


def test_baselines_are_told_by_their_short_names():
    """Baselines are lines of the figure, under the names that the leaderboard has."""
    told = told_of(result())
    assert [one["name"] for one in told["race"]["baselines"]] == ["boosted trees", LINEAR, MEAN]
    assert TREES not in [one["name"] for one in told["race"]["baselines"]]
