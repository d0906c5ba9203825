"""What is chosen: every mitosis once, and no negative near one."""

import dataclasses

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import match_points
from mmdet_mitosis.mining.candidates import (
    Candidate,
    drawn,
    is_within,
    judge_field,
    look_alikes_of,
    mitoses_of,
    random_nuclei_of,
    surest,
)
from tests.evaluation.fields import found, truth

RADIUS_UM = 7.5
"""30 px in the fields of these tests."""


def with_look_alikes(field, *points):
    return dataclasses.replace(field, look_alikes_xy=np.array(points, float).reshape(-1, 2))


def places(candidates):
    return [c.point_xy for c in candidates]


def test_detections_are_told_apart_by_what_they_hit():
    field = truth(3, (100, 100), (300, 300))
    judged = judge_field(
        field,
        found((110, 100, 0.6), (100, 85, 0.9), (131, 100, 0.8), (500, 500, 0.7)),
        RADIUS_UM,
    )
    # The nearer one is the hit, whatever its score; 31 px is no second hit, 15 px is.
    assert places(judged.hits) == [(110, 100)] and judged.hits[0].score == 0.6
    assert places(judged.second_hits) == [(100, 85)]
    assert places(judged.false_positives) == [(131, 100), (500, 500)]
    assert judged.missed_xy.tolist() == [[300, 300]]


@pytest.mark.parametrize("seed", range(6))
def test_every_mitosis_is_there_once_and_hits_are_a_matching(seed):
    rng = np.random.default_rng(seed)
    field = truth(1, *map(tuple, rng.uniform(0, 400, (25, 2))))
    points = np.concatenate([rng.uniform(0, 400, (60, 2)), field.centroids_xy[:9] + 5])
    detections = found(*np.column_stack([points, rng.random(len(points))]))
    judged = judge_field(field, detections, RADIUS_UM)
    mitoses = mitoses_of(judged)
    n_hits = len(match_points(field.centroids_xy, detections.centers_xy, 30))
    assert len(mitoses) == 25 and len(judged.hits) == n_hits
    assert all(c.label == 1 and c.source == "mitosis" and c.image_id == 1 for c in mitoses)
    # A mitosis can be laid on each centroid, none is used twice.
    assert len(match_points(field.centroids_xy, np.array(places(mitoses)), 30)) == 25
    # Nothing is lost or invented among the detections.
    parts = judged.hits + judged.second_hits + judged.false_positives
    assert sorted(places(parts)) == sorted(map(tuple, points.tolist()))
    distances = np.linalg.norm(
        np.array(places(judged.false_positives))[:, None] - field.centroids_xy, axis=2
    )
    assert distances.min() > 30
    assert all(c.label == 0 for c in judged.false_positives + judged.second_hits)


def test_the_radius_is_in_micrometres():
    detections = found((120, 100, 0.5))
    for mpp, n_hits in [(0.25, 1), (0.5, 0)]:
        judged = judge_field(truth(1, (100, 100), mpp=mpp), detections, RADIUS_UM)
        assert (len(judged.hits), len(judged.false_positives)) == (n_hits, 1 - n_hits)


def test_mitoses_are_where_stage_1_found_them_else_at_their_centroid():
    judged = judge_field(truth(1, (100, 100), (300, 300)), found((108, 94, 0.5)), RADIUS_UM)
    assert mitoses_of(judged) == [
        Candidate(1, (108.0, 94.0), "mitosis", 0.5),
        Candidate(1, (300.0, 300.0), "mitosis", None),
    ]


def test_look_alikes_that_are_a_detection_or_near_a_mitosis_are_not_taken_again():
    field = with_look_alikes(
        truth(1, (100, 100)), (100, 130), (100, 131), (400, 400), (500, 500), (510, 500)
    )
    judged = judge_field(field, found((420, 400, 0.9)), RADIUS_UM)
    assert look_alikes_of(judged) == [
        Candidate(1, (100.0, 131.0), "look_alike"),
        Candidate(1, (500.0, 500.0), "look_alike"),
        Candidate(1, (510.0, 500.0), "look_alike"),
    ]


def test_without_labelled_look_alikes_there_are_none():
    for field in (truth(1, (100, 100)), with_look_alikes(truth(1, (100, 100)))):
        judged = judge_field(field, found((300, 300, 0.5)), RADIUS_UM)
        assert look_alikes_of(judged) == []
        assert places(random_nuclei_of(judged, np.array([[200.5, 200.5]]))) == [(200.5, 200.5)]


def test_random_nuclei_are_away_from_all_that_is_known():
    field = with_look_alikes(truth(1, (100, 100)), (600, 100))
    # The second detection is a second hit, and 50 px from the mitosis' other side.
    judged = judge_field(field, found((100, 100, 0.9), (128, 100, 0.8), (300, 300, 0.7)), RADIUS_UM)
    nuclei = np.array(
        [(100, 130), (150, 100), (330, 300), (600, 71), (159, 100), (331, 300), (600, 69)], float
    )
    free = random_nuclei_of(judged, nuclei)
    assert places(free) == [(159, 100), (331, 300), (600, 69)]
    assert {c.source for c in free} == {"random"} and not any(c.label for c in free)


def test_the_surest_come_first_whatever_the_order():
    candidates = [
        Candidate(image_id, (x, 1.0), "false_positive", score)
        for image_id, x, score in [(2, 5.0, 0.5), (1, 9.0, 0.5), (1, 3.0, 0.5), (3, 0.0, 0.9)]
    ]
    expected = [(3, 0.0), (1, 3.0), (1, 9.0)]
    for order in (candidates, candidates[::-1]):
        assert [(c.image_id, c.point_xy[0]) for c in surest(order, 3)] == expected
    assert len(surest(candidates, 9)) == 4 and surest(candidates, 0) == []


def test_draws_are_seeded_alike_for_all_and_never_twice():
    candidates = [Candidate(1, (float(x), 0.0), "random") for x in range(50)]
    first = drawn(candidates, 10, seed=0)
    assert first == drawn(candidates, 10, seed=0) and len(set(first)) == 10
    assert first != drawn(candidates, 10, seed=1) and first != candidates[:10]
    assert first == sorted(first, key=lambda c: c.point_xy)
    counts = np.zeros(50)
    for seed in range(300):
        counts[[int(c.point_xy[0]) for c in drawn(candidates, 10, seed)]] += 1
    assert counts.min() > 30 and counts.max() < 95
    assert drawn(candidates, 50, 3) == candidates and drawn(candidates, 0, 3) == []


def test_within_is_inclusive():
    points = np.array([(0, 30), (0, 30.001), (50, 0)])
    assert is_within(points, np.array([(0.0, 0), (50, 29)]), 30).tolist() == [True, False, True]
    assert is_within(points, np.empty((0, 2)), 30).tolist() == [False] * 3
    assert is_within(np.empty((0, 2)), points, 30).shape == (0,)
