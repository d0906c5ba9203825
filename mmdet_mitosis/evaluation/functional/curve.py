"""What every threshold would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional.counts import ratio


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
    def fn(self) -> np.ndarray:
        """Ground truth that is missed, (T,)."""
        return self.n_gt - self.tp

    @property
    def precision(self) -> np.ndarray:
        """TP / (TP + FP), (T,)."""
        return ratio("precision", self.tp, self.fp, self.fn)

    @property
    def recall(self) -> np.ndarray:
        """TP / ground truth, (T,)."""
        return ratio("recall", self.tp, self.fp, self.fn)

    @property
    def f_score(self) -> np.ndarray:
        """2 TP / (TP + FP + ground truth), (T,)."""
        return ratio("f_score", self.tp, self.fp, self.fn)

    @property
    def best_f_score(self) -> float:
        """The highest F-score of all thresholds; 0 without predictions."""
        return float(self.f_score.max(initial=0.0))

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
        return self._below(int(np.argmax(self.f_score)))

    def threshold_for_recall(self, min_recall: float) -> tuple[float, float]:
        """Choose the highest threshold that reaches a recall.

        Args:
            min_recall: The recall asked for, over 0 and at most 1.

        Returns:
            A score between the last prediction that has to be let in and the next below it, and
            the recall there. Where the recall is out of reach, those of the highest recall that is
            reached; 0.5 and 0 if there is no prediction at all.

        Raises:
            ValueError: If the recall is none that can be asked for.
        """
        if not 0 < min_recall <= 1:
            raise ValueError(f"min_recall must be over 0 and at most 1, got {min_recall}")
        if not len(self.thresholds):
            return 0.5, 0.0
        # Recall never falls with the threshold: the last one is the highest.
        first = int(np.argmax(self.recall >= min(min_recall, self.recall[-1])))
        return self._below(first), float(self.recall[first])

    def _below(self, index: int) -> float:
        """Give the middle between a threshold and the next lower one, which lets in the same."""
        low = self.thresholds[index + 1] if index + 1 < len(self.thresholds) else 0.0
        middle = (self.thresholds[index] + low) / 2
        # Between neighbouring floats there is no middle: it rounds to one of them.
        return float(middle if middle > low else self.thresholds[index])


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
