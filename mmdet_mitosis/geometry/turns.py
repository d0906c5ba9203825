"""Quarter turns of points, as ``numpy.rot90`` turns the pixels under them."""

from __future__ import annotations

import numpy as np


def turn_points(points_xy: np.ndarray, width: float, height: float, quarters: int) -> np.ndarray:
    """Turn points of an image to where ``numpy.rot90(image, quarters)`` has them.

    Args:
        points_xy: (N, 2), px; the pixel in the corner covers 0 to 1.
        width: Width of the image before the turn, px.
        height: Its height, px.
        quarters: Turns of 90° against the clock; negative ones with it.

    Returns:
        (N, 2), px of the turned image.
    """
    points = np.asarray(points_xy, dtype=float).reshape(-1, 2)
    x, y = points[:, 0], points[:, 1]
    turned = ((x, y), (y, width - x), (width - x, height - y), (height - y, x))[quarters % 4]
    return np.stack(turned, axis=1)


def turn_boxes(boxes_xyxy: np.ndarray, width: float, height: float, quarters: int) -> np.ndarray:
    """Turn boxes, as :func:`turn_points`.

    Args:
        boxes_xyxy: (N, 4) x1, y1, x2, y2, px.
        width: Width of the image before the turn, px.
        height: Its height, px.
        quarters: Turns of 90° against the clock; negative ones with it.

    Returns:
        (N, 4) x1, y1, x2, y2, px of the turned image.
    """
    corners = turn_points(np.reshape(boxes_xyxy, (-1, 2)), width, height, quarters)
    pairs = corners.reshape(-1, 2, 2)
    return np.concatenate([pairs.min(axis=1), pairs.max(axis=1)], axis=1)
