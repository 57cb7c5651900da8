"""Reports in Chromium: drawn without an error or a request, clicked through, and inert whatever names hold."""

import json
import os
import shutil

import numpy as np
import polars as pl
import pytest

from slalom import explain, race, report_on
from slalom.report import page
from slalom.report.side import side_by_side

pytestmark = pytest.mark.browser

SMALL = {"depth": 1, "width": 8, "batch_size": 16, "rule": "adam", "embedding": "none"}
EVIL = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}\x1b[31m\u202e"
    '<a href="javascript:alert(3)">b'
)
SHAPES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of three races: of numbers, explained and drawn; of classes; and one with names that want to get out."""
    folder = tmp_path_factory.mktemp("pages")
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=600), 1000 * draw.normal(size=600)
    frame = pl.DataFrame({"a": a, "b": b, "price": 3 * a - b / 500})
    race(frame, target="price", recipes=20, epochs=9, fixed=SMALL, out=folder / "numbers")
    explain(folder / "numbers", frame.drop("price"), frame["price"].to_numpy(), seconds=15)
    report_on(folder / "numbers", frame.drop("price"), frame["price"].to_numpy(), seconds=4)
    kinds = np.where(a > 0.5, "one", np.where(b > 0, "two", "three"))
    race(frame.drop("price"), kinds, recipes=6, epochs=4, fixed=SMALL, out=folder / "classes")
    evil = pl.DataFrame({EVIL: a, "b": b, f"target {EVIL}": np.where(a + draw.normal(size=600) > 0, EVIL, "no")})
    evil.write_csv(folder / "rows.csv")
    race(folder / "rows.csv", target=f"target {EVIL}", recipes=3, epochs=2, fixed=SMALL, out=folder / "evil")
    return folder


@pytest.fixture(scope="module")
def chromium():
    """A browser, the system's own."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Chromium must be installed: apt-get install chromium, or CHROMIUM=/its/path."
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


