"""Density, mitotic score and agreement of counts."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mmdet_mitosis.evaluation.functional import (
    bland_altman,
    count_agreement,
    mitoses_per_mm2,
    mitotic_score,
    pearson,
    quadratic_kappa,
    spearman,
)


def slow_kappa(scores: list[int], other: list[int], n_grades: int = 3) -> float | None:
    """One less observed over expected disagreement, cell by cell of the table."""
    n, observed, expected = len(scores), 0.0, 0.0
    for i in range(1, n_grades + 1):
        for j in range(1, n_grades + 1):
            weight = (i - j) ** 2 / (n_grades - 1) ** 2
            cell = sum(a == i and b == j for a, b in zip(scores, other, strict=True))
            observed += weight * cell / n
            expected += weight * (scores.count(i) / n) * (other.count(j) / n)
    return None if expected == 0 else 1 - observed / expected


def test_density_is_of_the_area() -> None:
    assert mitoses_per_mm2(7, 2.0) == 3.5
    assert mitoses_per_mm2([0, 7], [0.5, 0.5]).tolist() == [0, 14]


def test_scores_have_the_papers_cut_offs() -> None:
    assert mitotic_score([0, 11, 12, 22, 23, 400]).tolist() == [1, 1, 2, 2, 3, 3]
    assert mitotic_score(12) == 2


@pytest.mark.parametrize(
    ("count", "area_mm2", "score"),
    [
        (12, 2.0, 2),
        (6, 1.0, 2),
        (12, 4.0, 1),
        (23, 4.0, 2),  # 11.5 in 2 mm² are 12
        (22, 4.0, 1),  # 11.0
        (3, 0.25, 3),
        (46, 4.0, 3),
        (45, 4.0, 3),  # 22.5
        (44, 4.0, 2),
        (0, 0.01, 1),
        # A field of TUPAC16: 5657 px of 0.25 µm are a little more than 2 mm².
        (12, 5657**2 * 0.25**2 / 1e6, 2),
        (23, 5657**2 * 0.25**2 / 1e6, 3),
    ],
)
def test_scaled_scores_are_of_the_count_in_2_mm2(count, area_mm2, score) -> None:
    assert mitotic_score(count, area_mm2) == score
    assert mitotic_score([count, count], [area_mm2, 2.0])[0] == score


def test_impossible_counts_and_areas_are_named() -> None:
    with pytest.raises(ValueError, match=r"counts must be at least 0, got -1"):
        mitotic_score([3, -1])
    for area in (0.0, -2.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="areas must be positive"):
            mitoses_per_mm2([3], [area])


def test_kappa_is_that_of_the_table_cell_by_cell() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(300):
        a, b = rng.integers(1, 4, (2, rng.integers(1, 12))).tolist()
        found, expected = quadratic_kappa(a, b), slow_kappa(a, b)
        assert (found is None) == (expected is None)
        if found is not None:
            assert found == pytest.approx(expected, abs=1e-12)
        seen.append(found)
    assert None in seen
    assert min(k for k in seen if k is not None) < 0


def test_kappa_weighs_by_the_square() -> None:
    assert quadratic_kappa([1, 2, 3, 1, 2, 3], [1, 2, 3, 1, 2, 3]) == 1
    one, two = (
        quadratic_kappa([1, 2, 3, 1], [1, 2, 3, 2]),
        quadratic_kappa([1, 2, 3, 1], [1, 2, 3, 3]),
    )
    assert two < one < 1
    assert quadratic_kappa([1, 3], [3, 1]) == pytest.approx(-1)
    assert quadratic_kappa([1, 1, 3, 3], [1, 3, 1, 3]) == pytest.approx(0)


def test_kappa_of_little_is_defined_or_none() -> None:
    assert quadratic_kappa([], []) is None
    assert quadratic_kappa([2], [2]) is None
    assert quadratic_kappa([1, 1, 1], [1, 1, 1]) is None
    assert quadratic_kappa([1], [3]) == 0
    assert quadratic_kappa([1, 1, 1], [1, 1, 2]) == 0  # one rater never varies
    with pytest.raises(ValueError, match="grades must be 1 to 3, got 4"):
        quadratic_kappa([1, 4], [1, 2])
    with pytest.raises(ValueError, match=r"grades must be 1 to 3, got 1\.5"):
        quadratic_kappa([1, 1.5], [1, 2])


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        n = int(rng.integers(3, 30))
        a = rng.integers(0, 12, n)  # many ties
        b = np.maximum(0, a + rng.integers(-4, 5, n)) ** 2
        if np.ptp(a) and np.ptp(b):
            assert pearson(a, b) == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-12)
            assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)


def test_ranks_care_for_order_and_values_for_lines() -> None:
    a = np.arange(1, 8)
    assert spearman(a, a**3) == 1
    assert 0.8 < pearson(a, a**3) < 1
    assert pearson(a, 3 * a + 5) == pytest.approx(1)
    assert spearman(a, -a) == pearson(a, -a) == -1


@pytest.mark.parametrize("function", [pearson, spearman])
def test_correlation_of_little_is_none(function) -> None:
    assert function([], []) is None
    assert function([3], [4]) is None
    assert function([3, 3, 3], [1, 2, 3]) is None
    assert function([1, 2, 3], [7, 7, 7]) is None
    assert function([1e-200, 2e-200], [5, 6]) == pytest.approx(1)  # squares that vanish


def test_limits_of_agreement_are_of_the_differences() -> None:
    truth, predicted = [10, 20, 30, 40], [12, 19, 33, 44]
    bias, low, high = bland_altman(truth, predicted)
    differences = [2, -1, 3, 4]
    mean = sum(differences) / 4
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / 3)
    assert bias == mean == 2  # more was predicted than is there
    assert (low, high) == pytest.approx((2 - 1.96 * deviation, 2 + 1.96 * deviation))


def test_limits_of_little() -> None:
    assert bland_altman([], []) == (None, None, None)
    assert bland_altman([5], [7]) == (2, None, None)
    assert bland_altman([5, 9], [7, 11]) == (2, 2, 2)


def test_agreement_holds_each_of_them() -> None:
    truth, predicted, area = [2, 14, 30, 8], [3, 20, 21, 8], [2.0, 2.0, 4.0, 2.0]
    found = count_agreement(truth, predicted, area)
    assert found.n_cases == 4
    assert (found.bias, found.limit_low, found.limit_high) == bland_altman(truth, predicted)
    assert found.pearson == pearson(truth, predicted)
    assert found.spearman == spearman(truth, predicted)
    assert found.kappa == quadratic_kappa([1, 2, 3, 1], [1, 2, 2, 1])
    # In 2 mm²: 2, 14, 15, 8 and 3, 20, 10.5 (11), 8
    assert found.kappa_scaled == quadratic_kappa([1, 2, 2, 1], [1, 2, 1, 1])
    assert 0 < found.kappa_scaled != found.kappa > 0


def test_what_does_not_belong_together_is_named() -> None:
    with pytest.raises(ValueError, match=r"one value a case, got \(2,\) and \(3,\)"):
        count_agreement([1, 2], [1, 2, 3], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"one value a case, got \(2,\) and \(1,\)"):
        count_agreement([1, 2], [1, 2], [1.0])
    with pytest.raises(ValueError, match="finite"):
        bland_altman([1, float("nan")], [1, 2])


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 2, st.floats(0.01, 40)), max_size=6))
def test_agreement_is_never_nan(rows) -> None:
    truth, predicted, area = np.array(rows, float).reshape(-1, 3).T
    found = asdict(count_agreement(truth, predicted, area))
    assert all(value is None or math.isfinite(value) for value in found.values())
    for name in ("pearson", "spearman", "kappa", "kappa_scaled"):
        assert found[name] is None or -1 - 1e-9 <= found[name] <= 1
    assert (found["bias"] is None) == (len(rows) == 0)
    assert (found["limit_low"] is None) == (len(rows) < 2)
