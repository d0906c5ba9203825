"""Detections where each place is judged by one window, as inference lays them."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.windows import WindowDetections, merge_field, merge_field_once
from mmdet_mitosis.geometry.windows import fewest_windows, field_windows, halo_px
from tests.evaluation.test_centroid_fscore import build, evaluate, sample

MPP, RADIUS_PX = 0.25, 25.0
WIDTH, HEIGHT, SIZE = 1500, 1100, 512


def border_distance(point: np.ndarray, window: np.ndarray) -> float:
    """How far a place lies from the nearest border of a window, px."""
    return float(np.concatenate([point - window[:2], window[2:] - point]).min())


def seen(points: np.ndarray, score=lambda distance: min(1.0, distance / 256)) -> list:
    """What a network finds that is the less sure the nearer a border, in all windows."""
    found = []
    for window in field_windows(WIDTH, HEIGHT, SIZE, 0.6):
        inside = [p for p in points if border_distance(p, window) > 12]
        centers = np.reshape(inside, (-1, 2)).astype(float)
        scores = np.array([score(border_distance(p, window)) for p in inside])
        boxes = np.concatenate([centers - 12, centers + 12], axis=1)
        found.append(WindowDetections(1, tuple(window), centers, boxes, scores, [[]] * len(inside)))
    return found


def places(n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    kept: list[np.ndarray] = []
    while len(kept) < n:
        point = rng.uniform(60, (WIDTH - 60, HEIGHT - 60))
        if all(np.hypot(*(point - other)) > 60 for other in kept):
            kept.append(point)
    return np.array(kept)


def test_each_place_has_the_score_of_the_window_whose_middle_is_nearest() -> None:
    points = places()
    windows = field_windows(WIDTH, HEIGHT, SIZE, 0.6)
    sparse = windows[fewest_windows(windows, halo_px(SIZE, MPP))]
    assert len(sparse) <= len(windows) / 2
    middles = (sparse[:, :2] + sparse[:, 2:]) / 2
    found = merge_field_once(seen(points), RADIUS_PX, MPP)
    assert len(found) == len(points)
    for point in points:
        at = int(np.hypot(*(found.centers_xy - point).T).argmin())
        assert np.allclose(found.centers_xy[at], point)
        distances = np.abs(middles - point).max(axis=1)
        asked = sparse[distances <= distances.min() + RADIUS_PX]
        expected = max(border_distance(point, window) for window in asked) / 256
        assert found.scores[at] == pytest.approx(min(1.0, expected))


def test_where_all_windows_are_asked_the_surest_look_counts() -> None:
    windows = seen(places())
    every = np.sort(merge_field(windows, RADIUS_PX).scores)
    once = np.sort(merge_field_once(windows, RADIUS_PX, MPP).scores)
    assert len(once) == len(every)
    assert (every >= once).all()
    assert np.median(every) > np.median(once) + 0.1


def test_a_field_of_one_window_and_one_without_detections() -> None:
    one = seen(places())[:1]
    all_looks, once = merge_field(one, RADIUS_PX), merge_field_once(one, RADIUS_PX, MPP)
    assert once.scores.tolist() == all_looks.scores.tolist()
    assert len(merge_field_once(seen(np.empty((0, 2))), RADIUS_PX, MPP)) == 0


def test_what_a_neighbour_s_window_finds_in_the_middle_of_another_does_not_count() -> None:
    windows = seen(np.empty((0, 2)))
    alone = [w for w in windows if w.window_xyxy[:2] == (205, 0)]
    (index,) = [i for i, w in enumerate(windows) if w is alone[0]]
    centers = np.array([[300.0, 200.0]])
    windows[index] = WindowDetections(
        1, alone[0].window_xyxy, centers, np.array([[288.0, 188, 312, 212]]), np.ones(1), [[]]
    )
    assert len(merge_field(windows, RADIUS_PX)) == 1
    assert len(merge_field_once(windows, RADIUS_PX, MPP)) == 0  # of none of the fewest windows


def in_windows(detections: list[tuple]) -> list:
    """Samples of all windows of a field of 800 x 600 px; (x, y, score) less sure at borders."""
    samples = []
    for window in field_windows(800, 600, 512, 0.6):
        rows = [
            (x, y, score * min(1.0, border_distance(np.array([x, y]), window) / 150))
            for x, y, score in detections
            if border_distance(np.array([x, y]), window) > 12
        ]
        samples.append(sample(tuple(window.tolist()), *rows))
    return samples


def test_validation_chooses_a_threshold_for_it_and_a_test_scores_by_that(tmp_path) -> None:
    mitoses = {1: [(400.0, 300.0), (410.0, 230.0), (390.0, 370.0)]}
    found = [(400, 300, 0.9), (410, 230, 0.9), (390, 370, 0.9), (200, 500, 0.5)]
    metric = build(tmp_path, mitoses, threshold="choose")
    chosen = evaluate(metric, *in_windows(found))
    assert chosen["f_score"] == chosen["f_score_once"] == 1.0
    assert chosen["threshold_once"] < chosen["threshold"]
    assert metric.once.f_score == 1.0
    given = {"threshold": chosen["threshold"], "threshold_once": chosen["threshold_once"]}
    metric = build(tmp_path, mitoses, **given)
    tested = evaluate(metric, *in_windows(found))
    assert tested["f_score"] == tested["f_score_once"] == 1.0
    assert "threshold_once" not in tested
    assert (metric.once.tp, metric.once.fp, metric.once.fn) == (3, 0, 0)
    for threshold_once, hits in ((0.8, 0), (0.6, 3)):
        metric = build(tmp_path, mitoses, threshold=0.8, threshold_once=threshold_once)
        tested = evaluate(metric, *in_windows(found))
        assert (tested["tp"], metric.once.tp) == (3, hits)
    metric = build(tmp_path, mitoses, threshold=chosen["threshold"])
    assert "f_score_once" not in evaluate(metric, *in_windows(found))
    assert metric.once is None
