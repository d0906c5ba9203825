"""What is taken for the stains of an image, and what is refused."""

import numpy as np
import pytest

from mmdet_mitosis.stain import StainFit
from mmdet_mitosis.stain.fits import ColorFit

GOOD = {"stain_matrix": [[0.7, 0.25], [0.62, 0.9], [0.35, 0.25]], "max_concentrations": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stain_matrix": np.eye(3).tolist()}, r"\(3, 2\)"),
        ({"stain_matrix": [[1, 1], [1, 1], [1, 1]]}, "two different stains"),
        ({"stain_matrix": [[1, np.nan], [1, 0], [0, 1]]}, "two different stains"),
        ({"max_concentrations": [1.0, 9e-4]}, r"maxima of 0\.001 to 1000, got \[1\.0, 0\.0009\]"),
        ({"max_concentrations": [1.0, np.inf]}, r"maxima of 0\.001 to 1000, got \[1\.0, inf\]"),
        ({"max_concentrations": None}, "fit"),
        ({"stain_matrix": [["a", 1], [1, 0], [0, 1]]}, "float"),
        ({"stain_matrix": [[1e9, 1], [1, 0], [0, 1]]}, "densities of up to 10"),
        ({"max_concentrations": [1001.0, 1]}, "to 1000"),
        ({"n_tissue": float("inf")}, "holds numbers"),
        ({"n_tissue": float("nan")}, "NaN"),
    ],
)
def test_bad_fits_are_refused(change, message):
    assert StainFit.from_dict(GOOD).n_tissue == 0
    with pytest.raises(ValueError, match=message):
        StainFit.from_dict({**GOOD, **change})


@pytest.mark.parametrize("data", [[1, 2], {"stain_matrix": 1}, None])
def test_what_is_no_fit_is_refused(data):
    with pytest.raises(ValueError, match="max_concentrations"):
        StainFit.from_dict(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean_lab": [60, 10]}, r"\(3,\)"),
        ({"mean_lab": [60, 1e300, 0]}, "within ±200"),
        ({"mean_lab": [60, np.nan, 0]}, "within ±200"),
        ({"std_lab": [10, 9e-4, 5]}, r"deviations of 0\.001 to 200"),
        ({"std_lab": [10, np.inf, 5]}, "to 200"),
        ({"n_tissue": float("inf")}, "holds numbers"),
    ],
)
def test_colours_that_none_can_have_are_refused(change, message):
    good = {"mean_lab": [60, 20, -10], "std_lab": [12, 6, 5]}
    assert ColorFit.from_dict(good).n_tissue == 0
    with pytest.raises(ValueError, match=message):
        ColorFit.from_dict({**good, **change})


def test_the_least_and_the_most_are_taken():
    assert StainFit.from_dict({**GOOD, "max_concentrations": [1e-3, 1000]})
    assert ColorFit([0, 200, -200], [1e-3, 200, 1])
