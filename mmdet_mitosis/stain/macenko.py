"""Macenko's stain normalisation.

Source: M. Macenko et al., A method for normalizing histology slides for quantitative analysis,
ISBI 2009. The default target is the one of the MATLAB script that made it widely used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdet_mitosis.stain.sampling import percentile
from mmdet_mitosis.stain.separator import StainSeparator, hematoxylin_first, principal_plane


class MacenkoNormalizer(StainSeparator):
    """Normalise by the two extreme directions of tissue's density in its principal plane.

    Args:
        alpha: Percentile of the angles taken as extreme stains, from either side.
        arguments: Those of ``StainNormalizer``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    method = "macenko"

    def __init__(self, alpha: float = 1, **arguments: Any) -> None:
        super().__init__(**arguments)
        if not 0 <= alpha < 50:
            raise ValueError(f"alpha must be in [0, 50), got {alpha}")
        self.alpha = alpha

    def arguments(self) -> dict[str, Any]:
        """Give the arguments that it was made with.

        Returns:
            Them by name.
        """
        return {"alpha": self.alpha, **super().arguments()}

    def _stains(self, tissue: np.ndarray) -> np.ndarray | None:
        plane = principal_plane(tissue)
        if plane is None:
            return None
        second, first = plane.T.astype(np.float32) @ tissue
        angles = np.arctan2(first, second)
        extremes = [percentile(angles, level) for level in (self.alpha, 100 - self.alpha)]
        return hematoxylin_first(plane @ np.array([np.cos(extremes), np.sin(extremes)]))
