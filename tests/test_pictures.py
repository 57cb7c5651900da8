"""Pictures: what they show is what they were given, names are inert, and nobody's settings are read or changed."""

import re
import sqlite3
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from contextlib import closing

import jax
import jax.numpy as jnp
import matplotlib
import matplotlib.image
import numpy as np
import pytest
import tomli_w

import slalom
from slalom import Recipe, pictures, rules, schedules, surface
from slalom.errors import SlalomError
from slalom.pictures import curves, grids, landscapes
from slalom.pictures.style import spread

pytestmark = pytest.mark.long

HOSTILE = ["$x^2$", "<script>alert(1)</script>", "{{7*7}}", "a & b", "\x1b[31mred", "\u202eevil", "$", '"quoted"']


def bowl(w):
    return w[0] ** 2 + 10 * w[1] ** 2


PATH = slalom.descend(bowl, [3.0, 1.0], "sgd", learning_rate=0.05, steps=20)


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """(folder, result, X, y) of a small race, two of whose recipes its journal is made to have dropped at a rung."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 3))
    y = X @ [1.0, -2.0, 0.5] + np.sin(X[:, 0]) + 0.1 * rng.normal(size=240)
    folder = tmp_path_factory.mktemp("race") / "run"
    fixed = {"depth": 1, "width": 8, "batch_size": 32, "rule": "adam", "normalisation": "batch_norm"}
    result = slalom.race(X, y, recipes=6, epochs=9, seed=0, fixed=fixed, out=folder)
    last = [row["name"].split(" ")[1] for row in result.leaderboard.to_dicts() if row["kind"] == "recipe"][-2:]
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal, journal:
        journal.execute(
            f"UPDATE recipes SET outcome = 'dropped at rung 1', epochs = 5 WHERE number IN ({', '.join(last)})"
        )
        journal.execute(f"DELETE FROM scores WHERE epoch > 5 AND number IN ({', '.join(last)})")
    settings = tomllib.loads((folder / "race.toml").read_text())
    settings["plan"]["rungs"] = [{"recipes": 6, "epochs": 5}, {"recipes": 4, "epochs": 9}]
    (folder / "race.toml").write_text(tomli_w.dumps(settings))
    return folder, result, X, y


def words(picture):
    """All words of a picture."""
    tree = ET.fromstring(picture.as_svg())
    return ["".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")]


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_picture_becomes_files(tmp_path):
    """PNG, SVG and HTML by the name's ending; words stay words; the page needs nothing else and runs nothing."""
    picture = pictures.contours(bowl, {"sgd": PATH}, title="a bowl")
    for ending in ("png", "svg", "html", "pdf"):
        picture.savefig(tmp_path / f"a.{ending}")
    assert matplotlib.image.imread(tmp_path / "a.png").shape[2] == 4
    svg, page = ((tmp_path / f"a.{ending}").read_text(encoding="utf-8") for ending in ("svg", "html"))
    assert {"sgd", "a bowl", "w₁"} <= set(words(picture))
    assert ">sgd</text>" in svg
    assert page.startswith("<!doctype html>")
    assert "<title>a bowl</title>" in page
    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org|matplotlib\.org|creativecommons|purl\.org)", page)
    assert not re.search(r"(src|href)=\"(?!#)", page)


def test_the_same_picture_is_the_same_file():
    """No date and no drawn names: an SVG changes where the picture does."""
    first, second = (pictures.ewma([1.0, 3.0, 2.0], [0.5]).as_svg() for _ in range(2))
    assert first == second


def test_nobodys_settings_are_read_or_changed():
    """Under the ugliest settings a picture is the same, and the settings are afterwards what they were."""
    usual = pictures.schedule("cosine", 10).as_svg()
    ugly = {"axes.facecolor": "black", "font.size": 30, "text.usetex": True, "svg.fonttype": "path", "axes.grid": False}
    with matplotlib.rc_context(ugly):
        before = dict(matplotlib.rcParams)
        assert pictures.schedule("cosine", 10).as_svg() == usual
        assert dict(matplotlib.rcParams) == before


