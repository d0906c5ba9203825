"""A field with what was found in it, and what was missed (as Figure 10 of the paper)."""

from __future__ import annotations

import cv2
import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections, FieldTruth
from mmdet_mitosis.evaluation.functional import match_points

HIT = (0, 170, 60)
FALSE_ALARM = (220, 30, 30)
TRUTH = (30, 80, 230)
MISSED = (255, 190, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_field(
    image_rgb: np.ndarray,
    truth: FieldTruth,
    detections: FieldDetections,
    radius_um: float,
) -> np.ndarray:
    """Draw detections and ground truth over a field.

    Hits have a green box, mask outline and score, false alarms red ones; ground truth is a blue
    circle of the match radius, and a missed mitosis a yellow one with the word.

    Args:
        image_rgb: The field, (H, W, 3) uint8; it is not changed.
        truth: Its ground truth.
        detections: What scores above the threshold.
        radius_um: Match radius, µm.

    Returns:
        The picture, (H, W, 3) uint8 RGB.
    """
    canvas = image_rgb.copy()
    radius_px = radius_um / truth.mpp
    pairs = match_points(truth.centroids_xy, detections.centers_xy, radius_px)
    matched_gt, hits = set(pairs[:, 0].tolist()), set(pairs[:, 1].tolist())
    for i, center in enumerate(truth.centroids_xy):
        found = i in matched_gt
        at = tuple(np.rint(center).astype(int).tolist())
        color = TRUTH if found else MISSED
        cv2.circle(canvas, at, round(radius_px), color, 1 if found else 3, cv2.LINE_AA)
        if not found:
            _label(
                canvas, "missed", (at[0] - round(radius_px), at[1] + round(radius_px) + 18), color
            )
    for i in range(len(detections)):
        _draw_detection(canvas, detections, i, HIT if i in hits else FALSE_ALARM)
    _legend(canvas, len(hits), len(detections) - len(hits), len(truth.centroids_xy) - len(hits))
    return canvas


def _draw_detection(
    canvas: np.ndarray, detections: FieldDetections, index: int, color: tuple[int, int, int]
) -> None:
    """Draw one detection's mask outline, box and score."""
    for flat in detections.polygons[index]:
        outline = np.rint(np.reshape(flat, (-1, 1, 2))).astype(np.int32)
        cv2.polylines(canvas, [outline], True, color, 1, cv2.LINE_AA)
    x1, y1, x2, y2 = np.rint(detections.bboxes_xyxy[index]).astype(int).tolist()
    cv2.rectangle(canvas, (x1, y1), (x2, y2), color, 2)
    _label(canvas, f"{detections.scores[index]:.2f}", (x1, y1 - 5), color)


def _label(
    canvas: np.ndarray, text: str, at_xy: tuple[int, int], color: tuple[int, int, int]
) -> None:
    """Write a word with a white rim, kept inside the picture."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.5, 1)
    x = min(max(at_xy[0], 0), max(0, canvas.shape[1] - width))
    y = min(max(at_xy[1], height), canvas.shape[0] - 2)
    cv2.putText(canvas, text, (x, y), FONT, 0.5, (255, 255, 255), 3, cv2.LINE_AA)
    cv2.putText(canvas, text, (x, y), FONT, 0.5, color, 1, cv2.LINE_AA)


def _legend(canvas: np.ndarray, n_hits: int, n_false: int, n_missed: int) -> None:
    """Say in a corner what the colours mean and how many there are."""
    lines = [
        (f"hits: {n_hits}", HIT),
        (f"false alarms: {n_false}", FALSE_ALARM),
        (f"missed: {n_missed}", MISSED),
    ]
    cv2.rectangle(canvas, (0, 0), (150, 8 + 20 * len(lines)), (255, 255, 255), -1)
    for row, (text, color) in enumerate(lines):
        cv2.putText(canvas, text, (8, 20 + 20 * row), FONT, 0.5, color, 1, cv2.LINE_AA)
