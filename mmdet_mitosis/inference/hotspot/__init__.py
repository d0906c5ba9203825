"""The window of a slide that holds the most mitoses."""

from mmdet_mitosis.inference.hotspot.hotspot import (
    SHAPES,
    Hotspot,
    field_of_view_area,
    find_hotspot,
    find_slide_hotspot,
)

__all__ = ["SHAPES", "Hotspot", "field_of_view_area", "find_hotspot", "find_slide_hotspot"]
