"""Colours and percentiles by torch against those of other libraries."""

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from mmdet_mitosis.stain.torch_color import lab_to_rgb, rgb_to_lab
from mmdet_mitosis.stain.torch_estimate import percentile


def test_lab_is_that_of_skimage():
    rng = np.random.default_rng(0)
    levels = np.concatenate([rng.integers(0, 256, (500, 3)), rng.integers(0, 12, (200, 3))])
    lab = rgb_to_lab(torch.from_numpy(levels.T[None].astype(np.uint8)))
    # Its white has one digit less.
    np.testing.assert_allclose(lab[0].T, rgb2lab(levels / 255.0), atol=0.02)
    np.testing.assert_allclose(lab_to_rgb(lab)[0].T, levels, atol=0.02)


def test_colours_that_srgb_has_not_are_cut_as_by_skimage():
    lab = np.random.default_rng(0).uniform([-10, -90, -90], [110, 90, 90], (2000, 3))
    got = lab_to_rgb(torch.from_numpy(lab.T[None].astype(np.float32)))[0].T
    assert got.min() == 0 and got.max() == pytest.approx(255)
    with np.errstate(all="ignore"), pytest.warns(UserWarning, match="negative Z"):
        expected = lab2rgb(lab) * 255
    np.testing.assert_allclose(got, expected, atol=0.1)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 99, 1000])
@pytest.mark.parametrize("level", [0, 1, 30, 50, 99, 100])
def test_percentiles_are_hazens(count, level):
    values = np.random.default_rng(count).normal(size=count).round(1).astype(np.float32)
    expected = np.percentile(values, level, method="hazen")
    assert percentile(torch.from_numpy(values), level) == pytest.approx(expected, abs=1e-6)
