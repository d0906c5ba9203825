"""From a field and its objects to windows: which window has an object, and which only shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mmdet_mitosis.geometry.windows import Polygons, clip_object, field_windows

MAX_FOREIGN_FRACTION = 0.25
"""A window that shows more than this of a mitosis centred outside it is not trained on."""


@dataclass(frozen=True)
class Outline:
    """An object of a field: its centroid and its COCO polygons, px of the field, x first."""

    centroid_xy: tuple[float, float]
    polygons: Polygons

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Bound it: x1, y1, x2, y2."""
        points = [value for flat in self.polygons for value in flat]
        xs, ys = points[0::2], points[1::2]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True)
class Window:
    """One window of a field.

    Attributes:
        xyxy: Where it lies, px of the field.
        objects: The objects whose centroids lie inside: the index of each, and its visible
            polygons, px of the window.
        shows_foreign: Whether it shows more than a quarter of an object centred outside.
    """

    xyxy: tuple[int, int, int, int]
    objects: tuple[tuple[int, list[list[float]]], ...]
    shows_foreign: bool


def expand_field(
    width: int, height: int, outlines: Sequence[Outline], window_size: int, overlap: float
) -> list[Window]:
    """Cover a field with windows and give each one what it holds.

    Args:
        width: Width of the field, px.
        height: Height of the field, px.
        outlines: The field's objects.
        window_size: Side of a window, px.
        overlap: Overlap of neighbouring windows as a fraction of their size, in [0, 1).

    Returns:
        All windows, row by row.

    Raises:
        ValueError: If the size is not positive or the overlap is outside [0, 1).
    """
    return [
        expand_window(tuple(corners), width, height, outlines)
        for corners in field_windows(width, height, window_size, overlap).tolist()
    ]


def expand_window(
    xyxy: tuple[int, int, int, int], width: int, height: int, outlines: Sequence[Outline]
) -> Window:
    """Give a window what it holds.

    Args:
        xyxy: Where it lies, px of the field.
        width: Width of the field, px.
        height: Height of the field, px.
        outlines: The field's objects.

    Returns:
        The window with the objects whose centroids lie inside; it notes whether it shows others.
    """
    x1, y1, x2, y2 = xyxy
    objects, shows_foreign = [], False
    for index, outline in enumerate(outlines):
        left, top, right, bottom = outline.bounds
        if right <= x1 or left >= x2 or bottom <= y1 or top >= y2:
            continue
        polygons, visible = clip_object(outline.polygons, xyxy)
        if not polygons:
            continue
        if _inside(outline.centroid_xy, xyxy, (width, height)):
            objects.append((index, polygons))
        elif visible > MAX_FOREIGN_FRACTION:
            shows_foreign = True
    return Window(xyxy, tuple(objects), shows_foreign)


def _inside(
    centroid_xy: tuple[float, float], window: tuple[int, ...], field_size: tuple[int, int]
) -> bool:
    """Tell whether a window holds a centroid; the field's own far edges count as inside."""
    return all(
        low <= value < high or (value == high == end)
        for value, low, high, end in zip(
            centroid_xy, window[:2], window[2:], field_size, strict=True
        )
    )
