"""Hits, false positives and misses, counted another way and by hand."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import MATCH_METHODS
from mmdet_mitosis.evaluation.report import summarize
from mmdet_mitosis.evaluation.truth import FieldTruth
from mmdet_mitosis.report.findings import FALSE_POSITIVE, HIT, MISS, find_all
from tests.evaluation.fields import found, truth

FIELDS = [truth(1, (100, 100), (300, 100), (500, 100)), truth(2, (50, 50))]
DETECTIONS = {
    1: found((100, 90, 0.7), (300, 110, 0.4), (300, 95, 0.2), (700, 500, 0.9), (600, 10, 0.6)),
    2: found((55, 50, 0.8)),
}


def places(findings: list) -> list[tuple]:
    return [(finding.field.image_id, *finding.center_xy) for finding in findings]


def test_by_hand() -> None:
    kinds = find_all(FIELDS, DETECTIONS, 0.5, 7.5)
    assert places(kinds[HIT]) == [(2, 55, 50), (1, 100, 90)]
    assert [finding.score for finding in kinds[HIT]] == [0.8, 0.7]
    assert places(kinds[FALSE_POSITIVE]) == [(1, 700, 500), (1, 600, 10)]
    assert places(kinds[MISS]) == [(1, 500, 100), (1, 300, 100)]
    assert [finding.score for finding in kinds[MISS]] == [None, 0.4]
    assert {finding.is_look_alike for finding in kinds[FALSE_POSITIVE]} == {None}


def test_a_miss_has_no_score_of_what_was_matched_elsewhere() -> None:
    # One detection between two mitoses: a hit of the nearer, and none of the other.
    kinds = find_all([truth(1, (100, 100), (130, 100))], {1: found((110, 100, 0.9))}, 0.5, 7.5)
    assert places(kinds[MISS]) == [(1, 130, 100)]
    assert kinds[MISS][0].score is None


def test_look_alikes_are_told_one_to_one() -> None:
    field = truth(1, (100, 100))
    labelled = FieldTruth(**{**vars(field), "look_alikes_xy": np.array([[400.0, 400.0]])})
    detections = {1: found((400, 410, 0.9), (400, 391, 0.8), (700, 20, 0.7))}
    findings = find_all([labelled], detections, 0.5, 7.5)[FALSE_POSITIVE]
    assert [(f.center_xy[1], f.is_look_alike) for f in findings] == [
        (410, False),
        (391, True),
        (20, False),
    ]


@pytest.mark.parametrize("method", MATCH_METHODS)
def test_as_many_as_the_scores_say(method: str) -> None:
    rng = np.random.default_rng(3)
    fields, detections = [], {}
    for i in range(1, 5):
        points = rng.uniform(0, 300, (12, 2))
        field = truth(i, *map(tuple, points))
        look_alikes = rng.uniform(0, 300, (6, 2))
        fields.append(FieldTruth(**{**vars(field), "look_alikes_xy": look_alikes}))
        rows = np.column_stack([rng.uniform(0, 300, (20, 2)), np.sort(rng.random(20))[::-1]])
        detections[i] = found(*map(tuple, rows))
    kinds = find_all(fields, detections, 0.3, 7.5, method)
    figures = summarize("test", fields, detections, 0.3, "val", 7.5, method)
    assert (len(kinds[HIT]), len(kinds[FALSE_POSITIVE]), len(kinds[MISS])) == (
        figures["tp"],
        figures["fp"],
        figures["fn"],
    )
    n_look_alikes = sum(finding.is_look_alike for finding in kinds[FALSE_POSITIVE])
    assert n_look_alikes == figures["n_look_alikes"] > 0
    for kind in (HIT, FALSE_POSITIVE):
        scores = [finding.score for finding in kinds[kind]]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) >= 0.3
