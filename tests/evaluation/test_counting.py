"""Mitoses by case."""

import json

import pytest

from mmdet_mitosis.evaluation.counting import (
    CaseCount,
    agreement_of_cases,
    count_cases,
    summarize_counts,
)
from mmdet_mitosis.evaluation.functional import count_agreement
from mmdet_mitosis.evaluation.scoring import score_fields
from tests.evaluation.fields import found, truth

FIELDS = [
    truth(1, (100, 100), (300, 100), case="02"),
    truth(2, case="02", mpp=0.5),
    truth(3, *[(50 * i, 500) for i in range(1, 14)], case="01"),
    truth(4, case="03"),
]
DETECTIONS = {
    1: found((100, 90, 0.9), (100, 110, 0.8), (700, 500, 0.2)),
    2: found((600, 400, 0.7)),
    3: found(*[(50 * i, 500, 0.9) for i in range(1, 11)]),
}


def test_cases_have_their_fields_together() -> None:
    cases = count_cases(score_fields(FIELDS, DETECTIONS, 0.5))
    assert [(c.case, c.n_truth, c.n_predicted) for c in cases] == [
        ("01", 13, 10),
        ("02", 2, 3),  # what the threshold lets in, of both fields
        ("03", 0, 0),
    ]
    # 800 x 600 px of 0.25 and of 0.5 µm
    assert [c.area_mm2 for c in cases] == pytest.approx([0.03, 0.03 + 0.12, 0.03])


def test_what_counts_as_nothing_is_not_counted() -> None:
    (_, case, _) = count_cases(score_fields(FIELDS, DETECTIONS, 0.5, method="paper"))
    assert case.n_predicted == 2  # the second hit on a mitosis is none


def test_agreement_is_that_of_the_counts() -> None:
    cases = [CaseCount("a", 13, 10, 2.0), CaseCount("b", 2, 3, 2.0), CaseCount("c", 30, 25, 4.0)]
    expected = count_agreement([13, 2, 30], [10, 3, 25], [2.0, 2.0, 4.0])
    assert agreement_of_cases(cases) == expected


def test_summary_reads_density_and_scores() -> None:
    summary = summarize_counts(score_fields(FIELDS, DETECTIONS, 0.5))
    first = summary["cases"]["01"]
    assert (first["n_truth"], first["n_predicted"]) == (13, 10)
    assert first["truth_per_mm2"] == pytest.approx(13 / 0.03)
    assert first["predicted_per_mm2"] == pytest.approx(10 / 0.03)
    assert (first["truth_score"], first["predicted_score"]) == (2, 1)
    assert (first["truth_score_scaled"], first["predicted_score_scaled"]) == (3, 3)
    second = summary["cases"]["02"]
    # 2 mitoses in 0.15 mm² are 27 in 2 mm²
    assert (second["truth_score"], second["truth_score_scaled"]) == (1, 3)
    assert summary["cases"]["03"]["predicted_score_scaled"] == 1
    assert summary["agreement"]["n_cases"] == 3
    assert json.loads(json.dumps(summary)) == summary


def test_counts_of_nothing() -> None:
    summary = summarize_counts([])
    assert summary["cases"] == {}
    assert summary["agreement"]["bias"] is None
