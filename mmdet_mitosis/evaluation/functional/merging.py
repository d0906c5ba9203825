"""From the detections of overlapping windows to one detection an object."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mmdet_mitosis.evaluation.functional.matching import score_order

BORDER_PX = 2.0
"""A box that comes this close to a border of its window is taken to be cut by it."""


def merge_windows(
    centers_xy: np.ndarray,
    scores: np.ndarray,
    bboxes_xyxy: np.ndarray,
    window_index: np.ndarray,
    windows_xyxy: np.ndarray,
    radius: float,
    border_px: float = BORDER_PX,
) -> np.ndarray:
    """Choose among the detections of overlapping windows one for each object.

    First a detection that its window's border cuts is left to the neighbours, where one of them
    sees its box whole: what is left of a nucleus at a border looks like something else, and a
    neighbour that sees the box whole and reports nothing there has judged it. Only where two
    windows would leave an object to each other, neither does. Then, the surest first, every other
    detection within the radius is dropped.

    Args:
        centers_xy: Centres in field px, (N, 2).
        scores: (N,).
        bboxes_xyxy: Boxes in field px, (N, 4).
        window_index: Row of ``windows_xyxy`` that each detection comes from, (N,).
        windows_xyxy: All windows of the field, px, (W, 4), also those without detections.
        radius: Detections at most this far apart are one object, px.
        border_px: Distance from a border at which a box counts as cut, px.

    Returns:
        (K,) indices of the detections that stay, by descending score. The same set for any order
        of detections and windows.

    Raises:
        ValueError: If the arrays do not belong together.
    """
    centers_xy, bboxes_xyxy = _rows(centers_xy, 2), _rows(bboxes_xyxy, 4)
    windows_xyxy, window_index = _rows(windows_xyxy, 4), np.asarray(window_index, dtype=int)
    scores = np.asarray(scores, dtype=float)
    n = len(scores)
    if not len(centers_xy) == len(bboxes_xyxy) == len(window_index) == n:
        raise ValueError(
            f"{len(centers_xy)} centres, {n} scores, {len(bboxes_xyxy)} boxes and "
            f"{len(window_index)} windows do not belong together"
        )
    if n == 0:
        return np.empty(0, dtype=int)
    if window_index.min() < 0 or window_index.max() >= len(windows_xyxy):
        raise ValueError(
            f"window_index runs from {window_index.min()} to {window_index.max()}, but there are "
            f"{len(windows_xyxy)} windows"
        )
    left = _left_to_neighbour(
        centers_xy, bboxes_xyxy, window_index, windows_xyxy, radius, border_px
    )
    stay = np.flatnonzero(~left)
    places = np.concatenate([centers_xy, bboxes_xyxy], axis=1)
    order = stay[score_order(scores[stay], places[stay])]
    return order[_suppress(centers_xy[order], radius)]


def _rows(array: np.ndarray, n_columns: int) -> np.ndarray:
    """Check that an array has so many columns; an empty one may have any shape."""
    array = np.asarray(array, dtype=float)
    if array.size == 0:
        return array.reshape(0, n_columns)
    if array.ndim != 2 or array.shape[1] != n_columns:
        raise ValueError(f"expected an array of shape (N, {n_columns}), got {array.shape}")
    return array


def _left_to_neighbour(
    centers: np.ndarray,
    bboxes: np.ndarray,
    window_index: np.ndarray,
    windows: np.ndarray,
    radius: float,
    border_px: float,
) -> np.ndarray:
    """Mark boxes that their own window cuts and another window has whole, (N,) bool."""
    field = np.concatenate([windows[:, :2].min(axis=0), windows[:, 2:].max(axis=0)])
    # A window's border on the border of the field cuts nothing: there is no more to be seen.
    limits = windows.copy()
    limits[:, :2] = np.where(windows[:, :2] <= field[:2], -np.inf, windows[:, :2] + border_px)
    limits[:, 2:] = np.where(windows[:, 2:] >= field[2:], np.inf, windows[:, 2:] - border_px)
    own = limits[window_index]
    cut = np.any(bboxes[:, :2] < own[:, :2], axis=1) | np.any(bboxes[:, 2:] > own[:, 2:], axis=1)
    seen_whole_by: dict[int, set[int]] = {}
    for i in np.flatnonzero(cut).tolist():
        inside = (bboxes[i, :2] >= limits[:, :2]) & (bboxes[i, 2:] <= limits[:, 2:])
        neighbours = np.flatnonzero(inside.all(axis=1))
        if len(neighbours):
            seen_whole_by[i] = set(neighbours.tolist())
    result = np.zeros(len(bboxes), dtype=bool)
    left = np.array(list(seen_whole_by), dtype=int)
    result[left] = True
    # Windows that overlap by little more than an object can both cut it, each box a little off.
    for a, b in cKDTree(centers[left]).query_pairs(radius) if len(left) else ():
        i, j = int(left[a]), int(left[b])
        if window_index[j] in seen_whole_by[i] and window_index[i] in seen_whole_by[j]:
            result[[i, j]] = False
    return result


def _suppress(centers_xy: np.ndarray, radius: float) -> np.ndarray:
    """Keep each point that no kept point before it has within the radius, (N,) bool."""
    keep = np.ones(len(centers_xy), dtype=bool)
    if not len(centers_xy):
        return keep
    near = cKDTree(centers_xy).query_ball_point(centers_xy, radius)
    for i, others in enumerate(near):
        if keep[i]:
            keep[[j for j in others if j > i]] = False
    return keep