def test_no_display_is_looked_for():
    """A picture is made and saved without pyplot, which keeps figures and picks a display."""
    code = "import sys; from slalom import pictures; pictures.schedule('cosine', 9).as_svg()"
    done = subprocess.run([sys.executable, "-c", f"{code}; sys.exit('matplotlib.pyplot' in sys.modules)"], timeout=120)
    assert done.returncode == 0


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_inert(name):
    """Names of columns, curves and metrics are text: no formula, no markup, nothing that turns or colours."""
    table = np.random.default_rng(0).normal(size=(30, 1))
    for picture in (
        pictures.scaling(table, ["z_score"], names=[name]),
        pictures.contours(bowl, {name: PATH}, names=(name, name)),
        pictures.rate_range({name: [(0.1, 1.0), (1.0, 2.0)]}, metric=name),
        pictures.schedule({name: schedules.Cosine()}, 10),
    ):
        page = picture.as_html()
        assert "<script" not in page
        assert "\u202e" not in page
        assert "\x1b" not in page
        shown = name.replace("\x1b", "�").replace("\u202e", "�")
        assert any(shown[:8] in text for text in words(picture))


def test_labels_keep_their_distance_and_their_order():
    """Spread labels are a gap apart, in order, within the axes, and where there is room nobody moves."""
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 12):
        places = rng.random(count)
        made = spread(places, 0.05)
        assert (np.argsort(made) == np.argsort(places)).all()
        assert (np.diff(np.sort(made)) >= min(0.05, 1 / max(count - 1, 1)) - 1e-9).all()
        assert made.min() >= -1e-9
        assert made.max() <= 1 + 1e-9
    np.testing.assert_allclose(spread(np.array([0.1, 0.5, 0.9]), 0.1), [0.1, 0.5, 0.9])


# --- contours ---------------------------------------------------------------------------------------------------------


def test_contours_show_the_path():
    """The line is the path, its start a ring, its end a dot; one parameter makes a curve."""
    axes = pictures.contours(bowl, {"sgd": PATH}).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), PATH.parameters)
    assert axes.get_aspect() == 1
    one = slalom.descend(lambda x: 4 * x**2, 2.0, "sgd", learning_rate=0.1, steps=3)
    curve = pictures.contours(lambda x: 4 * x**2, one).axes[0]
    np.testing.assert_allclose(curve.lines[1].get_xydata(), np.column_stack([one.parameters, one.losses]))


def test_contours_of_any_function_and_data():
    """Functions of NumPy alone, and over data; paths as points, in lists, by name; what diverged is left out."""
    far = slalom.descend(bowl, [3.0, 1.0], "sgd", learning_rate=5.0, steps=600)
    assert not np.isfinite(far.parameters).all()
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    for given in (PATH, points, [PATH, points], {"a": PATH, "b": points.tolist()}):
        assert pictures.contours(lambda w: float(np.hypot(*w)), given).axes
    x = np.eye(2)
    assert pictures.contours(lambda w, x, y: ((x @ w - y) ** 2).mean(), PATH, data=(x, np.ones(2))).axes
    assert pictures.contours(bowl, extent=(-1, 1, -2, 2)).axes[0].get_xlim() == (-1, 1)
    assert pictures.contours(lambda w: jnp.log(w[0]), extent=(-1, 1, -1, 1)).axes[0].patch.get_hatch() == "////"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"paths": ()}, r"contours needs paths, or extent="),
        ({"paths": np.zeros((3, 3))}, r"must be a path in one or two parameters, points \[P, 2\]\. Got \(3, 3\)"),
        ({"paths": "adam"}, r"must be a path"),
        ({"paths": PATH, "extent": (1, 0, 0, 1)}, r"extent=…\) must be left, right, bottom, top"),
        ({"paths": PATH, "axes": "here"}, r"axes must be the axes of a picture"),
        ({"paths": np.full((2, 2), np.nan)}, r"has no point that is a number"),
    ],
)
def test_contours_refuse(given, sentence):
    """One sentence for what cannot be drawn."""
    with pytest.raises(SlalomError, match=sentence):
        pictures.contours(bowl, **given)


# --- schedules, averages, rates, scalings -----------------------------------------------------------------------------


