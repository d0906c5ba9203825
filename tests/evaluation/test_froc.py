"""Sensitivity over the rate of false positives."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import FROC_RATES, free_response, threshold_curve


def random_curve(seed: int):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    scores = rng.integers(1, 30, n) / 30
    is_hit = rng.random(n) < scores
    return threshold_curve(scores, is_hit, int(is_hit.sum()) + int(rng.integers(0, 4))), rng


def slow_recall_at(curve, area_mm2: float, rate: float) -> float:
    """Try every threshold: the best that has no more false positives."""
    best = 0.0
    for tp, fp in zip(curve.tp.tolist(), curve.fp.tolist(), strict=True):
        if fp / area_mm2 <= rate and curve.n_gt:
            best = max(best, tp / curve.n_gt)
    return best


def test_recall_at_a_rate_is_the_best_that_a_threshold_gives() -> None:
    rates = (0.0, 0.1, *FROC_RATES, 100.0)
    for seed in range(60):
        curve, rng = random_curve(seed)
        area_mm2 = float(rng.uniform(0.1, 20))
        found = free_response(curve, area_mm2)
        assert np.allclose(found.fp_per_mm2, curve.fp / area_mm2)
        expected = [slow_recall_at(curve, area_mm2, rate) for rate in rates]
        assert found.recall_at(rates).tolist() == pytest.approx(expected), seed
        mean = np.mean([slow_recall_at(curve, area_mm2, rate) for rate in FROC_RATES])
        assert found.mean_recall == pytest.approx(mean)


def test_a_rate_is_of_the_area_and_reached_inclusively() -> None:
    # hit, false, hit, false, hit: recall 1/3, 2/3, 1 with 0, 1 and 2 false ones
    curve = threshold_curve([0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, False, True], 3)
    on_2_mm2 = free_response(curve, 2.0)
    assert on_2_mm2.recall_at((0.49, 0.5, 0.99, 1.0)) == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
    assert free_response(curve, 4.0).recall_at((0.25, 0.5)) == pytest.approx([2 / 3, 1])
    # 1/8 and 1/4 allow no false one on 2 mm², 1/2 one, and the other four rates two
    assert on_2_mm2.mean_recall == pytest.approx((2 * 1 / 3 + 2 / 3 + 4) / 7)


def test_the_rates_are_seven_octaves_around_one() -> None:
    assert tuple(2.0**k for k in range(-3, 4)) == FROC_RATES


def test_where_the_surest_are_false_the_sensitivity_is_none() -> None:
    curve = threshold_curve([0.9, 0.8], [False, True], 1)
    assert free_response(curve, 1.0).recall_at((0.5, 1.0)).tolist() == [0, 1]
    tied = threshold_curve([0.9, 0.9], [False, True], 1)  # no threshold parts them
    assert free_response(tied, 1.0).recall_at((0.5, 1.0)).tolist() == [0, 1]


def test_froc_of_nothing() -> None:
    assert free_response(threshold_curve([], [], 5), 1.0).mean_recall == 0
    assert free_response(threshold_curve([0.5], [False], 0), 1.0).mean_recall == 0
    for area in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="area_mm2 must be positive"):
            free_response(threshold_curve([], [], 5), area)
