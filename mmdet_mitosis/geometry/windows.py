"""Windows of a field: where they lie, and what of an object each one shows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import shapely

Polygons = Sequence[Sequence[float]]
"""COCO polygons of one object: flat ``[x0, y0, x1, y1, …]`` lists, pixels."""

HALO_UM = 12.0
"""Rim of a window that is its neighbours' to judge where few windows are laid: more than a mitosis
reaches from its centre."""
MAX_WINDOWS = 500_000
"""Of one field: a field of 145000 px in the paper's windows. Each takes a kB or more of memory."""


def window_origins(length: int, size: int, overlap: float) -> list[int]:
    """Place windows of one size along one axis, the last one shifted back inside.

    Args:
        length: Length of the field, px.
        size: Length of a window, px.
        overlap: Overlap of neighbours as a fraction of ``size``, in [0, 1). The stride is
            ``round(size * (1 - overlap))``: 205 px for the paper's 512 px at 60 %.

    Returns:
        Origins, increasing, without repetition; ``[0]`` if the field is not larger than a window.

    Raises:
        ValueError: If a length is not positive or the overlap is outside [0, 1).
    """
    if length < 1 or size < 1:
        raise ValueError(f"length and size must be at least 1 px, got {length} and {size}")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap must be in [0, 1), got {overlap}")
    stride = max(1, round(size * (1 - overlap)))
    last = max(0, length - size)
    return [*range(0, last, stride), last]


def field_windows(width: int, height: int, size: int, overlap: float) -> np.ndarray:
    """Cover a field with square windows, row by row.

    Args:
        width: Width of the field, px.
        height: Height of the field, px.
        size: Side of a window, px.
        overlap: Overlap of neighbours as a fraction of ``size``, in [0, 1).

    Returns:
        (W, 4) integers x1, y1, x2, y2. A window is smaller than ``size`` only where the field is.

    Raises:
        ValueError: As :func:`window_origins`, and if there would be more than half a million.
    """
    xs = window_origins(width, size, overlap)
    ys = window_origins(height, size, overlap)
    if len(xs) * len(ys) > MAX_WINDOWS:
        raise ValueError(
            f"{width} x {height} px are {len(xs) * len(ys)} windows of {size} px with an overlap "
            f"of {overlap:g}; expected at most {MAX_WINDOWS}"
        )
    corners = np.array([(x, y) for y in ys for x in xs], dtype=np.int64)
    ends = np.minimum(corners + size, (width, height))
    return np.concatenate([corners, ends], axis=1)


def halo_px(window: int, mpp: float) -> int:
    """Give the halo of windows that overlap little.

    Args:
        window: Side of a window, px.
        mpp: Size of its pixels, µm.

    Returns:
        12 µm, at most a quarter of the window, px.
    """
    return min(round(HALO_UM / mpp), window // 4)


def fewest_windows(windows_xyxy: Sequence[Sequence[int]], halo: int) -> list[int]:
    """Choose of a field's windows as few as cover it with a halo.

    Args:
        windows_xyxy: Those of :func:`field_windows`, in any order, some perhaps twice.
        halo: Neighbours overlap by at least twice as much, px, where there are such.

    Returns:
        Rows of the windows; all, where they are not of one size, or no grid.
    """
    frames = np.asarray(windows_xyxy, dtype=np.int64).reshape(-1, 4)
    if len(np.unique(frames[:, 2:] - frames[:, :2], axis=0)) != 1:
        return list(range(len(frames)))
    width, height = (frames[0, 2:] - frames[0, :2]).tolist()
    xs = _fewest_origins(np.unique(frames[:, 0]).tolist(), width - 2 * halo)
    ys = _fewest_origins(np.unique(frames[:, 1]).tolist(), height - 2 * halo)
    chosen = np.flatnonzero(np.isin(frames[:, 0], xs) & np.isin(frames[:, 1], ys)).tolist()
    is_grid = len(np.unique(frames[chosen], axis=0)) == len(xs) * len(ys)
    return chosen if is_grid else list(range(len(frames)))


def _fewest_origins(origins: Sequence[int], longest: int) -> list[int]:
    """Go through increasing origins in steps as long as possible."""
    chosen = [origins[0]]
    for origin, following in pairwise(origins[1:]):
        if following - chosen[-1] > longest:
            chosen.append(origin)
    return chosen if len(origins) == 1 else [*chosen, origins[-1]]


def clip_object(polygons: Polygons, window_xyxy: Sequence[int]) -> tuple[list[list[float]], float]:
    """Cut an object's polygons to a window, in the window's own coordinates.

    Args:
        polygons: Polygons of the object, field px.
        window_xyxy: The window x1, y1, x2, y2, field px.

    Returns:
        The visible polygons in px of the window (empty where nothing is visible), and the visible
        fraction of the object's area, in [0, 1].
    """
    x1, y1, x2, y2 = (float(v) for v in window_xyxy)
    clipped: list[list[float]] = []
    area = visible = 0.0
    for flat in polygons:
        shape = shapely.make_valid(shapely.Polygon(np.reshape(flat, (-1, 2))))
        area += shape.area
        for part in _polygon_parts(clip_shape(shape, x1, y1, x2, y2)):
            visible += part.area
            ring = np.asarray(part.exterior.coords)[:-1] - (x1, y1)
            clipped.append(ring.ravel().tolist())
    return clipped, min(1.0, visible / area) if area else 0.0


def clip_shape(
    shape: shapely.Geometry, x1: float, y1: float, x2: float, y2: float
) -> shapely.Geometry:
    """Cut a valid shape to a rectangle.

    Args:
        shape: The shape, px.
        x1: Left side of the rectangle, px.
        y1: Its upper side, px.
        x2: Its right side, px.
        y2: Its lower side, px.

    Returns:
        What of the shape lies inside, of any kind.
    """
    try:
        return shapely.clip_by_rect(shape, x1, y1, x2, y2)
    except shapely.errors.GEOSException:
        # Of a part that is all but a line, the fast way may leave too few points.
        return shapely.intersection(shape, shapely.box(x1, y1, x2, y2))


def _polygon_parts(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """List the polygons of positive area in a geometry of any kind."""
    return [p for p in shapely.get_parts(shape) if isinstance(p, shapely.Polygon) and p.area > 0]


def polygons_bbox(polygons: Polygons) -> list[float]:
    """Bound an object's polygons.

    Args:
        polygons: At least one polygon, px.

    Returns:
        x1, y1, x2, y2, px.
    """
    points = np.concatenate([np.reshape(flat, (-1, 2)) for flat in polygons])
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
