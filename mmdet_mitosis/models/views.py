"""The eight ways in which a square can be laid, for images, boxes and what a detector says."""

from __future__ import annotations

import torch
from torch import Tensor

VIEWS = {
    "identity": (False, False, False),
    "flip_left_right": (False, True, False),
    "flip_top_bottom": (False, False, True),
    "rotate_180": (False, True, True),
    "transpose": (True, False, False),
    "rotate_90": (True, False, True),
    "rotate_270": (True, True, False),
    "transverse": (True, True, True),
}
"""By name, as Pillow's ``Image.Transpose`` has them (rotations are counterclockwise): whether rows
and columns change places, and whether the result is then mirrored left to right, top to bottom."""

VIEW_SETS = {"one": tuple(VIEWS)[:1], "flips": tuple(VIEWS)[:4], "all": tuple(VIEWS)}
"""The image alone; it and its mirror images; all."""


def turn(images: Tensor, view: str) -> Tensor:
    """Lay images another way.

    Args:
        images: (..., H, W).
        view: One of ``VIEWS``.

    Returns:
        (..., H, W), or (..., W, H) where rows and columns change places.
    """
    transposed, left_right, top_bottom = VIEWS[view]
    if transposed:
        images = images.transpose(-1, -2)
    return images.flip(_dims(left_right, top_bottom))


def turn_back(images: Tensor, view: str) -> Tensor:
    """Undo :func:`turn`.

    Args:
        images: What it gave, (..., H, W).
        view: The same view.

    Returns:
        The images as they were.
    """
    transposed, left_right, top_bottom = VIEWS[view]
    images = images.flip(_dims(left_right, top_bottom))
    return images.transpose(-1, -2) if transposed else images


def turn_boxes_back(bboxes_xyxy: Tensor, view: str, shape: tuple[int, int]) -> Tensor:
    """Take boxes from a turned image to the image as it was.

    Args:
        bboxes_xyxy: (N, 4), px of the turned image.
        view: How it was turned.
        shape: Height and width of the image as it was, px.

    Returns:
        (N, 4), px of that.
    """
    transposed, left_right, top_bottom = VIEWS[view]
    height, width = turned_pair(shape, view)
    x1, y1, x2, y2 = bboxes_xyxy.unbind(dim=1)
    if left_right:
        x1, x2 = width - x2, width - x1
    if top_bottom:
        y1, y2 = height - y2, height - y1
    return torch.stack((y1, x1, y2, x2) if transposed else (x1, y1, x2, y2), dim=1)


def turned_pair(pair: tuple, view: str) -> tuple:
    """Give the height and width of a turned image, or any two values of its two axes.

    Args:
        pair: Those of the image as it was.
        view: How it is turned.

    Returns:
        The two, in exchanged order where rows and columns change places.
    """
    return (pair[1], pair[0]) if VIEWS[view][0] else (pair[0], pair[1])


def _dims(left_right: bool, top_bottom: bool) -> list[int]:
    """List the dimensions that are mirrored."""
    return [-1] * left_right + [-2] * top_bottom
