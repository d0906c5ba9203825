"""Overlapping windows: one detection an object."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import merge_windows
from mmdet_mitosis.evaluation.functional.merging import BORDER_PX
from mmdet_mitosis.geometry.windows import field_windows

RADIUS = 25.0
FIELD = field_windows(920, 512, 512, 0.6)
"""Windows that begin at x = 0, 205 and 408."""


def box(x: float, y: float = 256.0, half: float = 12.0) -> list[float]:
    return [x - half, y - half, x + half, y + half]


def merge(
    detections: list[tuple[int, list[float], float]],
    windows: np.ndarray = FIELD,
    radius: float = RADIUS,
    border_px: float = BORDER_PX,
) -> list[int]:
    """Merge detections given as window, box and score; the rows that stay."""
    index, boxes, scores = (np.array(part) for part in zip(*detections, strict=True))
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    return merge_windows(centers, scores, boxes, index, windows, radius, border_px).tolist()


def random_detections(seed: int) -> tuple[np.ndarray, ...]:
    """Boxes on a coarse grid in windows of a field: ties, duplicates and cut boxes."""
    rng = np.random.default_rng(seed)
    windows = field_windows(300, 260, 120, 0.4)
    index = rng.integers(0, len(windows), 60)
    corners = windows[index, :2] + rng.integers(0, 11, (60, 2)) * 10.0
    boxes = np.concatenate([corners, corners + rng.integers(1, 4, (60, 2)) * 10.0], axis=1)
    boxes[:, 2:] = np.minimum(boxes[:, 2:], windows[index, 2:])
    scores = rng.integers(1, 5, 60) / 5
    return boxes, scores, index, windows


def test_no_order_of_detections_or_windows_matters() -> None:
    for seed in range(20):
        boxes, scores, index, windows = random_detections(seed)
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        keep = merge_windows(centers, scores, boxes, index, windows, RADIUS)
        expected = np.column_stack([scores, boxes])[keep].tolist()
        rng = np.random.default_rng(seed)
        rows, columns = rng.permutation(len(boxes)), rng.permutation(len(windows))
        place = np.argsort(columns)  # where each window went
        again = merge_windows(
            centers[rows], scores[rows], boxes[rows], place[index[rows]], windows[columns], RADIUS
        )
        assert np.column_stack([scores, boxes])[rows][again].tolist() == expected, seed
        assert 0 < len(keep) < len(boxes)


def test_equal_scores_and_centres_are_decided_by_the_box() -> None:
    one, other = (0, box(300, half=10), 0.9), (1, box(300, half=12), 0.9)
    assert merge([one, other]) == [1]
    assert merge([other, one]) == [0]


def test_what_stays_is_apart_and_what_goes_has_a_reason() -> None:
    for seed in range(20):
        boxes, scores, index, windows = random_detections(seed)
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2
        # Windows that show all of the field each: no box is cut for want of a better view.
        whole = np.tile([0, 0, 300, 260], (len(windows), 1))
        keep = merge_windows(centers, scores, boxes, index, whole, RADIUS)
        assert scores[keep].tolist() == sorted(scores[keep], reverse=True)
        for i in range(len(boxes)):
            near = [j for j in keep if j != i and np.hypot(*(centers[i] - centers[j])) <= RADIUS]
            assert (i in keep) != bool(near)
            assert i in keep or max(scores[near]) >= scores[i]


def test_the_surest_of_the_views_of_one_mitosis_stays() -> None:
    assert merge([(0, box(450), 0.6), (1, box(453), 0.9), (2, box(448), 0.7)]) == [1]


def test_mitoses_30_px_apart_both_stay() -> None:
    # The nearest pair of TUPAC16; 25 px are 6.25 µm at 0.25 µm/px. A match radius would lose one.
    assert merge([(0, box(300), 0.9), (1, box(330), 0.8)]) == [0, 1]
    assert merge([(0, box(300), 0.9), (1, box(325), 0.8)]) == [0]  # inclusive


def test_only_what_stays_takes_others_away() -> None:
    # A takes B away; C is near B only, and must not go with it.
    assert merge([(0, box(300), 0.9), (0, box(320), 0.8), (0, box(340), 0.7)]) == [0, 2]


def test_a_cut_detection_is_left_to_the_neighbour_although_it_scores_higher() -> None:
    cut = (0, [485.0, 244, 511.5, 268], 0.95)
    whole = (1, [486.0, 244, 524, 268], 0.6)
    assert merge([cut, whole]) == [1]
    assert merge([whole, cut]) == [0]
    # 33 px apart: an overlap of boxes or a radius alone would count the object twice
    assert merge([(0, [495.0, 244, 512, 268], 0.95), (1, [496.0, 244, 577, 268], 0.6)]) == [1]


def test_a_cut_detection_goes_where_the_neighbour_sees_nothing() -> None:
    # What is left of a nucleus at a border looks like something else; the neighbour decides.
    assert merge([(0, [495.0, 244, 511, 268], 0.95), (1, box(700), 0.5)]) == [1]


def test_a_cut_detection_stays_where_no_neighbour_sees_it_whole() -> None:
    apart = np.array([[0, 0, 512, 512], [512, 0, 1024, 512]])
    assert merge([(0, [495.0, 244, 512, 268], 0.9)], apart) == [0]


def test_the_border_of_the_field_cuts_nothing() -> None:
    at_border = [(0, [0.0, 0, 14, 14], 0.9), (2, [905.0, 500, 920, 512], 0.8)]
    larger = np.array([*FIELD[:3], [-100, -100, 1020, 612]])
    assert merge(at_border) == [0, 1]
    assert merge(at_border, larger) == []  # the same boxes, were there more to see


@pytest.mark.parametrize("low", [0.0, 906.0], ids=["first", "last"])
@pytest.mark.parametrize("axis", [0, 1], ids=["x", "y"])
def test_at_the_border_of_the_field_another_border_still_cuts(axis: int, low: float) -> None:
    # The neighbour has all that there is of the box, although it touches the field's border.
    windows = field_windows(920, 920, 512, 0.6)
    edge = np.array([490.0, 490, 511, 511])
    edge[[axis, axis + 2]] = low, low + 14
    own = [0, 0, 512, 512]
    own[axis], own[axis + 2] = (0, 512) if low == 0 else (408, 920)
    index = windows.tolist().index(own)
    assert merge([(index, edge.tolist(), 0.9)], windows) == []


@pytest.mark.parametrize("axis", [0, 1], ids=["x", "y"])
def test_all_four_borders_of_a_window_cut(axis: int) -> None:
    size = (1400, 1400)
    windows = field_windows(*size, 512, 0.6)
    middle = int(np.flatnonzero((windows[:, :2] == 410).all(axis=1))[0])
    for low, high in ((411.0, 440.0), (900.0, 921.0)):
        edge = [660.0, 660, 690, 690]
        edge[axis], edge[axis + 2] = low, high
        assert merge([(middle, edge, 0.9)], windows) == []
    assert merge([(middle, [413.0, 413, 440, 440], 0.9)], windows) == [0]  # 3 px inside


def test_two_windows_do_not_leave_a_mitosis_to_each_other() -> None:
    # They overlap by little more than the nucleus; each box is cut, each fits into the other
    # window by its own account, and the mitosis would vanish.
    narrow = np.array([[0, 0, 512, 512], [461, 0, 973, 512]])
    left, right = (0, [466.0, 244, 511, 268], 0.7), (1, [462.0, 244, 504, 268], 0.8)
    assert merge([left, right], narrow) == [1]
    assert merge([left], narrow) == []  # here the other window has seen it and reports nothing


def test_no_detection_at_all() -> None:
    none = merge_windows(np.empty((0, 2)), [], np.empty((0, 4)), [], FIELD, RADIUS)
    assert none.tolist() == []
    assert merge_windows([], [], [], [], [], RADIUS).tolist() == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scores": [0.5]}, "2 centres, 1 scores, 2 boxes and 2 windows do not belong together"),
        ({"centers_xy": [[1, 2]]}, "1 centres, 2 scores"),
        ({"bboxes_xyxy": np.zeros((3, 4))}, "3 boxes"),
        ({"window_index": [0]}, "1 windows"),
        ({"window_index": [0, 3]}, "from 0 to 3, but there are 3 windows"),
        ({"window_index": [-1, 0]}, "from -1 to 0"),
        ({"bboxes_xyxy": np.zeros((2, 5))}, r"shape \(N, 4\), got \(2, 5\)"),
        ({"centers_xy": np.zeros((2, 4))}, r"shape \(N, 2\), got \(2, 4\)"),
        ({"windows_xyxy": np.zeros((3, 2))}, r"shape \(N, 4\), got \(3, 2\)"),
    ],
)
def test_what_does_not_belong_together_is_named(wrong: dict, message: str) -> None:
    right = {
        "centers_xy": np.zeros((2, 2)),
        "scores": np.ones(2),
        "bboxes_xyxy": np.zeros((2, 4)),
        "window_index": np.zeros(2, int),
        "windows_xyxy": FIELD,
        "radius": RADIUS,
    }
    with pytest.raises(ValueError, match=message):
        merge_windows(**{**right, **wrong})


def test_a_box_is_whole_up_to_the_very_limit_of_its_window() -> None:
    # Windows at 0 and 205: what ends 512 - 4 = 508 px from the left is not cut by the first, and
    # what begins at 205 + 4 = 209 px is whole in the second.
    two = FIELD[:2]
    whole, cut = [480.0, 244.0, 508.0, 268.0], [480.0, 244.0, 508.1, 268.0]
    assert merge([(0, whole, 0.9)], two, border_px=4) == [0]
    assert merge([(0, cut, 0.9)], two, border_px=4) == []
    from_right, cut_left = [209.0, 244.0, 230.0, 268.0], [208.9, 244.0, 230.0, 268.0]
    assert merge([(1, from_right, 0.9)], two, border_px=4) == [0]
    assert merge([(1, cut_left, 0.9)], two, border_px=4) == []
    # Cut by the first on its right; whole in the second from its limit on, and not before it.
    for start, kept in ((209.0, []), (208.9, [0])):
        assert merge([(0, [start, 244.0, 509.0, 268.0], 0.9)], two, border_px=4) == kept
    for end, kept in ((508.0, []), (508.1, [0])):
        assert merge([(1, [208.0, 244.0, end, 268.0], 0.9)], two, border_px=4) == kept


def test_boxes_that_cut_each_other_one_way_alone_are_left_to_who_has_them_whole() -> None:
    windows = np.array([[0, 0, 100, 50], [60, 0, 160, 50], [30, 0, 130, 50], [200, 0, 300, 50]])
    first, second = [80.0, 10.0, 99.0, 40.0], [61.0, 10.0, 99.0, 40.0]
    # Window 1 has the first box whole, window 0 cuts the second; window 2 has both whole.
    found = [(0, first, 0.9), (1, second, 0.8), (2, [62.0, 10.0, 99.0, 40.0], 0.5)]
    assert merge(found, windows, border_px=2) == [2]
