"""What holds for any detections of overlapping windows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet_mitosis.evaluation.functional import Counts, count_matches, merge_windows
from mmdet_mitosis.geometry.windows import field_windows

RULES = settings(max_examples=80, deadline=None, derandomize=True, database=None)
RADIUS, MATCH_RADIUS = 25.0, 30.0
WIDTH, HEIGHT = 920, 700
WINDOWS = field_windows(WIDTH, HEIGHT, 512, 0.6)
SCORES = st.sampled_from([0.2, 0.4, 0.6, 0.8])


@st.composite
def detections(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes on a coarse grid that their windows show, with scores and windows; many are equal."""
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        index = draw(st.integers(0, len(WINDOWS) - 1))
        x1, y1, x2, y2 = WINDOWS[index].tolist()
        left, top = draw(st.sampled_from([0, 200, 488, 500])), draw(st.sampled_from([0, 240, 490]))
        size = draw(st.sampled_from([12, 24, 40]))
        left, top = x1 + left, y1 + top
        box = [left, top, min(left + size, x2), min(top + size, y2)]
        rows.append([*box, draw(SCORES), index])
    table = np.array(rows, float).reshape(-1, 6)
    return table[:, :4], table[:, 4], table[:, 5].astype(int)


def merge(boxes, scores, index, windows=WINDOWS) -> np.ndarray:
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    return merge_windows(centers, scores, boxes, index, windows, RADIUS)


@RULES
@given(detections(), st.randoms(use_true_random=False))
def test_no_order_of_detections_or_windows_matters(case, random) -> None:
    boxes, scores, index = case
    expected = np.column_stack([scores, boxes])[merge(boxes, scores, index)].tolist()
    rows = random.sample(range(len(boxes)), len(boxes))
    columns = random.sample(range(len(WINDOWS)), len(WINDOWS))
    place = np.argsort(columns)
    again = merge(boxes[rows], scores[rows], place[index[rows]], WINDOWS[columns])
    assert np.column_stack([scores, boxes])[rows][again].tolist() == expected


@RULES
@given(detections(), st.data())
def test_duplicates_change_nothing(case, data) -> None:
    boxes, scores, index = case
    expected = np.column_stack([scores, boxes])[merge(boxes, scores, index)].tolist()
    more = data.draw(st.lists(st.integers(0, len(boxes) - 1), max_size=8)) if len(boxes) else []
    rows = [*range(len(boxes)), *more]
    again = merge(boxes[rows], scores[rows], index[rows])
    assert np.column_stack([scores, boxes])[rows][again].tolist() == expected


@RULES
@given(detections())
def test_merging_what_is_merged_changes_nothing_and_leaves_it_apart(case) -> None:
    boxes, scores, index = case
    keep = merge(boxes, scores, index)
    centers = (boxes[keep, :2] + boxes[keep, 2:]) / 2
    for i in range(len(keep)):
        assert (np.hypot(*(centers[:i] - centers[i]).T) > RADIUS).all()
    again = merge(boxes[keep], scores[keep], index[keep])
    assert again.tolist() == list(range(len(keep)))


@RULES
@given(
    st.floats(0, WIDTH),
    st.floats(0, HEIGHT),
    st.tuples(st.floats(4, 20), st.floats(4, 20)),
    st.lists(SCORES, min_size=len(WINDOWS), max_size=len(WINDOWS)),
)
def test_a_mitosis_anywhere_is_one_detection_at_its_place(x, y, half, given_scores) -> None:
    # Every window that shows any of it reports what it shows, whatever the scores: also windows
    # whose border it lies on, which see a sliver.
    whole = np.array([x - half[0], y - half[1], x + half[0], y + half[1]])
    whole = np.clip(whole, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    low, high = np.maximum(whole[:2], WINDOWS[:, :2]), np.minimum(whole[2:], WINDOWS[:, 2:])
    index = np.flatnonzero((high > low).all(axis=1))
    boxes = np.concatenate([low, high], axis=1)[index]
    keep = merge(boxes, np.array(given_scores)[index], index)
    assert len(keep) == 1
    assert np.allclose(boxes[keep[0]], whole)


def test_a_mitosis_on_the_border_of_two_windows_is_one_hit() -> None:
    # Windows side by side that share 60 px; the mitosis lies on the border of the left one.
    windows = np.array([[0, 0, 512, 512], [452, 0, 964, 512]])
    boxes = np.array([[500.0, 244, 512, 268], [500, 244, 524, 268]])
    keep = merge(boxes, np.array([0.9, 0.6]), np.array([0, 1]), windows)
    centers = (boxes[keep, :2] + boxes[keep, 2:]) / 2
    assert count_matches([(512, 256)], centers, MATCH_RADIUS) == Counts(tp=1)


def test_the_two_nuclei_of_a_telophase_are_one_detection_or_one_false_alarm() -> None:
    label = [(300.0, 256.0)]
    for apart, expected in ((24, Counts(tp=1)), (30, Counts(tp=1, fp=1))):
        centers = np.array([[300 - apart / 2, 256], [300 + apart / 2, 256]])
        boxes = np.concatenate([centers - 8, centers + 8], axis=1)
        keep = merge(boxes, np.array([0.9, 0.8]), np.array([0, 0]))
        assert count_matches(label, centers[keep], MATCH_RADIUS) == expected
        nothing = count_matches(
            label, centers[keep], MATCH_RADIUS, [0.9, 0.8][: len(keep)], "paper"
        )
        assert nothing == Counts(tp=1)
