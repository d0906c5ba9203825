"""From the detections of a field's windows to those of the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import merge_windows
from mmdet_mitosis.geometry.shapes import pixel_polygons


@dataclass(frozen=True)
class WindowDetections:
    """What a detector found in a window, px of the field.

    ``window_xyxy`` x1, y1, x2, y2; ``centers_xy`` (N, 2), ``bboxes_xyxy`` (N, 4), ``scores`` (N,),
    and N lists of COCO polygons.
    """

    image_id: int
    window_xyxy: tuple[int, int, int, int]
    centers_xy: np.ndarray
    bboxes_xyxy: np.ndarray
    scores: np.ndarray
    polygons: list[list[np.ndarray]]


def merge_field(windows: Sequence[WindowDetections], radius_px: float) -> FieldDetections:
    """Merge the detections of one field's windows.

    Args:
        windows: All windows of the field, also those without detections.
        radius_px: Detections this close are one object, px.

    Returns:
        The field's detections.
    """
    centers = np.concatenate([w.centers_xy.reshape(-1, 2) for w in windows])
    bboxes = np.concatenate([w.bboxes_xyxy.reshape(-1, 4) for w in windows])
    scores = np.concatenate([w.scores for w in windows])
    polygons = [parts for w in windows for parts in w.polygons]
    index = np.repeat(np.arange(len(windows)), [len(w.scores) for w in windows])
    frames = np.array([w.window_xyxy for w in windows])
    keep = merge_windows(centers, scores, bboxes, index, frames, radius_px)
    kept_polygons = [[np.asarray(flat).tolist() for flat in polygons[i]] for i in keep]
    return FieldDetections(centers[keep], scores[keep], bboxes[keep], kept_polygons)


def mask_centroids(masks: np.ndarray, otherwise_xy: np.ndarray) -> np.ndarray:
    """Give the centres of mass of masks.

    Args:
        masks: (N, H, W) bool.
        otherwise_xy: Stands in for that of an empty mask, (N, 2), px.

    Returns:
        (N, 2), px; that of the single pixel in the corner is (0.5, 0.5).
    """
    centers = np.array(otherwise_xy, dtype=float).reshape(-1, 2)
    for i, mask in enumerate(masks):
        pixels_yx = np.argwhere(mask)
        if len(pixels_yx):
            centers[i] = pixels_yx[:, ::-1].mean(axis=0) + 0.5
    return centers


def mask_polygons(mask: np.ndarray, offset_xy: tuple[int, int]) -> list[np.ndarray]:
    """Outline a mask along the borders of its pixels.

    Args:
        mask: (H, W) bool.
        offset_xy: Added to the coordinates, px.

    Returns:
        COCO polygons of its parts, without holes, the largest first; none of an empty mask. They
        are arrays, which take a tenth of the memory that lists would until the merge.
    """
    pixels_xy = np.argwhere(mask)[:, ::-1]
    if not len(pixels_xy):
        return []
    outlines = pixel_polygons(pixels_xy + np.asarray(offset_xy))
    return [outline.ravel().astype(np.float32) for outline in outlines]
