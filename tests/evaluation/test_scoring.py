"""Scoring the fields of a split."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import Counts
from mmdet_mitosis.evaluation.scoring import (
    compare_f_scores,
    f_score_interval,
    group_by,
    score_fields,
    split_curve,
    split_froc,
    total,
)
from tests.evaluation.fields import found, truth

FIELDS = [
    truth(1, (100, 100), (300, 100), case="02"),
    truth(2, case="01"),
    truth(3, (500, 500), case="02", scanner="Leica"),
]
DETECTIONS = {1: found((110, 100, 0.9), (600, 400, 0.7)), 2: found((50, 50, 0.6))}


def test_every_field_is_counted_with_or_without_detections() -> None:
    scores = score_fields(FIELDS, DETECTIONS, 0.5)
    assert [score.counts for score in scores] == [Counts(1, 1, 1), Counts(0, 1, 0), Counts(0, 0, 1)]
    assert [score.field for score in scores] == FIELDS
    assert total(scores) == Counts(1, 2, 2)
    assert total([]) == Counts()


def test_only_what_reaches_the_threshold_counts() -> None:
    assert total(score_fields(FIELDS, DETECTIONS, 0.7)) == Counts(1, 1, 2)
    assert total(score_fields(FIELDS, DETECTIONS, 0.71)) == Counts(1, 0, 2)
    assert total(score_fields(FIELDS, {}, 0.0)) == Counts(0, 0, 3)


def test_a_detection_of_another_field_is_no_hit() -> None:
    elsewhere = {2: found((100, 100, 0.9), (500, 500, 0.9))}
    assert total(score_fields(FIELDS, elsewhere, 0.5)) == Counts(0, 2, 3)


@pytest.mark.parametrize(("mpp", "tp"), [(0.25, 1), (0.2275, 1), (0.2456, 1), (0.5, 0)])
def test_the_radius_is_micrometres_of_each_field(mpp: float, tp: int) -> None:
    field = truth(1, (100, 100), mpp=mpp)
    assert total(score_fields([field], {1: found((130, 100, 0.9))}, 0.5)).tp == tp
    assert split_curve([field], {1: found((130, 100, 0.9))}).tp.tolist() == [tp]
    # 32 px are 7.28 µm at the finest of these
    assert total(score_fields([field], {1: found((132, 100, 0.9))}, 0.5)).tp == (mpp == 0.2275)


def test_groups_are_sorted_and_hold_every_field() -> None:
    groups = group_by(score_fields(FIELDS, DETECTIONS, 0.5), lambda field: field.case)
    assert list(groups) == ["01", "02"]
    assert [[score.field.image_id for score in group] for group in groups.values()] == [[2], [1, 3]]


def test_the_interval_resamples_cases_and_not_fields() -> None:
    # The fields of a case are alike: resampled one by one they would feign more evidence.
    fields, detections = [], {}
    for image_id in range(1, 9):
        case = "good" if image_id <= 4 else "bad"
        fields.append(truth(image_id, (100, 100), case=case))
        detections[image_id] = found((100, 100 if case == "good" else 400, 0.9))
    low, high, unit = f_score_interval(score_fields(fields, detections, 0.5))
    assert (low, high, unit) == (0, 1, "case")
    one_case = [truth(f.image_id, (100, 100), case="one") for f in fields]
    low, high, unit = f_score_interval(score_fields(one_case, detections, 0.5))
    assert unit == "field"
    assert 0 < low < 0.5 < high < 1


def test_the_curve_of_a_split_is_its_scores_at_each_threshold() -> None:
    rng = np.random.default_rng(0)
    fields, detections = [], {}
    for image_id in range(1, 7):
        mitoses = rng.uniform(0, 200, (rng.integers(0, 6), 2))
        fields.append(truth(image_id, *mitoses.tolist(), mpp=float(rng.uniform(0.2, 0.5))))
        places = np.concatenate([mitoses + rng.normal(0, 12, mitoses.shape), mitoses + 9])
        order = np.argsort(-(scores := rng.integers(1, 9, len(places)) / 9), kind="stable")
        detections[image_id] = found(*np.column_stack([places, scores])[order].tolist())
    del detections[6]
    curve = split_curve(fields, detections)
    assert len(curve.thresholds) == 8
    for i, threshold in enumerate(curve.thresholds):
        counts = total(score_fields(fields, detections, threshold, method="greedy"))
        assert Counts(int(curve.tp[i]), int(curve.fp[i]), curve.n_gt - int(curve.tp[i])) == counts
    assert curve.n_gt == sum(len(field.centroids_xy) for field in fields)


def test_the_curve_of_nothing() -> None:
    assert split_curve([], {}).best_threshold() == 0.5
    assert split_curve(FIELDS, {}).n_gt == 3


def paired_splits() -> tuple[list, list]:
    """The same fields of four cases, with all mitoses found, and with those of two cases."""
    fields = [truth(i, (100, 100), case=f"{(i + 1) // 2:02d}") for i in range(1, 9)]
    all_found = {field.image_id: found((100, 100, 0.9)) for field in fields}
    some_found = {i: hits for i, hits in all_found.items() if i > 4}
    return score_fields(fields, all_found, 0.5), score_fields(fields, some_found, 0.5)


def test_two_detectors_are_compared_on_the_same_cases() -> None:
    first, second = paired_splits()
    difference, unit = compare_f_scores(first, second)
    assert unit == "case"
    assert difference.difference == pytest.approx(1 - 2 / 3)
    assert difference.low == 0  # a resample of the two cases that both find
    assert difference.high == 1
    assert compare_f_scores(first, second[::-1])[0] == difference
    one_case = [[s for s in part if s.field.case == "01"] for part in (first, second)]
    assert compare_f_scores(*one_case)[1] == "field"


def test_detectors_on_other_fields_are_not_compared() -> None:
    first, second = paired_splits()
    with pytest.raises(ValueError, match="8 and 7 of them, with 7 image ids in common"):
        compare_f_scores(first, second[1:])


def test_froc_is_of_the_area_of_all_fields() -> None:
    # Three fields of 800 x 600 px at 0.25 µm; by score a hit, a false one and a false one
    curve = split_curve(FIELDS, DETECTIONS)
    froc = split_froc(curve, FIELDS)
    assert froc.fp_per_mm2 == pytest.approx(np.array([0, 1, 2]) / (3 * 0.03))
    assert froc.recall == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match="area_mm2 must be positive, got 0"):
        split_froc(curve, [])
