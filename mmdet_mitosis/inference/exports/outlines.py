"""Outlines that are valid as GeoJSON has it, px with two decimals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry.polygon import orient

from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult

GRID_PX = 0.01
QUARTER_SEGMENTS = 32


def mask_outline(
    polygons: Sequence[Sequence[float]],
) -> shapely.Polygon | shapely.MultiPolygon | None:
    """Join the polygons of a mask.

    Args:
        polygons: COCO polygons, px.

    Returns:
        Their union without what has no area, and None if nothing is left.
    """
    rings = [np.reshape(np.asarray(flat, dtype=float), (-1, 2)) for flat in polygons]
    parts = [_areas(shapely.make_valid(shapely.Polygon(ring))) for ring in rings if len(ring) >= 3]
    return _tidy(shapely.union_all([area for areas in parts for area in areas]))


def box_outline(bbox_xyxy: Sequence[float]) -> shapely.Polygon | shapely.MultiPolygon | None:
    """Outline a box.

    Args:
        bbox_xyxy: Its left, top, right and bottom, px.

    Returns:
        The rectangle, and None if it has no area.
    """
    return _tidy(shapely.box(*bbox_xyxy))


def hotspot_outline(
    hotspot: Hotspot, result: SlideResult
) -> shapely.Polygon | shapely.MultiPolygon:
    """Outline what a hotspot covers of its slide.

    Args:
        hotspot: The hotspot.
        result: The slide.

    Returns:
        A square, a circle of 128 sides, or what the slide leaves of them.
    """
    px = 1000 / result.mpp
    center = np.array(hotspot.center_xy) * px
    half = hotspot.half_mm * px
    if hotspot.shape == "circle":
        window = shapely.Point(center).buffer(half, quad_segs=QUARTER_SEGMENTS)
    else:
        window = shapely.box(*(center - half), *(center + half))
    outline = _tidy(shapely.intersection(window, shapely.box(0, 0, result.width, result.height)))
    assert outline is not None, "a hotspot lies in its slide"
    return outline


def _tidy(shape: shapely.Geometry) -> shapely.Polygon | shapely.MultiPolygon | None:
    """Bring a shape to the grid, valid, and keep what has an area."""
    areas = _areas(shapely.set_precision(shape, GRID_PX))
    areas = [orient(shapely.transform(area, lambda xy: np.round(xy, 2))) for area in areas]
    if len(areas) < 2:
        return areas[0] if areas else None
    return shapely.MultiPolygon(areas)


def _areas(shape: shapely.Geometry) -> list[shapely.Polygon]:
    """Take the polygons with an area out of a shape."""
    parts = shapely.get_parts(shapely.get_parts(shape))  # a collection may hold a multipolygon
    return [part for part in parts if isinstance(part, shapely.Polygon) and part.area > 0]
