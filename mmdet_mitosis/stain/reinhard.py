"""Reinhard's colour transfer.

Source: E. Reinhard et al., Color transfer between images, IEEE Computer Graphics and Applications
21(5), 2001. There the colours are matched in Ruderman's l-alpha-beta; here it is in CIELAB (D65),
as the libraries of pathology do (StainTools, tiatoolbox, torchstain).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.cielab import lab_statistics, recolor
from mmdet_mitosis.stain.fits import ColorFit
from mmdet_mitosis.stain.sampling import Sample

REFERENCE_TISSUE = ((60.4, 26.4, -5.9), (15.2, 5.4, 7.0))
REFERENCE_LIT = ((64.7, 23.9, -4.8), (17.9, 8.7, 7.2))
"""Mean and deviation of L, a and b in the 28 public Aperio fields of MITOS12, once they had the
published reference stains of Macenko's script: of tissue, and of all that is lit."""
MAX_PIXELS = 2**18
MIN_LIGHTNESS_STD, MIN_CHROMA_STD = 2.0, 1.0
"""Least deviation of L, and of a or b. Real fields have 6 and 3 or more; JPEG noise on one colour
has under 1 and 0.5."""


class ReinhardNormalizer(StainNormalizer):
    """Normalise by mean and standard deviation of L, a and b.

    The same change of colours is made everywhere, so a background that is white in the image need
    not be so afterwards.

    Args:
        tissue_only: Whether the colours of tissue are matched, or of all pixels that are neither
            padding nor pen, background included, as in torchstain and tiatoolbox. The share of
            background then counts too. Tissue has an optical density of ``beta`` in one channel
            here, not in every one: much of what is stained lets blue or red pass.
        max_pixels: As of ``StainNormalizer``.
        arguments: Those of ``StainNormalizer``.

    Raises:
        ValueError: If an argument is out of its range.
    """

    method = "reinhard"
    fit_type = ColorFit

    def __init__(
        self, tissue_only: bool = True, max_pixels: int = MAX_PIXELS, **arguments: Any
    ) -> None:
        super().__init__(max_pixels=max_pixels, **arguments)
        self.tissue_only = bool(tissue_only)
        self.target = ColorFit(*(REFERENCE_TISSUE if tissue_only else REFERENCE_LIT))

    def arguments(self) -> dict[str, Any]:
        """Give the arguments that it was made with.

        Returns:
            Them by name.
        """
        return {"tissue_only": self.tissue_only, **super().arguments()}

    def _estimate(self, sample: Sample) -> ColorFit | None:
        pixels = _stained(sample.lit, self.brightest_tissue) if self.tissue_only else sample.lit
        if not len(pixels):
            return None
        mean, std = lab_statistics(pixels)
        if std[0] < MIN_LIGHTNESS_STD or std[1:].max() < MIN_CHROMA_STD:
            return None
        return ColorFit(mean, np.maximum(std, MIN_CHROMA_STD), sample.n_tissue)

    def _apply(self, rgb: np.ndarray, fit: ColorFit) -> np.ndarray:
        gain = self.target.std_lab / fit.std_lab
        return recolor(rgb, gain, self.target.mean_lab - gain * fit.mean_lab)


def _stained(pixels: np.ndarray, brightest: int) -> np.ndarray:
    """Pick the pixels of which one channel is no brighter than this."""
    darkest = np.minimum(np.minimum(pixels[:, 0], pixels[:, 1]), pixels[:, 2])
    return np.compress(darkest <= brightest, pixels, axis=0)
