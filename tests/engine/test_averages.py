"""The exponentially weighted moving average against pandas, its formula and Adam's bias correction."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom import ewma
from slalom.errors import SlalomError

SERIES = np.random.default_rng(0).normal(size=300).cumsum()
HOLES = np.where(np.random.default_rng(1).random(300) < 0.3, np.nan, SERIES)
HOLES[:3] = np.nan


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("values", [SERIES, HOLES], ids=["whole", "with holes"])
def test_pandas_agrees(values, beta):
    """From the first value it is pandas' unadjusted average, with the bias corrected pandas' adjusted one."""
    frame = pd.Series(values)
    for correction in (False, True):
        theirs = frame.ewm(alpha=1 - beta, adjust=correction, ignore_na=True).mean()
        np.testing.assert_allclose(ewma(values, beta, bias_correction=correction), theirs, rtol=1e-9)


def test_time_does_not_pass_over_missing_values():
    """A missing value keeps the average; pandas lets time pass over it unless told not to."""
    holes = [1.0, np.nan, 4.0]
    np.testing.assert_allclose(ewma(holes, 0.5), [1.0, 1.0, 2.5])
    assert pd.Series(holes).ewm(alpha=0.5, adjust=False).mean()[2] > 2.9  # 1 has faded twice: 3.0 or 3.25 by version


def test_from_zero():
    """From zero the average starts small by the factor 1 − βᵗ, which the correction takes out again."""
    zero, corrected = ewma(SERIES, 0.9, start="zero"), ewma(SERIES, 0.9, bias_correction=True)
    s, expected = 0.0, []
    for y in SERIES:
        s = 0.9 * s + 0.1 * y
        expected.append(s)
    np.testing.assert_allclose(zero, expected, rtol=1e-12)
    np.testing.assert_allclose(zero / (1 - 0.9 ** np.arange(1, 301)), corrected, rtol=1e-12)
    np.testing.assert_allclose(ewma(np.full(5, 7.0), 0.99, bias_correction=True), 7, rtol=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 0.999), st.booleans())
@settings(max_examples=60, deadline=None)
def test_an_average_lies_among_its_values(values, beta, correction):
    """It never leaves the range of the values seen so far, and beta = 0 is the series itself."""
    curve = ewma(values, beta, bias_correction=correction)
    room = 1e-9 * np.abs(values).max()
    assert (curve <= np.maximum.accumulate(values) + room).all()
    assert (curve >= np.minimum.accumulate(values) - room).all()
    np.testing.assert_allclose(ewma(values, 0.0, bias_correction=correction), values, rtol=1e-12)


@pytest.mark.parametrize("correction", [False, True])
def test_columns_and_betas_are_curves_of_their_own(correction):
    """[T, D] gives a curve a column, [B] betas one each in front: the same as one by one."""
    table, betas = np.column_stack([SERIES, HOLES]), [0.1, 0.5, 0.99]
    both = ewma(table, betas, bias_correction=correction)
    assert both.shape == (3, 300, 2)
    for i, beta in enumerate(betas):
        np.testing.assert_array_equal(ewma(table, beta, bias_correction=correction), both[i])
        for j in range(2):
            np.testing.assert_array_equal(ewma(table[:, j], beta, bias_correction=correction), both[i, :, j])
    assert ewma(SERIES, betas).shape == (3, 300)
    assert ewma([], 0.5).shape == (0,)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (([1.0], 1.0), "ewma(beta=…) must be in [0, 1). Got 1.0."),
        (([1.0], [0.5, np.nan]), "ewma(beta=…) must be in [0, 1). Got [0.5, nan]."),
        (([1.0], "much"), "ewma(beta=…) must be a number in [0, 1), or several. Got 'much'."),
        (([1.0], [[0.5]]), "ewma(beta=…) must be one number or a row of them. Got (1, 1)."),
        ((3.0, 0.5), "ewma(values=…) must be a series [T] or [T, D]. Got ()."),
        ((["a"], 0.5), "ewma(values=…) must be numbers, [T] or [T, D]. Got ['a']."),
        (([1.0], 0.5, False, "last"), "ewma(start=…) must be 'first' or 'zero'. Got 'last'."),
        (
            ([1.0], 0.5, True, "first"),
            "ewma(start=…) with bias_correction must be 'zero'. Got 'first'. From the first value there is no bias.",
        ),
    ],
)
def test_wrong_input_is_a_sentence(given, sentence):
    """What cannot be averaged is refused in one sentence."""
    with pytest.raises(SlalomError) as error:
        ewma(*given)
    assert str(error.value) == sentence
