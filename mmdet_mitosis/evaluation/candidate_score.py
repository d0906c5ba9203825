"""The refiner's metric: how well candidates are told apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric

from mmdet_mitosis.evaluation.functional import threshold_curve

EVEN = 0.5
"""Probability from which a mitosis is the likelier class of two."""


@METRICS.register_module()
class CandidateScore(BaseMetric):
    """Scores of a refiner on candidates of ``CandidateDataset``.

    A mitosis that stage 1 missed is no candidate, so no refiner finds it: ``ap``, ``recall`` and
    ``f_score`` count it as missed. They are then those of the two stages together, apart from what
    matching anew would change. ``accuracy`` and ``cross_entropy`` are of the candidates alone.

    Args:
        collect_device: As ``mmengine.evaluator.BaseMetric``.
        prefix: As ``mmengine.evaluator.BaseMetric``.
    """

    default_prefix = "candidate"

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Take a batch of predictions.

        Args:
            data_batch: Not used.
            data_samples: Predictions with ``label`` and ``pred_score``.
        """
        self.results += [(float(s["pred_score"]), int(s["label"])) for s in data_samples]

    def compute_metrics(self, results: list[tuple[float, int]]) -> dict[str, float]:
        """Score all candidates.

        Args:
            results: Score and label of each.

        Returns:
            As :meth:`calculate`.

        Raises:
            ValueError: If the dataset does not say how many mitoses stage 1 missed.
        """
        n_missed = (self.dataset_meta or {}).get("n_missed")
        if n_missed is None:
            raise ValueError(
                f"{type(self).__name__} needs a CandidateDataset, which says how many mitoses "
                "stage 1 missed"
            )
        scores, labels = np.array(results, dtype=float).reshape(-1, 2).T
        return self.calculate(scores, labels == 1, n_missed)

    @staticmethod
    def calculate(
        scores: np.ndarray, is_mitosis: np.ndarray, n_missed: int = 0
    ) -> dict[str, float]:
        """Score candidates.

        Args:
            scores: Probability of a mitosis, (N,).
            is_mitosis: (N,) bool.
            n_missed: Mitoses that are no candidates.

        Returns:
            ``ap`` (area under the precision-recall curve); ``threshold`` (that of the highest
            F-score), and ``f_score precision recall`` there; ``accuracy`` at a probability of 0.5;
            and ``cross_entropy``, nats a candidate.
        """
        scores, is_mitosis = np.asarray(scores, dtype=float), np.asarray(is_mitosis, dtype=bool)
        curve = threshold_curve(scores, is_mitosis, int(is_mitosis.sum()) + n_missed)
        best = int(np.argmax(curve.f_score)) if len(curve.thresholds) else None
        right = np.where(is_mitosis, scores, 1 - scores)
        return {
            "ap": curve.average_precision,
            "f_score": curve.best_f_score,
            "precision": 0.0 if best is None else float(curve.precision[best]),
            "recall": 0.0 if best is None else float(curve.recall[best]),
            "threshold": curve.best_threshold(),
            "accuracy": float(np.mean((scores >= EVEN) == is_mitosis)) if len(scores) else 0.0,
            "cross_entropy": _cross_entropy(right),
        }


def _cross_entropy(right: np.ndarray) -> float:
    """Average what the probability of its own class, (N,), costs a candidate, nats."""
    if not len(right):
        return 0.0
    # Single precision knows no probability between this one and 0.
    return float(-np.log(np.maximum(right, np.finfo(np.float32).eps)).mean())
