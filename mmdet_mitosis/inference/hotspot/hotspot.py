"""The window of given shape and area with the most points, anywhere in the slide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional.clinical import HPF10_MM2
from mmdet_mitosis.inference.hotspot.circle import best_circle
from mmdet_mitosis.inference.hotspot.square import best_square
from mmdet_mitosis.inference.records import SlideResult

SHAPES = ("square", "circle")
COUNT_SLACK_MM = 5e-9
"""What a point may lie outside of a window and still be on its border, mm; more than rounding and
the searches' own slack, and far less than a pixel."""


@dataclass(frozen=True)
class Hotspot:
    """A window of a slide.

    Attributes:
        center_xy: Its centre, mm from the slide's left and top.
        count: Points in it.
        area_mm2: Its area within the slide, mm².
        shape: ``square`` or ``circle``.
        indices: Of the points in it, (count,), ascending.
        window_mm2: Area that was asked for, mm²; more than ``area_mm2`` where the slide is too
            small for the window.
    """

    center_xy: tuple[float, float]
    count: int
    area_mm2: float
    shape: str
    indices: np.ndarray
    window_mm2: float

    @property
    def half_mm(self) -> float:
        """Half the side of the square, or the radius of the circle, as asked for, mm."""
        return half_width(self.window_mm2, self.shape)


def find_hotspot(
    points_xy: np.ndarray,
    size_mm: tuple[float, float],
    area_mm2: float = HPF10_MM2,
    shape: str = "square",
) -> Hotspot:
    """Find the window with the most points.

    It is exact: no other place of the window, on or off any grid, holds more. The window lies
    inside the slide; where the slide is smaller than it in a direction, it is centred there. A
    point on the border is inside, and one outside of the slide counts where it is nearest to it.
    Among windows of the same count it is that of the smallest x of the centre, then of the
    smallest y, to within 0.1 µm.

    Args:
        points_xy: (N, 2), mm from the slide's left and top.
        size_mm: Width and height of the slide, mm.
        area_mm2: Area of the window, mm².
        shape: ``square``, with sides along the slide's, or ``circle``.

    Returns:
        The window.

    Raises:
        ValueError: For points that are no finite pairs, a size or an area that is not positive, or
            an unknown shape.
    """
    points = _checked(points_xy, size_mm, area_mm2, shape)
    size = np.asarray(size_mm, dtype=float)
    points = np.clip(points, 0, size)
    half = half_width(area_mm2, shape)
    low = np.minimum(half, size / 2)
    find = best_square if shape == "square" else best_circle
    found, center = find(points, low, size - low, half)
    offsets = np.abs(points - center)
    far = offsets.max(axis=1) if shape == "square" else np.hypot(*offsets.T)
    indices = np.flatnonzero(far <= half + COUNT_SLACK_MM)
    assert len(indices) >= found, "the window holds what the search counted"
    return Hotspot(
        (float(center[0]), float(center[1])),
        len(indices),
        _covered_mm2(half, size, area_mm2, shape),
        shape,
        indices,
        float(area_mm2),
    )


def find_slide_hotspot(
    result: SlideResult, area_mm2: float = HPF10_MM2, shape: str = "square"
) -> Hotspot:
    """Find the hotspot of a slide's mitoses.

    Args:
        result: The slide; its detections above the threshold are the mitoses.
        area_mm2: As :func:`find_hotspot`.
        shape: As :func:`find_hotspot`.

    Returns:
        The window; ``indices`` are those of ``result.found``.

    Raises:
        ValueError: As :func:`find_hotspot`.
    """
    mm = result.mpp / 1000
    size = (result.width * mm, result.height * mm)
    return find_hotspot(result.found.centers_xy * mm, size, area_mm2, shape)


def field_of_view_area(diameter_mm: float, n: int = 10) -> float:
    """Give the area of high-power fields of a microscope.

    Args:
        diameter_mm: Of a field of view: the field number of the eyepiece by the magnification of
            the objective (22 mm by 40 are 0.55 mm), mm.
        n: Number of fields.

    Returns:
        Their area together, mm².

    Raises:
        ValueError: If the diameter or the number is not positive.
    """
    if not 0 < diameter_mm < math.inf:
        raise ValueError(f"the diameter of a field of view must be positive mm, got {diameter_mm}")
    if n < 1:
        raise ValueError(f"the number of fields of view must be at least 1, got {n}")
    return n * math.pi * (diameter_mm / 2) ** 2


def half_width(area_mm2: float, shape: str) -> float:
    """Give half the width of a window.

    Args:
        area_mm2: Its area, mm².
        shape: ``square`` or ``circle``.

    Returns:
        Half the side, or the radius, mm.
    """
    return math.sqrt(area_mm2) / 2 if shape == "square" else math.sqrt(area_mm2 / math.pi)


def _checked(
    points_xy: np.ndarray, size_mm: tuple[float, float], area_mm2: float, shape: str
) -> np.ndarray:
    """Check the arguments; give the points as (N, 2) floats."""
    if shape not in SHAPES:
        raise ValueError(f"unknown shape {shape!r} of the hotspot; choose {' or '.join(SHAPES)}")
    if not 0 < area_mm2 < math.inf:
        raise ValueError(f"the area of the hotspot must be positive mm², got {area_mm2}")
    if len(size_mm) != 2 or not all(0 < side < math.inf for side in size_mm):
        raise ValueError(f"the size of the slide must be two positive mm, got {size_mm}")
    points = np.asarray(points_xy, dtype=float)
    if points.size == 0:
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"expected points of shape (N, 2), got {points.shape}")
    if not np.isfinite(points).all():
        wrong = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise ValueError(f"expected finite points, got {points[wrong].tolist()} at {wrong}")
    return points


def _covered_mm2(half: float, size: np.ndarray, area_mm2: float, shape: str) -> float:
    """Give the area of a window within a slide that it is centred in where it does not fit."""
    x, y = np.minimum(half, size / 2).tolist()
    if x == half and y == half:
        return float(area_mm2)
    if shape == "square":
        return 4 * x * y
    flat = min(x, math.sqrt(half**2 - y**2))  # up to here the slide's border is the nearer one
    return 4 * (flat * y + _circle_integral(x, half) - _circle_integral(flat, half))


def _circle_integral(x: float, radius: float) -> float:
    """Give the area under a circle around the origin from 0 to x."""
    return (x * math.sqrt(radius**2 - x**2) + radius**2 * math.asin(x / radius)) / 2
