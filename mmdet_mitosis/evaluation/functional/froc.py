"""Sensitivity over the rate of false positives (free-response ROC)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional.curve import Curve

FROC_RATES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
"""False positives per mm² at which the summary reads the sensitivity.

Mitoses have no convention of their own. The seven rates are those of LUNA16, per scan there (Setio
et al., Medical Image Analysis 42 (2017), 1-13); CAMELYON16 reads the last six per slide. Challenges
of cell detection (TIGER, MONKEY) put the area in place of the image, at 10 to 300 per mm² for
lymphocytes. 8 per mm² are 16 in ten high-power fields, more than the 11 counts that a grade spans.
"""


@dataclass(frozen=True)
class Froc:
    """Operating points by descending threshold, (T,) each.

    ``fp_per_mm2`` ascends, and so does ``recall``, of 0 to 1.
    """

    fp_per_mm2: np.ndarray
    recall: np.ndarray

    def recall_at(self, rates: np.ndarray | tuple[float, ...] = FROC_RATES) -> np.ndarray:
        """Read the sensitivity at rates of false positives.

        Args:
            rates: False positives per mm², (K,).

        Returns:
            (K,) highest recall of a threshold with no more false positives than that. A step: what
            no threshold gives is not interpolated. 0 where every threshold has more.
        """
        last = np.searchsorted(self.fp_per_mm2, np.asarray(rates, dtype=float), side="right")
        return np.concatenate([[0.0], self.recall])[last]

    @property
    def mean_recall(self) -> float:
        """Mean of the sensitivities at ``FROC_RATES``, the summary in one number."""
        return float(self.recall_at().mean())


def free_response(curve: Curve, area_mm2: float) -> Froc:
    """Put a curve's false positives in relation to the area.

    Args:
        curve: Counts at every threshold, of all fields together.
        area_mm2: Area of these fields, also of those without mitoses, mm².

    Returns:
        The operating points. Source: Bunch et al., A free response approach to the measurement and
        characterization of radiographic observer performance, Proc. SPIE 127 (1977), 124-135.

    Raises:
        ValueError: If the area is not positive.
    """
    if not 0 < area_mm2 < np.inf:
        raise ValueError(f"area_mm2 must be positive, got {area_mm2}")
    return Froc(curve.fp / area_mm2, curve.recall)