def test_schedules_show_the_rate_of_every_step():
    """The line is the rate; a plateau needs costs, and falls where it is told them."""
    line = pictures.schedule("step", 8, learning_rate=0.1).axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata()[:-1], 0.1 * schedules.Step()(np.arange(8), 8))
    plateau = schedules.Plateau(patience=0.0, fall=0.5)
    line = pictures.schedule(plateau, 4, costs=[1.0, 1.0, 1.0, 1.0]).axes[0].lines[0]
    assert line.get_ydata()[:4].tolist() == [1.0, 1.0, 0.5, 0.25]
    with pytest.raises(SlalomError, match="a plateau is constant until it is told costs"):
        pictures.schedule(plateau, 4)
    with pytest.raises(SlalomError, match=r"steps=…\) must be a whole number"):
        pictures.schedule("cosine", 0)
    with pytest.raises(SlalomError, match="Did you mean 'cosine'"):
        pictures.schedule("cosin", 4)
    assert pictures.schedule(lambda t: 1 / (1 + t), 5, log=True).axes[0].get_yscale() == "log"


def test_averages_are_those_of_ewma():
    """The curves are `slalom.ewma`'s, missing values and all."""
    values = [1.0, np.nan, 3.0, 2.0]
    lines = pictures.ewma(values, [0.5, 0.9]).axes[0].lines
    for line, curve in zip(lines[1:], slalom.ewma(values, [0.5, 0.9]), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), curve)
    with pytest.raises(SlalomError, match=r"ewma\(beta=…\) must be in \[0, 1\)"):
        pictures.ewma(values, 1.0)


def test_the_edge_lies_between_the_last_that_did_and_the_first_that_did_not():
    """Seeds make bands, a diverged seed makes a rate diverge; without one above it there is no edge."""
    grid = grids._grid([(0.1, 2.0), (0.1, 1.0), (1.0, 0.5), (10.0, None), (10.0, 0.4)])
    assert (grid.mean[0], grid.low[0], grid.high[0]) == (1.5, 1.0, 2.0)
    assert grid.edge == pytest.approx(10**0.5)
    assert grids._grid({0.1: 1.0, 1.0: 2.0}).edge is None
    assert grids._grid({0.1: float("inf")}).edge == 0.1
    texts = [text.get_text() for text in pictures.rate_range([(0.1, 1.0), (1.0, 0.5), (10.0, None)]).axes[0].texts]
    assert texts == ["best: 1", "diverges from 3.16"]
    for bad in ([], [(0.0, 1.0)], "nowhere/run", [("a", 1)], 7):
        with pytest.raises(SlalomError):
            pictures.rate_range(bad)


def test_scalings_show_every_column_before_and_after():
    """A panel for each column and scaling, with the condition number of what the scaling makes."""
    table = np.random.default_rng(0).normal([0, 50], [1, 20], (200, 2))
    picture = pictures.scaling(table, ["min_max", "z_score", "sigmoid"])
    assert len(picture.axes) == 2 * 4
    titles = [axes.get_title() for axes in picture.axes[:4]]
    assert [title.split("\n")[0] for title in titles] == ["as it came", "min-max", "z-score", "sigmoid"]
    assert float(titles[2].split("= ")[1]) < 1.3 < float(titles[0].split("= ")[1].replace(",", ""))
    with pytest.raises(SlalomError, match="Did you mean 'z_score'"):
        pictures.scaling(table, "zscore")
    with pytest.raises(SlalomError, match="2 names"):
        pictures.scaling(table, "z_score", names=["one"])
    with pytest.raises(SlalomError, match="at most 8 columns"):
        pictures.scaling(np.random.default_rng(0).normal(size=(5, 9)), "z_score")
    assert pictures.scaling([[1.0, 5.0], [np.nan, 5.0]], "z_score").axes


# --- of a race --------------------------------------------------------------------------------------------------------


def test_learning_curves_are_the_journals(raced):
    """The winner's curve is that of the journal; dropped racers fade at their end; baselines are named."""
    folder, result, *_ = raced
    read = curves.read(folder)
    assert read.winner == result.best.name
    outcomes = {racer.outcome.split(" at")[0] for racer in read.racers}
    assert "dropped" in outcomes
    picture = pictures.learning_curves(result)
    axes = picture.axes[0]
    winner = next(racer for racer in read.racers if racer.name == read.winner)
    assert any(np.array_equal(line.get_xydata(), winner.curve) for line in axes.lines)
    faded = [collection.get_colors()[:, 3] for collection in axes.collections]
    dropped = [alphas for alphas in faded if alphas[-1] < 0.2]
    assert len(dropped) == sum(racer.outcome.startswith("dropped") and len(racer.curve) > 1 for racer in read.racers)
    assert all((np.diff(alphas) <= 0).all() for alphas in dropped)
    assert any(f"{read.winner}, the winner" in text.get_text() for text in axes.texts)


