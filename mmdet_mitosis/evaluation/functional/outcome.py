"""What becomes of each point of a field, and how many there are of each kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional.counts import Counts
from mmdet_mitosis.evaluation.functional.matching import as_points, close_pairs, match_points


@dataclass(frozen=True)
class Outcome:
    """Points of one field by what became of them.

    ``pairs`` is (M, 2): ground truth and prediction of each hit, by ground truth. ``false_alarms``
    (F,) are the predictions that count against the detector, ``misses`` (N,) the ground truth that
    nothing found; both ascend. A prediction in neither counts as nothing (method ``paper``).
    """

    pairs: np.ndarray
    false_alarms: np.ndarray
    misses: np.ndarray

    @property
    def counts(self) -> Counts:
        """How many there are of each kind."""
        return Counts(tp=len(self.pairs), fp=len(self.false_alarms), fn=len(self.misses))


def judge_points(
    gt_xy: np.ndarray,
    pred_xy: np.ndarray,
    radius: float,
    scores: np.ndarray | None = None,
    method: str = "optimal",
) -> Outcome:
    """Tell the hits, false alarms and misses of one field apart.

    Args:
        gt_xy: Ground truth, (G, 2).
        pred_xy: Predictions above the threshold, (P, 2).
        radius: Largest distance of a pair (inclusive), in the unit of the points.
        scores: (P,), needed by ``greedy`` and ``paper``.
        method: As :func:`match_points`. Under ``paper`` (Sohail et al., arXiv 2003.08803: a
            prediction within the radius is a true mitosis "and counted once") a second hit on a
            mitosis that is matched already counts as nothing; elsewhere it is a false positive.

    Returns:
        The outcome: indices of the points.

    Raises:
        ValueError: As :func:`match_points`.
    """
    gt_xy, pred_xy = as_points(gt_xy, "gt_xy"), as_points(pred_xy, "pred_xy")
    pairs = match_points(gt_xy, pred_xy, radius, scores, method)
    is_false = np.ones(len(pred_xy), dtype=bool)
    is_false[pairs[:, 1]] = False
    if method == "paper":
        is_false[close_pairs(gt_xy[pairs[:, 0]], pred_xy, radius)[1]] = False
    is_missed = np.ones(len(gt_xy), dtype=bool)
    is_missed[pairs[:, 0]] = False
    return Outcome(pairs, np.flatnonzero(is_false), np.flatnonzero(is_missed))


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
        radius: Largest distance of a pair (inclusive), in the unit of the points.
        scores: (P,), needed by ``greedy`` and ``paper``.
        method: As :func:`judge_points`.

    Returns:
        The counts. TP + FN is the number of ground-truth points; TP + FP that of the predictions,
        but under ``paper``.

    Raises:
        ValueError: As :func:`match_points`.
    """
    return judge_points(gt_xy, pred_xy, radius, scores, method).counts


def count_look_alikes(look_alike_xy: np.ndarray, false_alarm_xy: np.ndarray, radius: float) -> int:
    """Count the false alarms that are labelled look-alikes, one to one.

    Args:
        look_alike_xy: Labelled look-alikes (hard negatives) of one field, (L, 2).
        false_alarm_xy: Predictions that no mitosis was matched to, (F, 2): those of
            :attr:`Outcome.false_alarms`.
        radius: Largest distance of a pair (inclusive), in the unit of the points.

    Returns:
        The largest number of pairs: two false alarms on one look-alike are one.

    Raises:
        ValueError: As :func:`match_points`.
    """
    return len(match_points(look_alike_xy, false_alarm_xy, radius))
