"""Peaks, against scikit-image and a loop over pixels."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.feature import peak_local_max

from mmdet_mitosis.models.peaks import find_peaks, smooth_maps


def found(array: np.ndarray, *args, **kwargs) -> tuple[list[tuple[float, float]], list[float]]:
    """Peaks of one map: positions (x, y) and values."""
    ((xy, values),) = find_peaks(torch.as_tensor(array)[None], *args, **kwargs)
    return [tuple(p) for p in xy.tolist()], values.tolist()


def slow_peaks(array: np.ndarray, distance: int, threshold: float) -> list[tuple[float, float]]:
    """Look at each pixel's surroundings; of ties take the first in reading order."""
    height, width = array.shape
    maxima = []
    for row in range(height):
        for col in range(width):
            around = array[
                max(0, row - distance) : row + distance + 1,
                max(0, col - distance) : col + distance + 1,
            ]
            if array[row, col] >= max(threshold, around.max()):
                maxima.append((-array[row, col], row, col))
    kept: list[tuple[int, int]] = []
    for _, row, col in sorted(maxima):
        if all(max(abs(row - r), abs(col - c)) > distance for r, c in kept):
            kept.append((row, col))
    return [(col + 0.5, row + 0.5) for row, col in kept]


@pytest.mark.parametrize("distance", [1, 3, 8])
@pytest.mark.parametrize("shape", [(40, 40), (17, 53), (5, 9)])
def test_peaks_without_ties_are_those_of_scikit_image(distance: int, shape: tuple) -> None:
    rng = np.random.default_rng(distance)
    array = gaussian_filter(rng.random(shape), 1.0)
    positions, values = found(array, distance, 0.5)
    expected = peak_local_max(array, min_distance=distance, threshold_abs=0.5, exclude_border=False)
    assert len(expected) and set(positions) == {(c + 0.5, r + 0.5) for r, c in expected}
    assert values == sorted(values, reverse=True)
    assert values == [array[int(y), int(x)] for x, y in positions]


@pytest.mark.parametrize("seed", range(12))
def test_ties_that_do_not_touch_go_as_in_a_loop_over_pixels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = np.zeros((24, 31))
    # On a lattice, so that no two of them touch; few values, so that many tie.
    array[::2, ::2] = rng.integers(0, 4, array[::2, ::2].shape) / 4
    distance = int(rng.integers(1, 5))
    positions, _ = found(array, distance, 0.2)
    assert len(positions) > 3 and positions == slow_peaks(array, distance, 0.2)


def test_a_plateau_is_one_peak_in_its_middle_however_wide() -> None:
    array = np.zeros((60, 80))
    array[10:31, 20:61] = 0.75  # 21 x 41 px, the distance is 3
    assert found(array, 3, 0.1) == ([(40.5, 20.5)], [0.75])
    array[:] = 0.5
    assert found(array, 3, 0.1) == ([(39.5, 29.5)], [0.5])  # of the four middle ones the first


def test_the_peak_of_a_ring_lies_on_it() -> None:
    array = np.zeros((40, 40))
    yy, xx = np.mgrid[:40, :40]
    ring = np.abs(np.hypot(yy - 20, xx - 20) - 12) < 1.5
    array[ring] = 0.9
    ((x, y),), values = found(array, 2, 0.5)
    assert values == [0.9] and ring[int(y), int(x)]


def test_the_lower_of_two_peaks_stays_only_beyond_the_distance() -> None:
    array = np.zeros((30, 40))
    array[10, 10], array[10, 16] = 0.9, 0.8
    assert found(array, 6, 0.1)[0] == [(10.5, 10.5)]
    assert found(array, 5, 0.1)[0] == [(10.5, 10.5), (16.5, 10.5)]


def test_threshold_is_inclusive_and_the_highest_peaks_stay() -> None:
    array = np.zeros((20, 60), np.float32)
    array[5, 10::15] = (0.25, 0.75, 0.5, 0.125)
    assert found(array, 4, 0.25)[1] == [0.75, 0.5, 0.25]
    assert found(array, 4, 0.1, max_peaks=2)[1] == [0.75, 0.5]
    assert found(array, 4, 0.8) == ([], [])
    assert found(array, 4, 0.8, max_peaks=2) == ([], [])


def test_maps_of_a_batch_are_taken_one_by_one() -> None:
    maps = torch.zeros(3, 20, 20)
    maps[0, 3, 4], maps[2, 3, 5] = 0.5, 0.75
    first, second, third = find_peaks(maps, 5, 0.1)
    assert first[0].tolist() == [[4.5, 3.5]] and third[0].tolist() == [[5.5, 3.5]]
    assert second[0].shape == (0, 2) and second[1].shape == (0,)
    assert find_peaks(maps[:0], 5) == []


def test_a_distance_of_no_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 px, got 0"):
        find_peaks(torch.zeros(1, 4, 4), 0)


@pytest.mark.parametrize("sigma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("shape", [(40, 30), (6, 50)])
def test_smoothing_is_scipys_gaussian(sigma: float, shape: tuple) -> None:
    array = np.random.default_rng(0).random(shape)
    smooth = smooth_maps(torch.as_tensor(array)[None], sigma)[0].numpy()
    radius = max(1, round(3 * sigma))
    expected = gaussian_filter(array, sigma, mode="nearest", radius=radius)
    np.testing.assert_allclose(smooth, expected, rtol=1e-6)


def test_no_smoothing_is_none() -> None:
    maps = torch.rand(2, 9, 9)
    assert smooth_maps(maps, 0) is maps


def test_the_peak_of_a_smoothed_disc_is_its_middle() -> None:
    yy, xx = np.mgrid[:64, :64]
    for radius in (5, 10, 13, 16):
        disc = (np.hypot(xx - 30, yy - 25) < radius).astype(np.float32)
        smooth = smooth_maps(torch.as_tensor(disc)[None], 4.0)[0].numpy()
        assert found(smooth, 12, 0.1)[0] == [(30.5, 25.5)]
