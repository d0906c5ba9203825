"""Stain augmentation: an affine map of optical densities.

Sources: D. Tellez et al., Whole-slide mitosis detection in H&E breast histology using PHH3 as a
reference to train distilled stain-invariant convolutional networks, IEEE TMI 37(9), 2018 (factor
and shift of each stain); A. C. Ruifrok and D. A. Johnston, Quantification of histochemical
staining by color deconvolution, Anal. Quant. Cytol. Histol. 23(4), 2001 (the stains of
``mode="hed"``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mmdet_mitosis.stain.base import check_rgb
from mmdet_mitosis.stain.blocks import for_blocks
from mmdet_mitosis.stain.fits import StainFit

HED_STAINS = np.array([[0.65, 0.07, 0.27], [0.70, 0.99, 0.57], [0.29, 0.11, 0.78]])
"""Optical density of R, G, B for hematoxylin, eosin and DAB, in columns; as in scikit-image."""
GLASS_DENSITY = 0.05
"""Up to this density of its darkest channel (grey level 243) a pixel is glass and not shifted."""
TISSUE_DENSITY = 0.3
"""From this one on (grey level 188) it is tissue and shifted in full; in between, smoothly."""
DENSITY = -np.log(np.maximum(np.arange(256), 1) / 255).astype(np.float32)[None]
"""Optical density of each grey level, (1, 256); black is taken for the level above it."""
_STEP = np.clip((DENSITY[0] - GLASS_DENSITY) / (TISSUE_DENSITY - GLASS_DENSITY), 0, 1)
TISSUE = _STEP**2 * (3 - 2 * _STEP)
"""How much of tissue each grey level of the darkest channel is, (256,), 0 to 1."""


@dataclass(frozen=True, eq=False)
class DensityMap:
    """How optical densities change, ``-ln(level / 255)`` of R, G and B.

    Args:
        mix: (3, 3); what the density is multiplied by.
        offset: (3,); what is added to it where there is tissue.
    """

    mix: np.ndarray
    offset: np.ndarray

    def apply(self, rgb: np.ndarray) -> np.ndarray:
        """Change the colours of an image.

        White stays white. The offset is scaled by how much of tissue a pixel is: a smooth step of
        the density of its darkest channel, from ``GLASS_DENSITY`` to ``TISSUE_DENSITY``.

        Args:
            rgb: (H, W, 3) uint8.

        Returns:
            (H, W, 3) uint8.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        check_rgb(rgb)
        mix = -np.asarray(self.mix, np.float32)
        offsets = (-TISSUE[:, None] * self.offset).astype(np.float32)[None]
        out = np.empty(rgb.shape, np.uint8)

        def work(blocks: Sequence[slice]) -> None:
            for rows in blocks:
                _apply(rgb[rows], out[rows], mix, offsets)

        for_blocks(work, *rgb.shape[:2])
        return out


def jitter(stains: np.ndarray, factor: np.ndarray, shift: np.ndarray) -> DensityMap:
    """Give the map that multiplies the amount of each stain and adds to it.

    What the stains do not explain of a colour is kept: factors of 1 and shifts of 0 change nothing.

    Args:
        stains: (3, K) float; optical density of R, G, B for each stain, in columns.
        factor: (K,) float; the amounts are multiplied by it.
        shift: (K,) float; added to the amounts, in optical density.

    Returns:
        The map.
    """
    stains = np.asarray(stains, dtype=float)
    return _exchange(stains, stains * factor, stains @ shift)


def restain(fit: StainFit, target: StainFit, factor: np.ndarray, shift: np.ndarray) -> DensityMap:
    """Give the map that exchanges an image's stains, and multiplies and adds to their amounts.

    What the stains do not explain of a colour is kept.

    Args:
        fit: The stains of the image, estimated on its whole field.
        target: The stains that it gets.
        factor: (2,) float; the amounts are multiplied by it.
        shift: (2,) float; added to the amounts, in optical density.

    Returns:
        The map.
    """
    scale = target.max_concentrations / fit.max_concentrations * factor
    stains = target.stain_matrix
    return _exchange(fit.stain_matrix, stains * scale, stains @ shift)


def _apply(rgb: np.ndarray, out: np.ndarray, mix: np.ndarray, offsets: np.ndarray) -> None:
    """Change the colours of some rows; both terms come with the sign of a logarithm of light."""
    red, green, blue = cv2.split(rgb)
    darkest = cv2.min(cv2.min(red, green), blue)
    light = cv2.transform(cv2.LUT(rgb, DENSITY), mix)
    cv2.add(light, cv2.LUT(cv2.merge([darkest] * 3), offsets), light)
    # Lighter than white is white; the exponential of far lighter would overflow.
    cv2.threshold(light, 0, 0, cv2.THRESH_TRUNC, light)
    cv2.exp(light, light)
    cv2.convertScaleAbs(light, out, alpha=255)


def _exchange(stains: np.ndarray, others: np.ndarray, offset: np.ndarray) -> DensityMap:
    """Give the map that puts others in the place of some stains, and keeps what is in neither."""
    return DensityMap(np.eye(3) + (others - stains) @ np.linalg.pinv(stains), offset)
