"""Detections of many windows in a few arrays: the same, in the same order."""

import numpy as np
import pytest

from mmdet_mitosis.inference.found import Found
from tests.inference.spots import SpotDetector, paint, random_spots


@pytest.fixture(scope="module")
def windows():
    image = paint(random_spots(30, 600, 400), 600, 400)
    places = [(x, y, x + 200, y + 200) for y in (0, 200) for x in (0, 200, 400)]
    parts = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in places]
    found = SpotDetector().detect(parts, places)
    # A mask in two pieces, and one that is empty.
    found[1].polygons[0] = [np.array([1.0, 2, 3, 2, 3, 4]), np.array([7.0, 8, 9, 8, 9, 9, 7, 9])]
    found[4].polygons[1] = []
    return found


def assert_holds(found: Found, windows, first=0) -> None:
    detections = [
        (number, center, box, score, polygons)
        for number, one in enumerate(windows, start=first)
        for center, box, score, polygons in zip(
            one.centers_xy, one.bboxes_xyxy, one.scores, one.polygons, strict=True
        )
    ]
    assert len(found) == len(detections) > 20
    chosen = np.random.default_rng(0).permutation(len(found))
    outlines = found.polygons(chosen)
    for i, polygons in zip(chosen.tolist(), outlines, strict=True):
        number, center, box, score, expected = detections[i]
        assert found.window_index[i] == number
        assert found.centers_xy[i].tolist() == center.tolist()
        assert found.bboxes_xyxy[i].tolist() == box.tolist()
        assert found.scores[i] == score
        assert [p.tolist() for p in polygons] == [p.tolist() for p in expected]


def test_detections_of_windows_are_held(windows) -> None:
    assert_holds(Found.of(windows, 7), windows, 7)


def test_parts_join_to_the_whole(windows) -> None:
    parts = [Found.of(windows[:2]), Found.of([], 2), Found.of(windows[2:], 2)]
    assert_holds(Found.joined(parts), windows)


def test_what_is_written_is_read(windows, tmp_path) -> None:
    path = tmp_path / "new" / "0.npz"
    Found.of(windows).save(path)
    assert_holds(Found.load(path), windows)
    assert [p.name for p in path.parent.iterdir()] == ["0.npz"]


def test_nothing_is_held_as_nothing() -> None:
    nothing = Found.joined([])
    assert len(nothing) == 0 and nothing.polygons(np.empty(0, int)) == []
    assert nothing.centers_xy.shape == (0, 2) and nothing.bboxes_xyxy.shape == (0, 4)
