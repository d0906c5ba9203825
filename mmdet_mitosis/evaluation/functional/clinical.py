"""Counts as a pathologist reads them: density, mitotic score, and agreement with ground truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

HPF10_MM2 = 2.0
"""Area that is taken for ten high-power fields, mm²."""
SCORE_CUTS = (12, 23)
"""Lowest counts of the scores 2 and 3 (Sohail et al., arXiv 2003.08803: 0-11, 12-22, from 23)."""
LIMITS_Z = 1.96


@dataclass(frozen=True)
class CountAgreement:
    """How well predicted counts agree with true ones, a pair of counts for each of ``n_cases``.

    What the cases do not define is None, never NaN.

    ``bias`` is the mean of predicted less true counts and ``limit_low`` and ``limit_high`` are its
    95 % limits of agreement (:func:`bland_altman`); ``pearson`` and ``spearman`` correlate the
    counts; ``kappa`` is the quadratic weighted kappa of the scores of the counts as they are, and
    ``kappa_scaled`` that of the scores of the counts scaled to 2 mm² (:func:`mitotic_score`).
    """

    n_cases: int
    bias: float | None
    limit_low: float | None
    limit_high: float | None
    pearson: float | None
    spearman: float | None
    kappa: float | None
    kappa_scaled: float | None


def mitoses_per_mm2(n_mitoses: np.ndarray, area_mm2: np.ndarray) -> np.ndarray:
    """Give the density of mitoses.

    Args:
        n_mitoses: Mitoses of each case, (N,) or a number.
        area_mm2: Area that was counted in, mm², same shape.

    Returns:
        Mitoses per mm², same shape.

    Raises:
        ValueError: For a negative count, or an area that is not positive.
    """
    n_mitoses, area_mm2 = np.asarray(n_mitoses, dtype=float), np.asarray(area_mm2, dtype=float)
    if not (n_mitoses >= 0).all():
        raise ValueError(f"counts must be at least 0, got {n_mitoses.min()}")
    if not ((area_mm2 > 0) & (area_mm2 < np.inf)).all():
        raise ValueError(f"areas must be positive mm², got {area_mm2.min()}")
    return n_mitoses / area_mm2


def mitotic_score(n_mitoses: np.ndarray, area_mm2: np.ndarray | None = None) -> np.ndarray:
    """Give the mitotic score: 1 up to 11 mitoses in ten high-power fields, 2 up to 22, else 3.

    The paper's cut-offs are for ten high-power fields, 2 mm². Without an area they are applied to
    the count as it is, as the paper does. With an area the count is first scaled to 2 mm² and
    rounded to a whole one, half upwards: 6 mitoses in 1 mm² are 12 and score 2. Rounding closes
    the gap between 11 and 12, and makes a field of 2.0001 mm² one of 2 mm².

    Args:
        n_mitoses: Mitoses of each case, (N,) or a number.
        area_mm2: Area that was counted in, mm², same shape; None: taken as ten high-power fields.

    Returns:
        Scores of 1 to 3, integers of the same shape. Source: cut-offs of Sohail et al., arXiv
        2003.08803.

    Raises:
        ValueError: As :func:`mitoses_per_mm2`.
    """
    area = HPF10_MM2 if area_mm2 is None else area_mm2
    scaled = np.floor(mitoses_per_mm2(n_mitoses, area) * HPF10_MM2 + 0.5)
    return 1 + np.digitize(scaled, SCORE_CUTS)


def quadratic_kappa(scores: np.ndarray, other: np.ndarray, n_grades: int = 3) -> float | None:
    """Give the quadratic weighted kappa of two raters.

    One less the observed mean squared difference over that expected of raters who give their own
    grades in any order.

    Args:
        scores: Grades of one rater, whole numbers of 1 to ``n_grades``, (N,).
        other: Grades of the other one, (N,).
        n_grades: Number of grades.

    Returns:
        Kappa, at most 1; 0 where they agree as by chance. None where both give one and the same
        grade to all cases, or there is no case: then chance alone would agree, and 0 of 0 is
        nothing. Source: Cohen, Psychological Bulletin 70 (1968), 213-220.

    Raises:
        ValueError: For arrays that do not belong together, or a grade that does not exist.
    """
    scores, other = _paired(scores, other)
    grades = np.concatenate([scores, other])
    wrong = (grades < 1) | (grades > n_grades) | (grades != np.round(grades))
    if wrong.any():
        raise ValueError(f"grades must be 1 to {n_grades}, got {grades[wrong][0]}")
    grade = np.arange(n_grades + 1)
    share = np.bincount(scores.astype(int), minlength=n_grades + 1)
    other_share = np.bincount(other.astype(int), minlength=n_grades + 1)
    observed = np.sum((scores - other) ** 2) * len(scores)
    expected = share @ (grade[:, None] - grade) ** 2 @ other_share
    return None if expected == 0 else float(1 - observed / expected)


def pearson(values: np.ndarray, other: np.ndarray) -> float | None:
    """Give the correlation coefficient.

    Args:
        values: (N,).
        other: (N,).

    Returns:
        -1 to 1. None with fewer than two cases, or where all values of a side are equal.

    Raises:
        ValueError: For arrays that do not belong together.
    """
    values, other = _paired(values, other)
    if len(values) < 2 or np.ptp(values) == 0 or np.ptp(other) == 0:
        return None
    a, b = (v - v.mean() for v in (values, other))
    a, b = (d / np.abs(d).max() for d in (a, b))  # keeps tiny squares from vanishing
    r = np.sum(a * b) / np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.clip(r, -1, 1))


def spearman(values: np.ndarray, other: np.ndarray) -> float | None:
    """Give the rank correlation coefficient; equal values share their mean rank.

    Args:
        values: (N,).
        other: (N,).

    Returns:
        -1 to 1. None with fewer than two cases, or where all values of a side are equal.

    Raises:
        ValueError: For arrays that do not belong together.
    """
    values, other = _paired(values, other)
    return pearson(rankdata(values), rankdata(other))


def bland_altman(
    truth: np.ndarray, predicted: np.ndarray
) -> tuple[float | None, float | None, float | None]:
    """Give the bias and the 95 % limits of agreement.

    Args:
        truth: True values, (N,).
        predicted: Predicted values, (N,).

    Returns:
        Mean of predicted less true values, and that mean less and plus 1.96 sample deviations.
        Limits are None with fewer than two cases, and the bias too without any. Source: Bland and
        Altman, Lancet 327 (1986), 307-310.

    Raises:
        ValueError: For arrays that do not belong together.
    """
    truth, predicted = _paired(truth, predicted)
    differences = predicted - truth
    if not len(differences):
        return None, None, None
    bias = float(differences.mean())
    if len(differences) < 2:
        return bias, None, None
    reach = LIMITS_Z * float(differences.std(ddof=1))
    return bias, bias - reach, bias + reach


def count_agreement(
    truth: np.ndarray, predicted: np.ndarray, area_mm2: np.ndarray
) -> CountAgreement:
    """Compare predicted with true counts of cases.

    Args:
        truth: True mitoses of each case, (N,).
        predicted: Predicted mitoses of each case, (N,).
        area_mm2: Area of each case that both were counted in, mm², (N,).

    Returns:
        The agreement.

    Raises:
        ValueError: For arrays that do not belong together, a negative count, or an area that is
            not positive.
    """
    truth, predicted = _paired(truth, predicted)
    _, area_mm2 = _paired(truth, area_mm2)
    limits = bland_altman(truth, predicted)
    return CountAgreement(
        len(truth),
        *limits,
        pearson=pearson(truth, predicted),
        spearman=spearman(truth, predicted),
        kappa=quadratic_kappa(mitotic_score(truth), mitotic_score(predicted)),
        kappa_scaled=quadratic_kappa(
            mitotic_score(truth, area_mm2), mitotic_score(predicted, area_mm2)
        ),
    )


def _paired(values: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check that there is one finite value a case on both sides."""
    values, other = np.asarray(values, dtype=float), np.asarray(other, dtype=float)
    if values.ndim != 1 or values.shape != other.shape:
        raise ValueError(
            f"expected two arrays of one value a case, got {values.shape} and {other.shape}"
        )
    if not (np.isfinite(values).all() and np.isfinite(other).all()):
        raise ValueError("expected finite values, one a case")
    return values, other
