"""Intervals and comparisons by resampling cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional.counts import Counts, ratio

N_RESAMPLES = 2000
BLOCK = 2**22
"""So many draws are held at once."""


@dataclass(frozen=True)
class PairedDifference:
    """A ratio of one detector less that of another on the same cases.

    ``low`` and ``high`` bound it, and ``p_value`` is two-sided, for no difference.
    """

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(
    counts: Sequence[Counts],
    name: str = "f_score",
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Give the percentile bootstrap interval of a pooled ratio.

    The counts are those at one threshold, which stays: a resample chooses none of its own.

    Args:
        counts: Counts of each unit that is resampled (a case, or a field).
        name: ``f_score``, ``precision`` or ``recall``.
        n_resamples: Number of resamples.
        seed: Seed of the draw.
        level: Coverage of the interval.

    Returns:
        Lower and upper bound; both 0 without units. Source: Efron and Tibshirani, An Introduction
        to the Bootstrap (1993), chapter 13.

    Raises:
        ValueError: For another ratio.
    """
    (found,) = _resampled_ratios([_table(counts)], name, n_resamples, seed)
    return _percentiles(found, level)


def bootstrap_difference(
    counts: Sequence[Counts],
    other: Sequence[Counts],
    name: str = "f_score",
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> PairedDifference:
    """Compare two detectors on the same cases by a paired bootstrap.

    Both are read on the same resampled cases, so that what is hard in a case is hard for both.
    Each keeps its threshold: a resample chooses none.

    Args:
        counts: Counts of one detector, by unit (a case, or a field).
        other: Counts of the other one, of the same units in the same order.
        name: ``f_score``, ``precision`` or ``recall``.
        n_resamples: Number of resamples, B.
        seed: Seed of the draw.
        level: Coverage of the interval.

    Returns:
        The difference of the pooled ratios, its percentile interval, and p: twice the smaller of
        the shares of resamples at or below and at or above 0, each (k + 1) / (B + 1), and at most
        1. Without units, 0 and p = 1. Source: Efron and Tibshirani, An Introduction to the
        Bootstrap (1993), chapters 13 and 15; the + 1: Davison and Hinkley, Bootstrap Methods and
        their Application (1997), section 4.2.

    Raises:
        ValueError: For another ratio, or if the units are not the same.
    """
    tables = [_table(counts), _table(other)]
    if len(counts) != len(other):
        raise ValueError(f"cannot pair {len(counts)} units with {len(other)}")
    n_gt = [table[:, 0] + table[:, 2] for table in tables]
    if (n_gt[0] != n_gt[1]).any():
        unit = int(np.flatnonzero(n_gt[0] != n_gt[1])[0])
        raise ValueError(
            f"unit {unit} has {n_gt[0][unit]} ground-truth points for one detector and "
            f"{n_gt[1][unit]} for the other: they were not scored on the same ground truth"
        )
    first, second = _resampled_ratios(tables, name, n_resamples, seed)
    observed = [float(ratio(name, *table.sum(axis=0))) for table in tables]
    differences = first - second
    tails = [int(np.sum(differences <= 0)), int(np.sum(differences >= 0))]
    p_value = min(1.0, 2 * (min(tails) + 1) / (len(differences) + 1))
    low, high = _percentiles(differences, level)
    return PairedDifference(observed[0] - observed[1], low, high, p_value)


def _table(counts: Sequence[Counts]) -> np.ndarray:
    """Write counts as rows of TP, FP and FN, (U, 3)."""
    return np.array([(c.tp, c.fp, c.fn) for c in counts], dtype=int).reshape(-1, 3)


def _resampled_ratios(
    tables: list[np.ndarray], name: str, n_resamples: int, seed: int
) -> np.ndarray:
    """Draw units with replacement, the same for all tables, and pool them: (tables, resamples)."""
    wide = np.concatenate(tables, axis=1)
    pooled = np.zeros((n_resamples, wide.shape[1]))
    if len(wide):
        weights = _draw_weights(len(wide), n_resamples, seed)
        pooled = np.concatenate([block @ wide for block in weights])
    return np.stack([ratio(name, *pooled[:, 3 * i : 3 * i + 3].T) for i in range(len(tables))])


def _draw_weights(n_units: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Give how often each resample has each unit, some resamples at a time, (R, U) floats."""
    rng = np.random.default_rng(seed)
    size = max(1, BLOCK // n_units)
    for start in range(0, n_resamples, size):
        n_rows = min(size, n_resamples - start)
        draws = rng.integers(0, n_units, (n_rows, n_units))
        flat = draws + np.arange(n_rows)[:, None] * n_units
        weights = np.bincount(flat.ravel(), minlength=n_rows * n_units)
        yield weights.reshape(n_rows, n_units).astype(float)


def _percentiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """Bound the middle of the values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
