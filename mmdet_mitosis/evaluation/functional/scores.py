"""Counts, curves over all thresholds, and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mmdet_mitosis.evaluation.functional.matching import as_points, match_points


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives, and the ratios made of them.

    A ratio without anything to count (0 of 0) is 0.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP)."""
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return self.tp / max(1, self.tp + self.fn)

    @property
    def f_score(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)


def count_matches(
    gt_xy: np.ndarray,
    pred_xy: np.ndarray,
    radius: float,
    scores: np.ndarray | None = None,
    method: str = "optimal",
) -> Counts:
    """Count hits, false alarms and misses of one field.

    Args:
        gt_xy: Ground truth, (G, 2).
        pred_xy: Predictions above the threshold, (P, 2).
        radius: Largest distance of a pair, in the unit of the points.
        scores: (P,), needed by ``greedy`` and ``paper``.
        method: As :func:`match_points`. Under ``paper`` (Sohail et al., arXiv 2003.08803: a
            prediction within the radius is a true mitosis "and counted once") a second hit on a
            mitosis that is matched already counts as nothing; elsewhere it is a false positive.

    Returns:
        The counts.

    Raises:
        ValueError: As :func:`match_points`.
    """
    gt_xy, pred_xy = as_points(gt_xy, "gt_xy"), as_points(pred_xy, "pred_xy")
    pairs = match_points(gt_xy, pred_xy, radius, scores, method)
    n_false = len(pred_xy) - len(pairs)
    if method == "paper" and len(pairs):
        left = np.setdiff1d(np.arange(len(pred_xy)), pairs[:, 1])
        nearest = cKDTree(gt_xy[pairs[:, 0]]).query(pred_xy[left])[0]
        n_false -= int(np.sum(nearest <= radius))
    return Counts(tp=len(pairs), fp=n_false, fn=len(gt_xy) - len(pairs))


@dataclass(frozen=True)
class Curve:
    """What every threshold would give, from the highest to the lowest, arrays of (T,).

    Greedy matching gives to a threshold the pairs of the predictions above it, so that one pass
    serves all thresholds.
    """

    thresholds: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    n_gt: int

    @property
    def precision(self) -> np.ndarray:
        """TP / (TP + FP), (T,)."""
        return self.tp / np.maximum(1, self.tp + self.fp)

    @property
    def recall(self) -> np.ndarray:
        """TP / ground truth, (T,)."""
        return self.tp / max(1, self.n_gt)

    @property
    def f_score(self) -> np.ndarray:
        """2 TP / (TP + FP + ground truth), (T,)."""
        return 2 * self.tp / np.maximum(1, self.tp + self.fp + self.n_gt)

    @property
    def average_precision(self) -> float:
        """Area under the precision-recall curve, precision monotone (as in PASCAL VOC 2010)."""
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        steps = np.diff(np.concatenate([[0.0], self.recall]))
        return float(np.sum(steps * envelope))

    def best_threshold(self) -> float:
        """Choose the threshold of the highest F-score.

        Returns:
            A score between the last prediction that is let in and the next below it; 0.5 if there
            is no prediction at all.
        """
        if not len(self.thresholds):
            return 0.5
        best = int(np.argmax(self.f_score))
        low = self.thresholds[best + 1] if best + 1 < len(self.thresholds) else 0.0
        middle = (self.thresholds[best] + low) / 2
        # Between neighbouring floats there is no middle: it rounds to one of them.
        return float(middle if middle > low else self.thresholds[best])


def threshold_curve(scores: np.ndarray, is_hit: np.ndarray, n_gt: int) -> Curve:
    """Count at every threshold what greedy matching found.

    Args:
        scores: Scores of the predictions of all fields, (P,).
        is_hit: Whether each was matched by ``greedy``, (P,) bool.
        n_gt: Number of ground-truth points in all fields.

    Returns:
        The curve, one entry a distinct score; a threshold lets in scores at or above it.
    """
    scores, is_hit = np.asarray(scores, dtype=float), np.asarray(is_hit, dtype=bool)
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], is_hit[order]
    last = np.flatnonzero(np.diff(scores, append=-np.inf))
    return Curve(scores[last], np.cumsum(hits)[last], np.cumsum(~hits)[last], n_gt)


def bootstrap_f_score(
    counts: list[Counts], n_resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Give the percentile bootstrap interval of the pooled F-score.

    Args:
        counts: Counts of each unit that is resampled (a case, or a field).
        n_resamples: Number of resamples.
        seed: Seed of the draw.
        level: Coverage of the interval.

    Returns:
        Lower and upper bound; both 0 without units. Source: Efron and Tibshirani, An Introduction
        to the Bootstrap (1993), chapter 13.
    """
    if not counts:
        return 0.0, 0.0
    table = np.array([(c.tp, c.fp, c.fn) for c in counts])
    draws = np.random.default_rng(seed).integers(0, len(table), (n_resamples, len(table)))
    tp, fp, fn = table[draws].sum(axis=1).T
    f_scores = 2 * tp / np.maximum(1, 2 * tp + fp + fn)
    low, high = np.quantile(f_scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
