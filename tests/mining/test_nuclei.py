"""Nuclei are found where hematoxylin is, at any resolution, and apart from each other."""

import cv2
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from mmdet_mitosis.mining.nuclei import find_nuclei
from tests.transforms.tissue import render


def paint(centers_um, mpp, size_um=150.0, eosin_um=(), seed=0):
    """Nuclei of 5 µm in eosin-stained tissue, and spots as dark of eosin alone."""
    side = round(size_um / mpp)
    rng = np.random.default_rng(seed)
    amounts = np.zeros((side, side, 2))
    amounts[..., 0] = 0.1
    amounts[..., 1] = 0.5
    yy, xx = (np.mgrid[:side, :side] + 0.5) * mpp
    for stain, centers in ((0, centers_um), (1, eosin_um)):
        for x, y in centers:
            inside = (xx - x) ** 2 + (yy - y) ** 2 < 2.5**2
            amounts[inside, stain] = 1.6
    return render(amounts * rng.uniform(0.85, 1.15, amounts.shape))


GRID = [(x, y) for x in (15.0, 45.0, 75.0, 105.0, 135.0) for y in (12.0, 70.0, 138.0)]


@pytest.mark.parametrize("mpp", [0.25, 0.2275, 0.5])
def test_each_nucleus_is_found_once_and_eosin_is_none(mpp):
    eosin = [(30.0, 40.0), (60.0, 100.0), (120.0, 40.0)]
    found = find_nuclei(paint(GRID, mpp, eosin_um=eosin), mpp, 7.5) * mpp
    assert len(found) == len(GRID)
    distances = np.linalg.norm(found[:, None] - np.array(GRID), axis=2)
    assert sorted(distances.argmin(axis=1)) == list(range(len(GRID)))
    assert distances.min(axis=1).max() < 1.0


def test_those_nearer_than_the_spacing_are_thinned():
    rng = np.random.default_rng(3)
    rgb = paint(rng.uniform(5, 145, (120, 2)), 0.25)
    counts = []
    for spacing in (4.0, 7.5, 15.0):
        found = find_nuclei(rgb, 0.25, spacing) * 0.25
        assert pdist(found).min() > spacing
        counts.append(len(found))
    assert counts[0] > counts[1] > counts[2] > 5


def test_the_darker_of_two_neighbours_stays():
    rgb = paint([(50.0, 50.0), (100.0, 100.0)], 0.25)
    pale = paint([(56.0, 50.0), (94.0, 100.0)], 0.25).astype(float)
    # Half as dense as the two that are there already.
    rgb = np.where(pale.sum(axis=2, keepdims=True) < 420, np.sqrt(pale * 240), rgb).astype(np.uint8)
    found = find_nuclei(rgb, 0.25, 7.5) * 0.25
    np.testing.assert_allclose(found, [(50, 50), (100, 100)], atol=1.5)


def test_points_go_row_by_row_and_come_out_the_same_again():
    rgb = paint(GRID, 0.25)
    found = find_nuclei(rgb, 0.25, 7.5)
    np.testing.assert_array_equal(found, find_nuclei(rgb.copy(), 0.25, 7.5))
    assert found.tolist() == sorted(found.tolist(), key=lambda p: (p[1], p[0]))


def test_at_borders_too():
    found = find_nuclei(paint([(1.0, 60.0), (149.0, 90.0), (60.0, 0.5)], 0.25), 0.25, 7.5) * 0.25
    np.testing.assert_allclose(found, [(60, 0.5), (1, 60), (149, 90)], atol=1.5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 200)])
def test_glass_and_tiny_fields_have_none(shape):
    rng = np.random.default_rng(0)
    glass = rng.integers(238, 246, (*shape, 3)).astype(np.uint8)
    assert find_nuclei(glass, 0.25, 7.5).shape == (0, 2)
    assert find_nuclei(cv2.blur(glass, (3, 3)).reshape(glass.shape), 0.25, 7.5).shape == (0, 2)


def test_impossible_lengths_are_refused():
    for mpp, spacing in [(0, 7.5), (0.25, 0), (np.nan, 7.5)]:
        with pytest.raises(ValueError, match="mpp and spacing_um must be positive"):
            find_nuclei(np.zeros((9, 9, 3), np.uint8), mpp, spacing)
