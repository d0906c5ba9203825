"""What is taken for the stains of an image, and what is refused."""

import numpy as np
import pytest

from mmdet_mitosis.stain import StainFit

GOOD = {"stain_matrix": [[0.7, 0.25], [0.62, 0.9], [0.35, 0.25]], "max_concentrations": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stain_matrix": np.eye(3).tolist()}, r"\(3, 2\)"),
        ({"stain_matrix": [[1, 1], [1, 1], [1, 1]]}, "two different stains"),
        ({"stain_matrix": [[1, np.nan], [1, 0], [0, 1]]}, "two different stains"),
        ({"max_concentrations": [1.0, 0.0]}, "positive"),
        ({"max_concentrations": [1.0, np.inf]}, "positive"),
        ({"max_concentrations": None}, "fit"),
        ({"stain_matrix": [["a", 1], [1, 0], [0, 1]]}, "float"),
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
