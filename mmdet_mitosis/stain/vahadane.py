"""Vahadane's stain normalisation.

Source: A. Vahadane et al., Structure-preserving color normalization and sparse stain separation for
histological images, IEEE Transactions on Medical Imaging 35(8), 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdet_mitosis.stain.macenko import MacenkoNormalizer
from mmdet_mitosis.stain.nmf import factorize
from mmdet_mitosis.stain.separator import StainSeparator, hematoxylin_first

MAX_PIXELS = 2**17


class VahadaneNormalizer(StainSeparator):
    """Normalise by the stains that explain tissue's density with as little stain as possible.

    Only the stains are found by sparse factorisation. An image is split into them by least squares,
    as in tiatoolbox; the authors' script has sparse amounts there too, which takes ``sparsity`` off
    every amount and with it the palest tissue.

    Args:
        sparsity: Price of a unit of stain, in optical density. The authors' script has 0.02, and
            advises 0.01 to 0.1; StainTools and tiatoolbox have 0.1, which draws the stains nearer
            to each other.
        max_iterations: Most turns of the factorisation.
        tolerance_deg: A turn that changes no stain by more is the last, degrees.
        max_pixels: As of ``StainNormalizer``.
        arguments: Those of ``StainNormalizer``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    method = "vahadane"

    def __init__(
        self,
        sparsity: float = 0.02,
        max_iterations: int = 200,
        tolerance_deg: float = 1e-3,
        max_pixels: int = MAX_PIXELS,
        **arguments: Any,
    ) -> None:
        super().__init__(max_pixels=max_pixels, **arguments)
        if not 0 < sparsity < 1:
            raise ValueError(f"sparsity must be in (0, 1), got {sparsity}")
        if max_iterations < 1 or not tolerance_deg >= 0:
            raise ValueError(
                "max_iterations must be at least 1 and tolerance_deg at least 0, got "
                f"{max_iterations} and {tolerance_deg}"
            )
        self.sparsity = sparsity
        self.max_iterations, self.tolerance_deg = max_iterations, tolerance_deg

    def arguments(self) -> dict[str, Any]:
        """Give the arguments that it was made with.

        Returns:
            Them by name.
        """
        names = ("sparsity", "max_iterations", "tolerance_deg")
        return {name: getattr(self, name) for name in names} | super().arguments()

    def _stains(self, tissue: np.ndarray) -> np.ndarray | None:
        start = MacenkoNormalizer()._stains(tissue)
        if start is None:
            return None
        start = np.maximum(start, 0)
        stains = factorize(
            np.maximum(tissue, 0),
            start / np.linalg.norm(start, axis=0),
            self.sparsity,
            self.max_iterations,
            self.tolerance_deg,
        )
        return None if stains is None else hematoxylin_first(stains)