class Seen:
    """A page that is open, and what the browser said of it."""

    def __init__(self, browser, file, shape="desktop", dress="light"):
        width, height = SHAPES[shape]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=dress)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self._asked)
        self.page.goto(file.absolute().as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")
        self.plots = self.page.locator(".plot")

    def _asked(self, request):
        if not request.url.startswith(("file:///", "blob:", "data:")):
            self.said.append(f"request: {request.url}")

    def rows(self):
        """The names in the leaderboard that are in sight, in their order."""
        return self.page.locator("table.sorted tbody tr:visible td:nth-child(2)").all_inner_texts()


@pytest.mark.parametrize(("shape", "dress"), [("desktop", "light"), ("phone", "dark")])
@pytest.mark.parametrize("name", ["numbers", "classes", "evil"])
def test_a_report_is_drawn(runs, chromium, name, shape, dress):
    """Every plot holds a drawing, nothing was said on the console or asked of a network, nothing is wider than the
    screen; no plot's words leave it."""
    seen = Seen(chromium, runs / name / "report.html", shape, dress)
    count = seen.plots.count()
    assert count == int(seen.page.locator("html").get_attribute("data-drawn")) >= 5
    for i in range(count):
        assert seen.plots.nth(i).locator("svg.main-svg").count() >= 1, seen.plots.nth(i).get_attribute("id")
        box = seen.plots.nth(i).bounding_box()
        assert box["width"] > 300
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= SHAPES[shape][0]
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= SHAPES[shape][0]
    assert not seen.said
    if folder := os.environ.get("SCREENSHOTS"):
        seen.page.screenshot(path=f"{folder}/{name}-{shape}-{dress}.png", full_page=True)


def test_the_table_is_sorted_and_filtered(runs, chromium):
    """A click on a heading sorts by it, another turns it round, empty cells last; words filter rows, and how many are
    shown is said."""
    seen = Seen(chromium, runs / "numbers" / "report.html")
    before = seen.rows()
    assert len(before) >= 22
    score = seen.page.locator("table.sorted th button", has_text="score").first
    score.click()
    up = seen.rows()
    score.click()
    down = seen.rows()
    assert up != down
    assert sorted(up) == sorted(down) == sorted(before)
    cells = seen.page.locator("table.sorted tbody tr td:nth-child(3)").all_inner_texts()
    numbers = [float(cell.replace(",", "")) for cell in cells if cell != "–"]
    assert numbers == sorted(numbers, reverse=True)
    seen.page.get_by_label("Filter").fill("recipe 1")  # words side by side, as a cell has them
    assert set(seen.rows()) == {"recipe 1", *(f"recipe {i}" for i in range(10, 20))}
    seen.page.get_by_label("Filter").fill("finished recipe")  # words of two cells
    assert len(seen.rows()) == 20
    seen.page.get_by_label("Filter").fill("LINEAR model")
    assert seen.rows() == ["linear model"]
    assert f"1 of {len(before)} rows" in seen.page.locator(".filter").inner_text()
    seen.page.get_by_label("Filter").fill("")
    assert len(seen.rows()) == len(before)
    assert not seen.said


def test_every_interactive_part_is_clicked(runs, chromium):
    """A legend hides and shows a trace, the menu changes the scaling, pointing shows a recipe, jumps lead to their
    sections, and the camera saves a picture; none of it says anything on the console."""
    seen = Seen(chromium, runs / "numbers" / "report.html")
    shown = "document.getElementById('plot-race').data.filter((t) => t.visible !== 'legendonly').length"
    every = seen.page.evaluate(shown)
    seen.page.locator("#plot-race .legendtoggle").first.click()
    seen.page.wait_for_timeout(600)
    assert seen.page.evaluate(shown) < every
    seen.page.locator("#plot-scaling .updatemenu-header").click()
    seen.page.locator("#plot-scaling .updatemenu-dropdown-button").nth(1).click()
    seen.page.wait_for_timeout(300)
    visible = seen.page.evaluate("document.getElementById('plot-scaling').data.map((t) => t.visible !== false)")
    columns = 2
    assert visible[columns : 3 * columns] == [False] * columns + [True] * columns
    plot = seen.page.locator("#plot-path-plane")
    plot.scroll_into_view_if_needed()
    plot.locator(".nsewdrag").first.hover()
    seen.page.wait_for_timeout(400)
    assert "loss" in plot.locator(".hoverlayer").text_content()
    seen.page.locator('nav a[href="#predictions"]').click()
    seen.page.wait_for_timeout(200)
    assert seen.page.locator("#predictions h2").bounding_box()["y"] < 300
    plot = seen.page.locator("#plot-truth")
    plot.hover()
    with seen.page.expect_download() as download:
        plot.locator('.modebar-btn[data-title*="PNG"], .modebar-btn[data-title*="Download"]').first.click()
    assert download.value.suggested_filename.endswith(".png")
    assert not seen.said


BUTTONS = {"Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"}


def test_no_button_sends_anything(runs, chromium):
    """The bars of the plots hold the buttons that were chosen, none that offers to share or upload; each is clicked,
    and no window opens, no dialog, no request."""
    seen = Seen(chromium, runs / "numbers" / "report.html")
    titles = seen.page.locator(".modebar-btn").evaluate_all("(found) => found.map((one) => one.dataset.title)")
    assert {title.removesuffix(" (double-click)") for title in titles} == BUTTONS
    for i in range(seen.plots.count()):
        seen.plots.nth(i).scroll_into_view_if_needed()
        seen.plots.nth(i).hover()
        for button in seen.plots.nth(i).locator(".modebar-btn").all():
            button.click()
    seen.page.wait_for_timeout(500)
    assert seen.context.pages == [seen.page]
    assert seen.page.locator("[class*=cloud]").count() == 0
    assert not seen.said


def test_names_that_want_to_get_out_do_not(runs, chromium):
    """Hostile names of columns, classes and the target are words: three scripts, no dialog, no link but jumps, no
    picture, no direction of writing turned round."""
    seen = Seen(chromium, runs / "evil" / "report.html")
    assert seen.page.locator("script").count() == 4  # figures, library, the page's own, and the library unpacked
    assert seen.page.locator("img").count() == 0
    links = seen.page.locator("a").evaluate_all("(found) => found.map((a) => a.getAttribute('href') ?? '')")
    assert links
    assert all(link.startswith("#") or not link for link in links)
    svg_links = seen.page.locator("svg a").count()
    assert svg_links == 0
    text = seen.page.locator("body").inner_text()
    assert "{{7*7}}" in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "alert(1)" in seen.page.locator("h1").inner_text()
    assert not seen.said


def test_without_script_it_is_read(runs, chromium):
    """Where no script runs, the verdict, all rows and all captions are there, and each plot says what is missing."""
    context = chromium.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto((runs / "numbers" / "report.html").as_uri())
    assert "won with rmse" in opened.locator(".verdict").inner_text()
    assert opened.locator("table.sorted tbody tr").count() >= 22
    assert opened.locator(".unseen").count() == opened.locator(".plot").count() >= 8
    assert "report.json" in opened.locator(".unseen").first.inner_text()


def test_it_prints(runs, chromium, tmp_path):
    """In the dark a page prints on white paper, plots too."""
    seen = Seen(chromium, runs / "numbers" / "report.html", dress="dark")
    colour = "document.getElementById('plot-race').layout.font.color"
    dark = seen.page.evaluate(colour)
    seen.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    seen.page.wait_for_timeout(1500)
    assert seen.page.evaluate(colour) != dark
    seen.page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 50_000
    assert not seen.said


def test_a_thousand_racers_are_drawn(runs, chromium, tmp_path):
    """A race of a thousand recipes is drawn whole."""
    told = json.loads((runs / "numbers" / "report.json").read_text(encoding="utf-8"))
    row, racer = told["leaderboard"][1], told["race"]["racers"][0]
    draw = np.random.default_rng(0)
    for i in range(100, 1100):
        told["leaderboard"].append(row | {"name": f"recipe {i}", "rank": i, "score": float(draw.random() + 1)})
        curve = [[e + 1.0, float(5 * draw.random() / (e + 1) + 1)] for e in range(30 if i > 900 else 9)]
        outcome = "finished" if i > 900 else "dropped at rung 1"
        told["race"]["racers"].append(racer | {"name": f"recipe {i}", "outcome": outcome, "curve": curve})
    (tmp_path / "many.html").write_text(page(told), encoding="utf-8")
    seen = Seen(chromium, tmp_path / "many.html")
    assert len(seen.rows()) > 1000
    seen.page.get_by_label("Filter").fill("recipe 1099")
    assert seen.rows() == ["recipe 1099"]
    assert not seen.said


def test_races_side_by_side_are_drawn(runs, chromium, tmp_path):
    """The page of several races is drawn, in both shapes."""
    told = json.loads((runs / "numbers" / "report.json").read_text(encoding="utf-8"))
    (tmp_path / "side.html").write_text(side_by_side(["first", EVIL], [told, told]), encoding="utf-8")
    for shape in SHAPES:
        seen = Seen(chromium, tmp_path / "side.html", shape)
        assert seen.page.locator("#plot-winners svg.main-svg").count() >= 1
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= SHAPES[shape][0]
        assert not seen.said