def test_of_a_result_without_a_folder_the_best_moments_are_drawn(raced):
    """Nothing but the leaderboard is left of such a race; and a folder that is none is refused."""
    from dataclasses import replace

    folder, result, *_ = raced
    picture = pictures.learning_curves(replace(result, out=None))
    assert picture.axes[0].get_title().startswith("The best moments of")
    for bad in (folder / "model", 7, None):
        with pytest.raises(SlalomError):
            pictures.learning_curves(bad)


def test_a_metric_of_which_more_is_better_points_upwards(tmp_path):
    """The best score lies at the top, and the axis says so; many racers take no longer than a moment."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    fixed = {"depth": 0, "batch_size": 32, "rule": "adam"}
    result = slalom.race(X, X[:, 0], recipes=3, epochs=4, fixed=fixed, metric="r2", out=tmp_path / "run")
    axes = pictures.learning_curves(result).axes[0]
    low, high = axes.get_ylim()
    assert low < result.best.score < high
    assert axes.get_ylabel() == "r2 on the choosing rows (more is better)"
    texts = [text.get_text() for text in pictures.rate_range({0.1: 0.5, 1.0: 0.9}, greater=True).axes[0].texts]
    assert texts == ["best: 1"]


def test_rates_of_a_race_are_refused_until_they_are_measured(raced):
    """The sentence says how to measure them."""
    with pytest.raises(SlalomError, match="has no grid of learning rates yet: slalom explain"):
        pictures.rate_range(raced[0])


# --- landscapes -------------------------------------------------------------------------------------------------------


def trained(**shape):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(96, 3))
    y = X[:, 0] - X[:, 1] * X[:, 2]
    recipe = Recipe().with_fields(
        {"depth": 2, "width": 6, "batch_size": 16, "epochs": 6, "learning_rate": 0.02} | shape
    )
    return X, y, recipe


def test_the_middle_of_a_landscape_is_the_loss_of_the_model():
    """At 0 the surface is the mean squared error of the model itself, in the net's unit; batch norm by its memory."""
    X, y, recipe = trained(normalisation="batch_norm")
    model = slalom.fit(X, y, recipe=recipe)
    x, target = landscapes._rows(model, model, X, y)
    ground = landscapes._ground(model, x, target, "stored")
    plane = surface.filter_normalised(model.weights, 0)
    values = surface.over_plane(ground.loss, plane, np.array([-1.0, 0.0, 1.0]), np.array([0.0]))
    assert model.unit
    expected = ((model.unit(model.predict(X)) - model.unit(y)) ** 2).mean()
    assert values[0, 1] == pytest.approx(expected, rel=1e-4)
    assert (values[0, [0, 2]] > values[0, 1]).all()


def test_statistics_of_batch_norm_are_taken_anew_and_said():
    """Re-estimated, a net's loss does not change when the layer in front of batch norm is doubled; stored, it does."""
    X, y, recipe = trained(normalisation="batch_norm")
    model = slalom.fit(X, y, recipe=recipe)
    x, target = landscapes._rows(model, model, X, y)
    doubled = ({**model.weights[0], "w": 2 * model.weights[0]["w"]}, *model.weights[1:])
    for kind, same in (("re-estimated", True), ("stored", False)):
        loss = landscapes._ground(model, x, target, kind).loss
        changed = abs(float(loss(model.weights)) - float(loss(jax.tree.map(jnp.asarray, doubled))))
        assert (changed < 1e-3) == same
        picture = pictures.landscape(model, X, y, points=3, batch_norm=kind)
        assert ("re-estimated at every point" if same else "the model’s own") in picture.get_supxlabel()


