"""Statistics of an image in CIELAB, and images recoloured there.

L, a and b are linear in the cube roots of X, Y and Z. What is affine in CIELAB is so in these roots
too, and L, a and b themselves need not be made.

Source: IEC 61966-2-1 (sRGB, D65); CIE 15 (CIELAB). Constants as in ``skimage.color``.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mmdet_mitosis.stain.blocks import BLOCK_PIXELS, for_blocks

_RGB_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_LIGHT_TO_XYZ = (_RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_BRIGHTEST = np.float32(2**16 - 1)
_XYZ_TO_LIGHT = (_BRIGHTEST * np.linalg.inv(_LIGHT_TO_XYZ.astype(float))).astype(np.float32)
_ROOTS_TO_LAB = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
_LAB_OF_NO_ROOTS = np.array([-16.0, 0.0, 0.0])
_LEVELS = np.arange(256) / 255
_LIGHT = np.where(_LEVELS > 0.04045, ((_LEVELS + 0.055) / 1.055) ** 2.4, _LEVELS / 12.92)
_LIGHT_TABLE = _LIGHT.astype(np.float32)[None]
_LIGHT_16 = (np.arange(2**16) + 0.5) / (2**16 - 1)
_LEVEL_TABLE = np.rint(
    255 * np.where(_LIGHT_16 > 0.0031308, 1.055 * _LIGHT_16 ** (1 / 2.4) - 0.055, 12.92 * _LIGHT_16)
).astype(np.uint8)
_HAS_LONG_TABLES = tuple(map(int, cv2.__version__.split(".")[:2])) >= (4, 13)
_LEAST_XYZ, _LEAST_ROOT = np.float32(0.008856), np.float32(0.2068966)
"""Below these the curve of CIELAB is a straight line."""
_SLOPE, _BLACK_ROOT = np.float32(7.787), np.float32(16 / 116)
_LARGEST = 1e4
"""Largest entry of a map of the roots: their cubes stay finite."""


def lab_statistics(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give mean and standard deviation of pixels in CIELAB.

    Args:
        pixels: (N, 3) uint8, RGB; at least one.

    Returns:
        Means of L (0 to 100), a and b, and their deviations; each (3,) float64.
    """
    to_lab = np.concatenate([_ROOTS_TO_LAB, _LAB_OF_NO_ROOTS[:, None]], axis=1)
    counts, means, deviations = [], [], []
    for start in range(0, len(pixels), BLOCK_PIXELS):
        block = np.ascontiguousarray(pixels[None, start : start + BLOCK_PIXELS])
        spare, roots = (np.empty(block.shape, np.float32) for _ in range(2))
        _take_roots(block, spare, roots)
        mean, deviation = cv2.meanStdDev(cv2.transform(roots, to_lab.astype(np.float32), spare))
        counts.append(block.shape[1])
        means.append(mean[:, 0])
        deviations.append(deviation[:, 0])
    mean = np.average(means, axis=0, weights=counts)
    apart = np.square(means - mean)
    variance = np.average(np.square(deviations) + apart, axis=0, weights=counts)
    return mean, np.sqrt(variance)


def recolor(rgb: np.ndarray, gain: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Give an image other colours, by ``gain * lab + offset``.

    Args:
        rgb: (H, W, 3) uint8.
        gain: (3,); factors of L, a and b.
        offset: (3,); what is added to L (0 to 100), a and b.

    Returns:
        (H, W, 3) uint8, rounded; a colour that sRGB has not is cut to its range.
    """
    out = np.empty(rgb.shape, np.uint8)
    new_roots = np.linalg.solve(
        _ROOTS_TO_LAB,
        np.column_stack([gain[:, None] * _ROOTS_TO_LAB, (gain - 1) * _LAB_OF_NO_ROOTS + offset]),
    )
    new_roots = np.clip(new_roots, -_LARGEST, _LARGEST).astype(np.float32)

    def work(blocks: Sequence[slice]) -> None:
        spares = np.empty((2, *rgb[blocks[0]].shape), np.float32)
        for rows in blocks:
            first, second = spares[:, : rows.stop - rows.start]
            _take_roots(rgb[rows], first, second)
            cv2.transform(second, new_roots, first)
            _give_levels(first, second, out[rows])

    if rgb.size:
        for_blocks(work, *rgb.shape[:2])
    return out


def _take_roots(rgb: np.ndarray, spare: np.ndarray, out: np.ndarray) -> None:
    """Give the cube roots of X, Y and Z, each 1 for white, of (H, W, 3) uint8; both float32."""
    cv2.LUT(rgb, _LIGHT_TABLE, out)
    cv2.transform(out, _LIGHT_TO_XYZ, spare)
    _power(spare, 1 / 3, out)
    dark = _below(spare, _LEAST_XYZ)
    if len(dark):
        out.reshape(-1)[dark] = _SLOPE * spare.reshape(-1)[dark] + _BLACK_ROOT


def _give_levels(roots: np.ndarray, spare: np.ndarray, out: np.ndarray) -> None:
    """Give the grey levels of cube roots; these are overwritten."""
    cv2.pow(roots, 3, spare)
    dark = _below(roots, _LEAST_ROOT)
    if len(dark):
        dark_roots = roots.reshape(-1)[dark]
        is_z = dark % 3 == 2
        dark_roots[is_z] = np.maximum(dark_roots[is_z], 0)  # as skimage does
        spare.reshape(-1)[dark] = (dark_roots - _BLACK_ROOT) / _SLOPE
    light = cv2.transform(spare, _XYZ_TO_LIGHT, roots)
    np.clip(light, 0, _BRIGHTEST, out=light)
    light_16 = light.astype(np.uint16)
    if _HAS_LONG_TABLES:
        cv2.LUT(light_16, _LEVEL_TABLE[None], out)
    else:
        np.take(_LEVEL_TABLE, light_16, out=out, mode="clip")


def _power(values: np.ndarray, exponent: float, out: np.ndarray) -> None:
    """Raise to a power, which ``cv2.pow`` does 15 times as slowly."""
    cv2.log(values, out)
    np.multiply(out, np.float32(exponent), out=out)
    cv2.exp(out, out)


def _below(values: np.ndarray, least: np.float32) -> np.ndarray:
    """Find, in the flattened array, what is below some value."""
    return np.flatnonzero(values < least) if values.min() < least else np.empty(0, np.intp)
