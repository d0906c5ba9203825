"""Cutting the crop around a candidate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def crop_around(image: np.ndarray, xy: Sequence[float], size: int) -> np.ndarray:
    """Cut a square around a point, reflected where it reaches beyond the image.

    Args:
        image: (H, W, C).
        xy: The point, px of the image, x first.
        size: Side of the square, px.

    Returns:
        (size, size, C), contiguous. The pixel that holds the point is at row and column
        ``size // 2``.

    Raises:
        ValueError: If the size is not positive, or the point is not finite.
    """
    height, width = image.shape[:2]
    columns = crop_indices(xy[0], size, width)
    rows = crop_indices(xy[1], size, height)
    return np.ascontiguousarray(image[rows[:, None], columns])


def crop_indices(center: float, size: int, length: int) -> np.ndarray:
    """Tell which pixels of one axis a crop shows.

    Args:
        center: Where the point is on this axis, px.
        size: Length of the crop, px.
        length: Length of the image, px.

    Returns:
        (size,) int64. What lies beyond the image is mirrored at its outermost pixel, which is not
        repeated (``reflect`` of NumPy and torch), as often as it takes.

    Raises:
        ValueError: If a length is not positive, or the centre is not finite.
    """
    if size < 1 or length < 1:
        raise ValueError(f"size and length must be at least 1 px, got {size} and {length}")
    if not np.isfinite(center):
        raise ValueError(f"the centre of a crop must be finite, got {center}")
    places = np.arange(size) + (int(np.floor(center)) - size // 2)
    if length == 1:
        return np.zeros_like(places)
    there_and_back = 2 * (length - 1)
    places %= there_and_back
    return np.minimum(places, there_and_back - places)
