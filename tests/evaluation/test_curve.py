"""What every threshold gives, and the threshold that is chosen."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import Counts, match_points, threshold_curve
from tests.evaluation.slow import RADIUS, slow_greedy


def random_split(seed: int, n_fields: int = 4) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Fields with ground truth, predictions, and scores of which many are equal."""
    rng = np.random.default_rng(seed)
    fields = []
    for _ in range(n_fields):
        n_gt, n_pred = rng.integers(0, 7, 2)
        gt, pred = rng.uniform(0, 120, (n_gt, 2)), rng.uniform(0, 120, (n_pred, 2))
        fields.append((gt, pred, rng.integers(1, 8, n_pred) / 8))
    return fields


def curve_of(fields):
    hits = []
    for gt, pred, scores in fields:
        is_hit = np.zeros(len(pred), bool)
        is_hit[match_points(gt, pred, RADIUS, scores, "greedy")[:, 1]] = True
        hits.append(is_hit)
    scores = np.concatenate([field[2] for field in fields])
    return threshold_curve(scores, np.concatenate(hits), sum(len(field[0]) for field in fields))


def recount(fields, threshold: float) -> Counts:
    """Match anew what scores at least the threshold."""
    counts = Counts()
    for gt, pred, scores in fields:
        kept = scores >= threshold
        order = np.lexsort((pred[kept][:, 1], pred[kept][:, 0]))  # ties by place
        n_pairs = len(slow_greedy(gt, pred[kept][order], scores[kept][order]))
        counts += Counts(n_pairs, int(kept.sum()) - n_pairs, len(gt) - n_pairs)
    return counts


def slow_average_precision(recall: list[float], precision: list[float]) -> float:
    """Area below the highest precision at that recall or more, step by step."""
    area, before = 0.0, 0.0
    for i, here in enumerate(recall):
        area += (here - before) * max(precision[i:])
        before = here
    return area


def test_curve_is_what_matching_anew_at_each_threshold_gives() -> None:
    for seed in range(60):
        fields = random_split(seed)
        curve = curve_of(fields)
        scores = np.concatenate([field[2] for field in fields])
        assert curve.thresholds.tolist() == sorted(set(scores), reverse=True)  # ties are one step
        for i, threshold in enumerate(curve.thresholds):
            counts = recount(fields, threshold)
            assert (curve.tp[i], curve.fp[i]) == (counts.tp, counts.fp), seed
            assert curve.precision[i] == pytest.approx(counts.precision)
            assert curve.recall[i] == pytest.approx(counts.recall)
            assert curve.f_score[i] == pytest.approx(counts.f_score)


def test_best_threshold_gives_the_best_f_score_and_lies_between_scores() -> None:
    for seed in range(60):
        fields = random_split(seed)
        curve, best = curve_of(fields), curve_of(fields).best_threshold()
        if len(curve.thresholds):
            assert recount(fields, best).f_score == max(curve.f_score), seed
            assert best not in curve.thresholds


def test_best_threshold_is_the_middle_between_last_let_in_and_next() -> None:
    curve = threshold_curve([0.9, 0.3, 0.8, 0.2], [True, False, True, False], 2)
    assert curve.best_threshold() == pytest.approx((0.8 + 0.3) / 2)
    assert threshold_curve([0.6, 0.4], [True, True], 2).best_threshold() == pytest.approx(0.2)


def test_best_threshold_between_neighbouring_floats_lets_the_second_out() -> None:
    low = np.nextafter(0.5, 1)
    high = np.nextafter(low, 1)
    assert (low + high) / 2 in (low, high)  # here no number lies between
    assert threshold_curve([high, low], [True, False], 1).best_threshold() == high
    assert threshold_curve([low, 0.5], [True, False], 1).best_threshold() == low


def test_of_equal_f_scores_the_higher_threshold_is_taken() -> None:
    # F is 2/3 with one and with four predictions.
    curve = threshold_curve([0.9, 0.7, 0.6, 0.5], [True, False, False, True], 2)
    assert curve.f_score[[0, 3]] == pytest.approx([2 / 3, 2 / 3])
    assert curve.best_threshold() == pytest.approx(0.8)


def test_no_prediction_has_a_threshold_all_the_same() -> None:
    curve = threshold_curve([], [], 5)
    assert curve.best_threshold() == 0.5
    assert curve.average_precision == 0
    assert len(curve.f_score) == 0


def test_average_precision_is_the_area_summed_slowly() -> None:
    for seed in range(60):
        curve = curve_of(random_split(seed))
        expected = slow_average_precision(curve.recall.tolist(), curve.precision.tolist())
        assert curve.average_precision == pytest.approx(expected)
    perfect = threshold_curve([0.9, 0.8], [True, True], 2)
    assert perfect.average_precision == 1
    # Half of the mitoses are never found: what is not reached adds nothing.
    assert threshold_curve([0.9, 0.8], [True, True], 4).average_precision == 0.5
    # precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1
    dip = threshold_curve([0.9, 0.8, 0.7], [True, False, True], 2)
    assert dip.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
