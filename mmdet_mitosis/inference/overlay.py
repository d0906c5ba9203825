"""A field with what was found in it, and what was missed (as Figure 10 of the paper)."""

from __future__ import annotations

import cv2
import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import match_points
from mmdet_mitosis.evaluation.truth import FieldTruth

HIT = (0, 170, 60)
FALSE_ALARM = (220, 30, 30)
TRUTH = (30, 80, 230)
MISSED = (255, 190, 0)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX
MARKS_PX = 2000
"""Side of a field, px, up to which lines and scores have their least size; beyond, they grow."""
LEGEND_PX = 1000
"""The same of the legend, which is read with the whole field in view."""


def draw_field(
    image_rgb: np.ndarray,
    truth: FieldTruth,
    detections: FieldDetections,
    radius_um: float,
) -> np.ndarray:
    """Draw detections and ground truth over a field.

    Hits have a green box, mask outline and score, false alarms red ones; ground truth is a blue
    circle of the match radius, and a missed mitosis a yellow one with the word. Lines lie outside
    of what they mark, with a white rim that sets them off from the tissue.

    Args:
        image_rgb: The field, (H, W, 3) uint8; it is not changed.
        truth: Its ground truth.
        detections: What scores above the threshold.
        radius_um: Match radius, µm.

    Returns:
        The picture, (H, W, 3) uint8 RGB.
    """
    canvas = image_rgb.copy()
    radius_px = round(radius_um / truth.mpp)
    pairs = match_points(truth.centroids_xy, detections.centers_xy, radius_um / truth.mpp)
    matched_gt, hits = set(pairs[:, 0].tolist()), set(pairs[:, 1].tolist())
    line = max(3, round(3 * max(canvas.shape) / MARKS_PX))  # with the rim
    _legend(canvas, truth, detections, len(hits))
    for i, (x, y) in enumerate(np.rint(truth.centroids_xy).astype(int).tolist()):
        found = i in matched_gt
        color, thickness = (TRUTH, line // 3) if found else (MISSED, line)
        cv2.circle(canvas, (x, y), radius_px, WHITE, thickness + 2, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), radius_px, color, thickness, cv2.LINE_AA)
        if not found:
            reach = radius_px + line
            _label(canvas, "missed", (x - radius_px, y - reach, y + reach), color)
    for i in range(len(detections)):
        _draw_detection(canvas, detections, i, HIT if i in hits else FALSE_ALARM, line)
    return canvas


def _draw_detection(
    canvas: np.ndarray,
    detections: FieldDetections,
    index: int,
    color: tuple[int, int, int],
    line: int,
) -> None:
    """Draw one detection's mask outline, box and score."""
    for flat in detections.polygons[index]:
        outline = np.rint(np.reshape(flat, (-1, 1, 2))).astype(np.int32)
        cv2.polylines(canvas, [outline], True, color, 1, cv2.LINE_AA)
    x1, y1, x2, y2 = np.rint(detections.bboxes_xyxy[index]).astype(int).tolist()
    for out in range(line, -1, -1):
        shade = WHITE if out == line else color
        cv2.rectangle(canvas, (x1 - out, y1 - out), (x2 + out, y2 + out), shade, 1)
    _label(canvas, f"{detections.scores[index]:.2f}", (x1, y1 - line, y2 + line), color)


def _label(
    canvas: np.ndarray, text: str, place: tuple[int, int, int], color: tuple[int, int, int]
) -> None:
    """Write a word on a plate that is kept inside the picture.

    ``place``: its left, and what it lies above of, or for want of room below of.
    """
    left, top, bottom = place
    scale = 0.45 * max(1.0, max(canvas.shape) / MARKS_PX)
    stroke = max(1, round(scale * 2))
    (width, height), _ = cv2.getTextSize(text, FONT, scale, stroke)
    width, height = width + 4, height + 6
    x = min(max(left, 0), max(0, canvas.shape[1] - width))
    y = top - height if top >= height else bottom + 1
    y = min(max(y, 0), max(0, canvas.shape[0] - height))
    cv2.rectangle(canvas, (x, y), (x + width - 1, y + height - 1), color, -1)
    ink = BLACK if color == MISSED else WHITE
    cv2.putText(canvas, text, (x + 2, y + height - 3), FONT, scale, ink, stroke, cv2.LINE_AA)


def _legend(
    canvas: np.ndarray, truth: FieldTruth, detections: FieldDetections, n_hits: int
) -> None:
    """Say in a corner what the colours mean and how many there are; a free corner if there is."""
    lines = [
        (f"mitoses: {len(truth.centroids_xy)}", TRUTH),
        (f"hits: {n_hits}", HIT),
        (f"false alarms: {len(detections) - n_hits}", FALSE_ALARM),
        (f"missed: {len(truth.centroids_xy) - n_hits}", MISSED),
    ]
    scale = max(1.0, max(canvas.shape) / LEGEND_PX)
    width, step = round(165 * scale), round(20 * scale)
    height = step * len(lines) + round(8 * scale)
    left, top = _free_corner(
        canvas.shape[1] - width,
        canvas.shape[0] - height,
        (width, height),
        np.concatenate([truth.centroids_xy, detections.centers_xy]),
    )
    cv2.rectangle(canvas, (left, top), (left + width - 1, top + height - 1), WHITE, -1)
    for row, (text, color) in enumerate(lines):
        x, y = left + round(8 * scale), top + round(20 * scale) + step * row
        cv2.rectangle(canvas, (x, y), (x + step // 2, y - step // 2), color, -1)
        at = (x + round(18 * scale), y)
        cv2.putText(canvas, text, at, FONT, 0.5 * scale, BLACK, max(1, round(scale)), cv2.LINE_AA)


def _free_corner(
    right: int, bottom: int, size: tuple[int, int], points_xy: np.ndarray
) -> tuple[int, int]:
    """Choose the corner where a plate hides the fewest points; its left and top, px."""
    corners = [(x, y) for y in (0, max(0, bottom)) for x in (0, max(0, right))]
    hidden = [
        np.sum(np.all((points_xy >= corner) & (points_xy < np.add(corner, size)), axis=1))
        for corner in corners
    ]
    return corners[int(np.argmin(hidden))]
