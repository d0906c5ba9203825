"""From the detections of a field's windows to those of the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.structures import InstanceData
from scipy.spatial import cKDTree

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import merge_windows
from mmdet_mitosis.geometry.shapes import pixel_polygons
from mmdet_mitosis.geometry.windows import fewest_windows, halo_px

CENTERS = ("box", "mask")
"""What can stand for a detection's place."""
EVERYWHERE = np.array([-1e6, -1e6, 1e6, 1e6])
"""Widens a frame, px, so that its borders cut no box."""


@dataclass(frozen=True)
class WindowDetections:
    """What a detector found in a window, px of the field.

    ``window_xyxy`` x1, y1, x2, y2; ``centers_xy`` (N, 2), ``bboxes_xyxy`` (N, 4), ``scores`` (N,),
    and N lists of COCO polygons; ``candidate_scores`` (N,) of a two-stage detector.
    """

    image_id: int
    window_xyxy: tuple[int, int, int, int]
    centers_xy: np.ndarray
    bboxes_xyxy: np.ndarray
    scores: np.ndarray
    polygons: list[list[np.ndarray]]
    candidate_scores: np.ndarray | None = None


def window_detections(
    pred: InstanceData,
    image_id: int,
    window_xyxy: tuple[int, int, int, int],
    center: str = "box",
) -> WindowDetections:
    """Take the mitoses of a prediction to the frame of the field.

    Args:
        pred: ``bboxes`` (N, 4), ``scores`` and ``labels`` (N,), and (N, H, W) ``masks`` where the
            detector gives them; px of the window; ``candidate_scores`` (N,) of a two-stage
            detector. Label 0 is the mitosis.
        image_id: Of the field.
        window_xyxy: The window, px of the field.
        center: Point of a detection: the middle of its ``box``, or the centre of mass of its
            ``mask``.

    Returns:
        The detections.

    Raises:
        ValueError: If the centre of masks is asked for and there are none.
    """
    mitoses = (pred.labels == 0).cpu()
    bboxes = pred.bboxes.cpu()[mitoses].numpy().astype(float)
    masks = pred.masks.cpu()[mitoses].numpy() if "masks" in pred else None
    offset = np.array(window_xyxy[:2], dtype=float)
    centers = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    if center == "mask":
        if masks is None:
            raise ValueError("center='mask' needs a detector with masks: take center='box'")
        centers = mask_centroids(masks, centers)
    return WindowDetections(
        image_id=image_id,
        window_xyxy=window_xyxy,
        centers_xy=centers + offset,
        bboxes_xyxy=bboxes + np.tile(offset, 2),
        scores=pred.scores.cpu()[mitoses].numpy().astype(float),
        polygons=[[] for _ in bboxes]
        if masks is None
        else [mask_polygons(mask, window_xyxy[:2]) for mask in masks],
        candidate_scores=pred.candidate_scores.cpu()[mitoses].numpy().astype(float)
        if "candidate_scores" in pred
        else None,
    )


def merge_field(windows: Sequence[WindowDetections], radius_px: float) -> FieldDetections:
    """Merge the detections of one field's windows.

    Args:
        windows: All windows of the field, also those without detections.
        radius_px: Detections this close are one object, px.

    Returns:
        The field's detections.
    """
    centers, scores, bboxes, index = _joined(windows)
    polygons = [parts for w in windows for parts in w.polygons]
    frames = np.array([w.window_xyxy for w in windows])
    keep = merge_windows(centers, scores, bboxes, index, frames, radius_px)
    kept_polygons = [[np.asarray(flat).tolist() for flat in polygons[i]] for i in keep]
    first = [w.candidate_scores for w in windows]
    staged = bool(first) and all(one is not None for one in first)
    candidate_scores = np.concatenate(first)[keep] if staged else None
    return FieldDetections(
        centers[keep], scores[keep], bboxes[keep], kept_polygons, candidate_scores
    )


def merge_field_once(
    windows: Sequence[WindowDetections], radius_px: float, mpp: float
) -> FieldDetections:
    """Merge as few of a field's windows as ``tools/infer.py`` would look at.

    It lays windows that overlap little, and each place is judged by the one whose middle is
    nearest. Networks are less sure near a border; where windows overlap much and the surest of
    their looks counts, scores are higher, and so is the threshold of the best F-score.

    Args:
        windows: All windows of the field, also those without detections.
        radius_px: Detections this close are one object, px. Near the border between two windows'
            places, to half of it, both are asked: no two see an object at the same pixel.
        mpp: Size of the field's pixels, µm.

    Returns:
        The field's detections, without outlines.
    """
    x1, _, x2, _ = windows[0].window_xyxy
    halo = halo_px(x2 - x1, mpp)
    windows = [windows[i] for i in fewest_windows([w.window_xyxy for w in windows], halo)]
    centers, scores, bboxes, index = _joined(windows)
    if not len(scores):
        return FieldDetections()
    frames = np.array([w.window_xyxy for w in windows], float)
    middles = (frames[:, :2] + frames[:, 2:]) / 2
    nearest, _ = cKDTree(middles).query(centers, p=np.inf)
    own = np.abs(centers - middles[index]).max(axis=1)
    asked = np.flatnonzero(own - nearest <= radius_px)
    # One frame around all cuts nothing: this merges by the radius alone.
    around = np.array([[*frames[:, :2].min(axis=0), *frames[:, 2:].max(axis=0)]]) + EVERYWHERE
    none = np.zeros(len(asked), int)
    merged = merge_windows(centers[asked], scores[asked], bboxes[asked], none, around, radius_px)
    keep = asked[merged]
    return FieldDetections(centers[keep], scores[keep], bboxes[keep], [[] for _ in keep])


def _joined(
    windows: Sequence[WindowDetections],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join the windows' centres, scores and boxes, and tell the window of each."""
    return (
        np.concatenate([w.centers_xy.reshape(-1, 2) for w in windows]),
        np.concatenate([w.scores for w in windows]),
        np.concatenate([w.bboxes_xyxy.reshape(-1, 4) for w in windows]),
        np.repeat(np.arange(len(windows)), [len(w.scores) for w in windows]),
    )


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
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return []
    # Only these rows: to list the pixels of a whole window takes longer than to outline them.
    pixels_yx = np.argwhere(mask[rows[0] : rows[-1] + 1]) + np.array([rows[0], 0])
    outlines = pixel_polygons(pixels_yx[:, ::-1] + np.asarray(offset_xy))
    return [outline.ravel().astype(np.float32) for outline in outlines]
