"""Optical density (Beer and Lambert), and images made of it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmdet_mitosis.stain.blocks import for_blocks


def density_table(io: float) -> np.ndarray:
    """Give the optical density of each grey level, ``-ln((level + 1) / io)``.

    Args:
        io: Transmitted light, grey level.

    Returns:
        (256,) float64. The 1 keeps black finite, as in the MATLAB script of Macenko's method.
    """
    return -np.log((np.arange(256) + 1.0) / io)


def densities(rgb: np.ndarray, io: float) -> np.ndarray:
    """Give the optical density of some pixels, channel by channel.

    Args:
        rgb: (..., 3) uint8; N pixels.
        io: Transmitted light, grey level.

    Returns:
        (3, N) float32.
    """
    pixels = np.ascontiguousarray(rgb).reshape(1, -1, 3)
    out = np.empty((3, pixels.shape[1]), np.float32)
    table = density_table(io).astype(np.float32)[None]
    for channel in range(3) if pixels.size else ():
        cv2.LUT(cv2.extractChannel(pixels, channel), table, out[channel : channel + 1])
    return out


def remix(rgb: np.ndarray, mix: np.ndarray, io: float) -> np.ndarray:
    """Give an image other colours, by a matrix of densities.

    Args:
        rgb: (H, W, 3) uint8.
        mix: (3, 3); turns the density of R, G, B into the new one.
        io: Transmitted light, grey level.

    Returns:
        (H, W, 3) uint8; grey levels are cut to whole numbers, not rounded, as in the MATLAB script.
    """
    height, width = rgb.shape[:2]
    out = np.empty((height, width, 3), np.uint8)
    table = density_table(io).astype(np.float32)[None]
    affine = np.concatenate([-mix, np.full((3, 1), np.log(io))], axis=1).astype(np.float32)

    def work(blocks: Sequence[slice]) -> None:
        for rows in blocks:
            block = cv2.transform(cv2.LUT(rgb[rows], table), affine)
            # What is far over white would overflow to black.
            cv2.threshold(block, np.log(256), 0, cv2.THRESH_TRUNC, block)
            cv2.exp(block, block)
            cv2.convertScaleAbs(block, out[rows], beta=-0.5)

    for_blocks(work, height, width)
    return out
