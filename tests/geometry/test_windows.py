"""Windows of a field, and what each one shows of an object."""

import itertools

import cv2
import numpy as np
import pytest
import shapely

from mmdet_mitosis.geometry import windows
from mmdet_mitosis.geometry.windows import (
    clip_object,
    fewest_windows,
    field_windows,
    halo_px,
    polygons_bbox,
    window_origins,
)

CUT = (0, 0, 512, 512)
SCALE = 8
"""Parts of a pixel that the slow count of an area divides it into, a side."""


def paint(polygons: list[list[float]], side: int) -> np.ndarray:
    """Fill polygons on a fine grid, each as a part of its own."""
    canvas = np.zeros((side * SCALE, side * SCALE), np.uint8)
    for flat in polygons:
        points = np.reshape(flat, (-1, 1, 2)) * SCALE - 0.5
        cv2.fillPoly(canvas, [np.rint(points * 256).astype(np.int32)], 1, shift=8)
    return canvas.astype(bool)


def star(rng: np.random.Generator, center: np.ndarray) -> list[float]:
    """A spiky outline, concave at every second vertex."""
    angles = np.arange(14) * 2 * np.pi / 14
    radii = rng.uniform(6, 22, 14)
    return (
        (center + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)).ravel().tolist()
    )


def test_origins_of_the_paper() -> None:
    # 512 px at 60 %: a stride of 205 px, and the last window shifted back inside
    origins = window_origins(2000, 512, 0.6)
    assert origins == [0, 205, 410, 615, 820, 1025, 1230, 1435, 1488]
    assert len(window_origins(5657, 512, 0.6)) == 27
    assert window_origins(5657, 512, 0.6)[-1] == 5657 - 512


def test_a_stride_that_fits_gives_no_window_twice() -> None:
    assert window_origins(1024, 512, 0.5) == [0, 256, 512]
    assert window_origins(1025, 512, 0.5) == [0, 256, 512, 513]
    assert window_origins(1024, 512, 0.0) == [0, 512]


def test_a_field_no_larger_than_a_window_has_one() -> None:
    assert window_origins(512, 512, 0.6) == window_origins(100, 512, 0.6) == [0]
    assert field_windows(300, 200, 512, 0.6).tolist() == [[0, 0, 300, 200]]
    assert field_windows(600, 200, 512, 0.6).tolist() == [[0, 0, 512, 200], [88, 0, 600, 200]]


def test_width_goes_with_x_and_rows_come_first() -> None:
    windows = field_windows(1000, 600, 512, 0.0)
    assert windows.tolist() == [
        [0, 0, 512, 512],
        [488, 0, 1000, 512],
        [0, 88, 512, 600],
        [488, 88, 1000, 600],
    ]


