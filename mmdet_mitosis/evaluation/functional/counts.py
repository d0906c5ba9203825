"""Hits, false alarms and misses, and the ratios made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATIOS = ("precision", "recall", "f_score")
"""What :func:`ratio` can make of counts."""


def ratio(name: str, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """Make a ratio of counts; one without anything to count (0 of 0) is 0.

    Args:
        name: ``precision``: TP / (TP + FP). ``recall``: TP / (TP + FN). ``f_score``:
            2 TP / (2 TP + FP + FN), the harmonic mean of the two.
        tp: True positives, any shape.
        fp: False positives, same shape.
        fn: False negatives, same shape.

    Returns:
        The ratios, same shape.

    Raises:
        ValueError: For another name.
    """
    if name == "precision":
        return tp / np.maximum(1, tp + fp)
    if name == "recall":
        return tp / np.maximum(1, tp + fn)
    if name == "f_score":
        return 2 * tp / np.maximum(1, 2 * tp + fp + fn)
    raise ValueError(f"unknown ratio {name!r}; choose one of {', '.join(RATIOS)}")


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
        return float(ratio("precision", self.tp, self.fp, self.fn))

    @property
    def recall(self) -> float:
        """TP / (TP + FN)."""
        return float(ratio("recall", self.tp, self.fp, self.fn))

    @property
    def f_score(self) -> float:
        """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall."""
        return float(ratio("f_score", self.tp, self.fp, self.fn))
