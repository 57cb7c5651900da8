"""Build the lessons as a static site with their pictures, in English and Chinese; Sphinx makes pages of it.

python docs/gallery.py build/gallery              all lessons; the site begins at build/gallery/html/index.html
python docs/gallery.py build/gallery adam rate    these alone
"""

import sys
from pathlib import Path

from slalom import lessons

CONF = """project = "Slalom lessons"
html_title = "Slalom lessons"
html_theme = "alabaster"
html_theme_options = {"description": "How neural networks are trained, technique by technique", "page_width": "72rem",
                      "body_max_width": "60rem", "fixed_sidebar": True, "font_family": "sans-serif",
                      "head_font_family": "sans-serif"}
html_static_path = ["static"]
html_css_files = ["gallery.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
"""
CSS = """div.body img { max-width: 100%; height: auto; background: white }
div.body pre { font-size: 0.85rem; line-height: 1.35; overflow-x: auto; font-family: "DejaVu Sans Mono", monospace }
"""
HEADS = {"en": "Lessons", "zh": "课程"}
ABOUT = {
    "en": "Each page is what ``slalom lesson NAME`` prints, and the picture that ``--save DIR`` draws.",
    "zh": "每一页就是 ``slalom lesson NAME --lang zh`` 打印的内容，以及 ``--save DIR`` 画的图。",
}


def heading(text: str, sign: str = "=") -> str:
    """A heading of reStructuredText: its line must be as long as the text, Chinese signs counting twice."""
    return f"{text}\n{sign * (2 * len(text))}\n"


def page(name: str, language: str) -> str:
    """One lesson as reStructuredText: title, picture, text as it is printed."""
    about, words = lessons.lesson(name), lessons.words(language)
    told = lessons.Page(96, words)
    about.tell(told)
    title = told.word(about.title)
    text = "\n".join(f"   {line}".rstrip() for line in told.text.split("\n"))
    up = "" if language == "en" else "../"
    return f"{heading(title)}\n.. image:: {up}pictures/{name}.svg\n   :alt: {title}\n\n.. code-block:: text\n\n{text}\n"


def index(names: list[str], language: str) -> str:
    """The first page of a language."""
    other = "\n   zh/index" if language == "en" else ""
    listed = "\n".join(f"   {name}" for name in names)
    return f"{heading(HEADS[language])}\n{ABOUT[language]}\n\n.. toctree::\n   :maxdepth: 1\n\n{listed}{other}\n"


def write(folder: Path, names: list[str]) -> Path:
    """Write what Sphinx reads: pages of both languages and the pictures; the folder that holds it."""
    source = folder / "source"
    for inside in ("pictures", "static", "zh"):
        (source / inside).mkdir(parents=True, exist_ok=True)
    (source / "conf.py").write_text(CONF, encoding="utf-8")
    (source / "static" / "gallery.css").write_text(CSS, encoding="utf-8")
    for language, place in (("en", source), ("zh", source / "zh")):
        (place / "index.rst").write_text(index(names, language), encoding="utf-8")
        for name in names:
            (place / f"{name}.rst").write_text(page(name, language), encoding="utf-8")
    for name in names:
        lessons.lesson(name).picture().savefig(source / "pictures" / f"{name}.svg")
    return source


def main(arguments: list[str]) -> int:
    """The exit code."""
    if not arguments:
        print("gallery.py takes a folder, and names of lessons where not all are wanted.", file=sys.stderr)
        return 2
    from sphinx.cmd.build import main as build

    folder = Path(arguments[0])
    names = [next(n for n, about in lessons.REGISTRY.items() if about is lessons.lesson(one)) for one in arguments[1:]]
    source = write(folder, names or list(lessons.REGISTRY))
    return int(build(["-q", "-W", "-b", "html", str(source), str(folder / "html")]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