def test_windows_cover_every_pixel_and_overlap_as_asked() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        width, height, size = rng.integers(1, 200, 3).tolist()
        overlap = float(rng.uniform(0, 0.99))
        seen = np.zeros((height, width), int)
        for x1, y1, x2, y2 in field_windows(width, height, size, overlap):
            assert (x2 - x1, y2 - y1) == (min(size, width), min(size, height))
            seen[y1:y2, x1:x2] += 1
        assert seen.min() >= 1
        origins = window_origins(width, size, overlap)
        assert sorted(set(origins)) == origins
        if len(origins) > 1:
            assert max(np.diff(origins)) <= max(1, round(size * (1 - overlap)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((0, 512, 0.6), "got 0 and 512"),
        ((2000, -1, 0.6), "got 2000 and -1"),
        ((2000, 512, 1.0), r"overlap must be in \[0, 1\), got 1.0"),
        ((2000, 512, -0.1), "got -0.1"),
        ((2000, 512, 60), "got 60"),
        ((2000, 512, float("nan")), "got nan"),
    ],
)
def test_impossible_windows_are_named(wrong: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        window_origins(*wrong)


def test_a_clipped_object_is_what_a_cropped_mask_shows() -> None:
    rng = np.random.default_rng(0)
    fractions = []
    for seed in range(60):
        polygons = [star(rng, center) for center in rng.uniform(30, 70, (1 + seed % 2, 2))]
        if len(polygons) == 2:  # the parts of one object do not overlap
            polygons[1] = (np.array(polygons[1]) + 60).tolist()
        x1, y1 = rng.integers(0, 70, 2).tolist()
        x2, y2 = x1 + int(rng.integers(10, 90)), y1 + int(rng.integers(10, 90))
        clipped, fraction = clip_object(polygons, (x1, y1, x2, y2))
        mask = paint(polygons, 180)
        crop = mask[y1 * SCALE : y2 * SCALE, x1 * SCALE : x2 * SCALE]
        shown = paint(clipped, 180)
        assert not shown[:, (x2 - x1) * SCALE + 1 :].any()  # coordinates of the window
        differing = np.count_nonzero(shown[: crop.shape[0], : crop.shape[1]] != crop)
        assert differing <= 0.05 * np.count_nonzero(mask), seed
        assert fraction == pytest.approx(crop.sum() / mask.sum(), abs=0.01), seed
        fractions.append(fraction)
    assert min(fractions) == 0
    assert max(fractions) == 1
    assert np.mean([0 < f < 1 for f in fractions]) > 0.4


def test_an_object_inside_keeps_its_outline() -> None:
    square = [110.0, 120, 130, 120, 130, 140, 110, 140]
    flat, fraction = clip_object([square], (100, 100, 200, 200))
    assert fraction == 1
    assert polygons_bbox(flat) == [10, 20, 30, 40]
    assert shapely.Polygon(np.reshape(flat[0], (-1, 2))).area == 400


def test_an_object_outside_or_touching_shows_nothing() -> None:
    square = [10.0, 10, 20, 10, 20, 20, 10, 20]
    assert clip_object([square], (30, 0, 60, 60)) == ([], 0.0)
    assert clip_object([square], (20, 0, 60, 60)) == ([], 0.0)  # an edge has no area
    assert clip_object([], (0, 0, 60, 60)) == ([], 0.0)


def test_an_object_cut_into_parts_has_a_polygon_a_part() -> None:
    # a U, cut below its bar: one object, two parts
    u = [0.0, 0, 10, 0, 10, 30, 20, 30, 20, 0, 30, 0, 30, 40, 0, 40]
    clipped, fraction = clip_object([u], (0, 0, 50, 20))
    assert sorted(polygons_bbox([flat]) for flat in clipped) == [[0, 0, 10, 20], [20, 0, 30, 20]]
    assert fraction == pytest.approx(400 / 900)


def test_an_outline_that_crosses_itself_is_measured_by_what_it_fills() -> None:
    bow = [0.0, 0, 20, 20, 20, 0, 0, 20]  # two triangles; by the shoelace rule its area is 0
    clipped, fraction = clip_object([bow], (0, 0, 10, 20))
    assert fraction == pytest.approx(0.5)
    assert polygons_bbox(clipped) == [0, 0, 10, 20]


def test_a_part_that_is_all_but_a_line_does_not_hinder() -> None:
    # The fast way to cut finds too few points for a ring where 1e-45 px lie between two of them.
    star = [511.0, 2e7, -64, 1e19, 1e-45, 1e-7, -0.5, 1, 1e-45, 511.0, -512, 64]
    with pytest.raises(shapely.errors.GEOSException):
        shapely.clip_by_rect(shapely.make_valid(shapely.Polygon(np.reshape(star, (-1, 2)))), *CUT)
    clipped, fraction = clip_object([star], CUT)
    assert 0 <= fraction < 1e-9
    assert all(0 <= value <= 512 for flat in clipped for value in flat)


def test_bounds_of_all_parts() -> None:
    assert polygons_bbox([[1.0, 2, 5, 2, 5, 9], [-3.0, 4, 0, 4, 0, 5]]) == [-3, 2, 5, 9]


def test_windows_of_one_pixel() -> None:
    assert window_origins(3, 1, 0.0) == [0, 1, 2]


def test_a_field_of_too_many_windows_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(windows, "MAX_WINDOWS", 6)
    assert len(field_windows(30, 20, 10, 0.0)) == 6
    said = "30 x 21 px are 9 windows of 10 px with an overlap of 0; expected at most 6"
    with pytest.raises(ValueError, match=said):
        field_windows(30, 21, 10, 0.0)


def test_a_part_of_a_pixel_is_visible() -> None:
    square = [9.5, 2.0, 11.5, 2.0, 11.5, 4.0, 9.5, 4.0]
    visible, fraction = clip_object([square], [0, 0, 10, 10])
    assert shapely.Polygon(np.reshape(visible[0], (-1, 2))).area == pytest.approx(1.0)
    assert fraction == pytest.approx(0.25)
    visible, fraction = clip_object([square], [0, 0, 10, 3])
    assert len(visible) == 1 and fraction == pytest.approx(0.125)


def fewest_by_trial(origins: list[int], longest: int) -> int:
    """Count the windows along an axis that are needed, by trying all sets."""
    for n in range(1, len(origins) + 1):
        for chosen in itertools.combinations(origins, n):
            steps = np.diff(chosen)
            ends = chosen[0] == origins[0] and chosen[-1] == origins[-1]
            if ends and (steps <= longest).all():
                return n
    return len(origins)


@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.6, 0.8])
@pytest.mark.parametrize(("width", "height"), [(512, 512), (700, 1300), (2084, 600), (300, 900)])
def test_the_fewest_windows_with_a_halo(width: int, height: int, overlap: float) -> None:
    frames = field_windows(width, height, 512, overlap)
    kept = frames[fewest_windows(frames, 48)]
    for axis, length in ((0, width), (1, height)):
        origins = window_origins(length, 512, overlap)
        size = min(512, length)
        found = np.unique(kept[:, axis]).tolist()
        assert found[0] == 0
        assert found[-1] == max(0, length - 512)
        assert (np.diff(found) <= size - 2 * 48).all()
        assert len(found) == fewest_by_trial(origins, size - 2 * 48)
    assert len(kept) == len(np.unique(kept[:, 0])) * len(np.unique(kept[:, 1]))


def test_windows_that_overlap_little_or_are_no_grid_are_all_taken() -> None:
    frames = field_windows(2000, 1000, 512, 0.1).tolist()
    assert fewest_windows(frames, 48) == list(range(len(frames)))
    frames = field_windows(1400, 512, 512, 0.6).tolist()
    assert fewest_windows(frames, 48) == [0, 2, 4, 5]
    twice = [frames[0], *frames]
    assert fewest_windows(twice, 48) == [0, 1, 3, 5, 6]
    two_rows = field_windows(1400, 1000, 512, 0.6).tolist()
    assert fewest_windows(two_rows[:-1], 48) == list(range(len(two_rows) - 1))  # one is missing
    assert fewest_windows([[0, 0, 512, 512], [0, 0, 400, 512]], 48) == [0, 1]  # of two sizes


def test_the_halo_is_12_um_or_a_quarter_of_the_window() -> None:
    assert halo_px(512, 0.25) == 48
    assert halo_px(512, 0.5) == 24
    assert halo_px(128, 0.25) == 32