def test_directions_are_as_large_as_each_units_weights():
    """Filter normalisation: of every unit the direction has the size of its weights; biases and gains stay."""
    X, y, recipe = trained(normalisation="layer_norm")
    model = slalom.fit(X, y, recipe=recipe)
    plane = surface.filter_normalised(model.weights, 1)
    for layer, weights in zip(plane.first, model.weights, strict=True):
        np.testing.assert_allclose(np.linalg.norm(layer["w"], axis=1), np.linalg.norm(weights["w"], axis=1), rtol=1e-5)
        assert all(not layer[name].any() for name in layer if name != "w")
    other = surface.filter_normalised(model.weights, 2)
    assert not np.array_equal(plane.first[0]["w"], other.first[0]["w"])


def test_a_path_is_seen_along_its_principal_components():
    """A path in a plane is seen whole: all of its variance, all of its distances."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(9, 2)))[0]
    places = np.array([[4.0, 1.0], [3.0, -1.0], [1.0, 0.5]])
    plane = surface.principal({"w": np.ones(9)}, [{"w": 1 + basis @ place} for place in places])
    assert sum(plane.explained) == pytest.approx(1)
    seen = surface.seen_along(plane, [{"w": 1 + basis @ place} for place in places])
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), np.linalg.norm(places, axis=1))


def test_a_landscape_of_a_race_with_a_path(raced):
    """Of a folder and of a result; extents and explained variance are said; another net's path is refused."""
    folder, result, X, y = raced
    recipe = result.best.recipe
    path = [slalom.fit(X, y, recipe=recipe, stop=stop) for stop in (1, 2, 4)]
    picture = pictures.landscape(result, X, y, path={"training": path}, points=5)
    titles = [axes.get_title() for axes in picture.axes]
    assert titles[0].endswith("from −1 to 1")
    assert re.search(r"\n−?[\d.]+ to −?[\d.]+ by −?[\d.]+ to −?[\d.]+$", titles[1])
    assert re.fullmatch(r"component 1 \(\d+% of the variance\)", picture.axes[1].get_xlabel())
    assert pictures.landscape(folder, X, y, points=3).axes
    with pytest.raises(SlalomError, match="X, y must be given"):
        pictures.landscape(folder, points=3)
    with pytest.raises(SlalomError, match="of the same net"):
        pictures.landscape(result, X, y, path=[({"w": np.ones((1, 1))},)] * 3)
    with pytest.raises(SlalomError, match="needs the targets"):
        pictures.landscape(result, X)
    with pytest.raises(SlalomError, match="'re-estimated' or 'stored'"):
        pictures.landscape(result, X, y, batch_norm="none")


@pytest.mark.parametrize(
    "shape", [{}, {"loss": "huber"}, {"embedding": "periodic", "depth": 1}, {"loss": "absolute_error"}]
)
def test_landscapes_of_any_loss(shape):
    """Losses with a number of their own and nets with something in front of them are drawn too."""
    X, y, recipe = trained(**shape)
    assert pictures.landscape(slalom.fit(X, y, recipe=recipe), X, y, points=3).axes


def test_classes_have_a_landscape():
    """Two classes and three, with labels that are words."""
    X, y, recipe = trained()
    for labels in (np.where(y > 0, "yes", "no"), np.array(["a", "b", "c"])[np.digitize(y, [-0.5, 0.5])]):
        model = slalom.fit(X, labels, recipe=recipe)
        assert pictures.landscape(model, X, labels, points=3).axes


def test_corners_that_are_no_number_are_hatched():
    """Where the loss is NaN or infinite the ground is hatched, and the rest is drawn."""
    values = surface.over_grid(lambda w: jnp.log(w[0] + w[1]), np.linspace(-1, 1, 5), np.linspace(-1, 1, 5))
    assert np.isnan(values).sum() == 15
    X, y, recipe = trained()
    model = slalom.fit(X, y, recipe=recipe)
    picture = pictures.landscape(model, X, y, points=5, extent=1e25)
    assert picture.axes[0].patch.get_hatch() == "////"


def test_every_rule_draws():
    """A smoke test of labels: ten paths from one start, all named once."""
    chosen = {name: rules.REGISTRY[name]() for name in list(rules.REGISTRY)[:10]}
    paths = {
        name: slalom.descend(bowl, [3.0, 1.0], rule, learning_rate=0.02, steps=30) for name, rule in chosen.items()
    }
    texts = [text.get_text() for text in pictures.contours(bowl, paths).axes[0].texts]
    assert all(texts.count(name) == 1 for name in chosen)
