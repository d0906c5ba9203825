"""A slide in small, with what was found on it."""

from __future__ import annotations

import cv2
import numpy as np

from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult

MITOSIS, HOTSPOT, WHITE = (0, 170, 60), (30, 80, 230), (255, 255, 255)
RADIUS_UM = 15.0
MIN_RADIUS_PX = 4
HEAT_UM = 250.0
"""Deviation of the Gaussian that a mitosis adds to the heat map."""
HEAT_SHARE = 0.05
"""The same at most, of the longer side of a small field."""
HEAT_STRENGTH = 0.6
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_slide(
    thumbnail_rgb: np.ndarray, result: SlideResult, hotspot: Hotspot | None = None
) -> np.ndarray:
    """Draw the mitoses of a slide, and its hotspot, over a picture of it.

    Args:
        thumbnail_rgb: The slide, (h, w, 3) uint8; it is not changed.
        result: The slide's mitoses.
        hotspot: The window of the highest count.

    Returns:
        The picture, (h, w, 3) uint8 RGB: mitoses are green circles, the hotspot is blue.
    """
    canvas = np.ascontiguousarray(thumbnail_rgb).copy()
    scale = canvas.shape[1] / result.width
    line = max(1, round(max(canvas.shape) / 600))
    radius = max(MIN_RADIUS_PX, round(RADIUS_UM / result.mpp * scale))
    for x, y in np.rint(result.found.centers_xy * scale).astype(int).tolist():
        cv2.circle(canvas, (x, y), radius, WHITE, line + 2, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), radius, MITOSIS, line, cv2.LINE_AA)
    if hotspot is not None and hotspot.count:
        _draw_hotspot(canvas, hotspot, 1000 / result.mpp * scale, line + 1)
    return canvas


def draw_heat(thumbnail_rgb: np.ndarray, result: SlideResult) -> np.ndarray:
    """Draw the density of a slide's mitoses over a picture of it.

    Args:
        thumbnail_rgb: The slide, (h, w, 3) uint8; it is not changed.
        result: The slide's mitoses.

    Returns:
        The picture, (h, w, 3) uint8 RGB: from blue to red, red where mitoses are densest, with
        the density that red stands for.
    """
    height, width = thumbnail_rgb.shape[:2]
    scale = width / result.width
    points = np.rint(result.found.centers_xy * scale).astype(int)
    heat = np.zeros((height, width), np.float32)
    np.add.at(heat, tuple(points.clip(0, (width - 1, height - 1)).T[::-1]), 1.0)
    sigma = min(HEAT_UM / result.mpp * scale, max(height, width) * HEAT_SHARE)
    heat = cv2.GaussianBlur(heat, (0, 0), max(sigma, 0.5), borderType=cv2.BORDER_CONSTANT)
    px_per_mm2 = (1000 / result.mpp * scale) ** 2
    top = float(heat.max())
    share = (heat / top if top else heat)[..., None]
    colors = cv2.applyColorMap((share[..., 0] * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    weight = HEAT_STRENGTH * np.sqrt(share)
    mixed = thumbnail_rgb * (1 - weight) + colors[..., ::-1] * weight
    canvas = np.ascontiguousarray(mixed.round().astype(np.uint8))
    _label(canvas, f"red: {top * px_per_mm2:.0f} per mm2" if top else "no mitoses")
    return canvas


def _draw_hotspot(canvas: np.ndarray, hotspot: Hotspot, px_per_mm: float, line: int) -> None:
    """Draw a hotspot's border and count."""
    center = np.array(hotspot.center_xy) * px_per_mm
    half = hotspot.half_mm * px_per_mm
    low, high = (np.rint(center + side * half).astype(int).tolist() for side in (-1, 1))
    for color, width in ((WHITE, line + 2), (HOTSPOT, line)):
        if hotspot.shape == "circle":
            middle = np.rint(center).astype(int).tolist()
            cv2.circle(canvas, middle, round(half), color, width, cv2.LINE_AA)
        else:
            cv2.rectangle(canvas, low, high, color, width)
    _label(canvas, f"hotspot: {hotspot.count} in {hotspot.area_mm2:.3g} mm2")


def _label(canvas: np.ndarray, text: str) -> None:
    """Write a line in the corner at the top left, if it fits."""
    size = max(0.4, min(1.2, max(canvas.shape) / 1500))
    (width, height), base = cv2.getTextSize(text, FONT, size, 1)
    if width + 8 > canvas.shape[1] or height + base + 8 > canvas.shape[0]:
        return
    cv2.rectangle(canvas, (0, 0), (width + 8, height + base + 8), WHITE, -1)
    cv2.putText(canvas, text, (4, height + 4), FONT, size, (0, 0, 0), 1, cv2.LINE_AA)
