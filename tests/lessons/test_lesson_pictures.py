"""The lessons' pictures: every axis has a name, nothing is cut off, and no words meet."""

import itertools

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from slalom import lessons
from slalom.pictures.style import styled

from .telling import TRAINED

pytestmark = pytest.mark.long


def laid_out(picture):
    """(words, box) of titles, names of axes and annotations, as they lie in the picture, in dots."""
    canvas = FigureCanvasAgg(picture)
    with styled():
        canvas.draw()
        renderer = canvas.get_renderer()
        for axes in picture.axes:
            for text in (axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts):
                if text.get_visible() and text.get_text().strip():
                    yield text.get_text(), Text.get_window_extent(text, renderer)


@pytest.mark.parametrize("name", [name for name in lessons.REGISTRY if name not in TRAINED])
def test_nothing_is_cut_off_and_no_words_meet(name):
    """Every axis has a name; words lie within the picture, and not on each other."""
    picture = lessons.REGISTRY[name].picture()
    words = list(laid_out(picture))
    for axes in picture.axes if name != "scaling" else ():  # a table of panels is named at its edges
        assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title() or not axes.axison
    for said, box in words:
        assert min(box.x0, box.y0) > -1, said
        assert box.x1 < picture.bbox.x1 + 1, said
        assert box.y1 < picture.bbox.y1 + 1, said
    for (one, a), (other, b) in itertools.combinations(words, 2):
        met = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(met) < 2, (one, other)
