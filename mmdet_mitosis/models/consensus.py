"""From what several views of a window show to one detection an object."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

from mmdet_mitosis.evaluation.functional import score_order


def merge_views(
    centers_xy: np.ndarray,
    scores: np.ndarray,
    view_index: np.ndarray,
    n_views: int,
    radius: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose among the detections of several views of one window one for each object.

    The surest detection that is left takes of every other view the surest one within the radius
    that is left, of equally sure ones the nearest: they are one object. Two detections of one view
    are never one object, so that a single view stays as it is, and so does what views agree on.

    Args:
        centers_xy: Centres in the frame of the window, px, (N, 2).
        scores: (N,).
        view_index: View that each detection comes from, (N,), from 0.
        n_views: Number of views, also of those without detections.
        radius: Detections at most this far from the surest of them can be one object, px.

    Returns:
        (K,) indices of the surest detection of each object; and (K,) the scores of the objects:
        the mean over all views, one without the object counting as 0. By descending score. Not
        affected by the order of detections or views; where the scores are all different, nor by
        mirroring or turning the places.

    Raises:
        ValueError: If the arrays do not belong together, or a view is none of those.
    """
    scores, view_index = np.asarray(scores, dtype=float), np.asarray(view_index, dtype=int)
    centers = np.asarray(centers_xy, dtype=float).reshape(-1, 2)
    if not len(centers) == len(scores) == len(view_index):
        raise ValueError(
            f"{len(centers)} centres, {len(scores)} scores and {len(view_index)} views do not "
            "belong together"
        )
    if not len(scores):
        return np.empty(0, dtype=int), np.empty(0)
    if view_index.min() < 0 or view_index.max() >= n_views:
        raise ValueError(
            f"view_index runs from {view_index.min()} to {view_index.max()}, but there are "
            f"{n_views} views"
        )
    near = cKDTree(centers).query_ball_point(centers, radius)
    left = np.ones(len(scores), dtype=bool)
    surest, means = [], []
    for i in score_order(scores, centers).tolist():
        if not left[i]:
            continue
        members = _gather(i, [j for j in near[i] if left[j]], centers, scores, view_index)
        left[members] = False
        surest.append(i)
        means.append(math.fsum(scores[members]) / n_views)
    surest, means = np.array(surest), np.array(means)
    order = score_order(means, centers[surest])
    return surest[order], means[order]


def _gather(
    seed: int, near: list[int], centers: np.ndarray, scores: np.ndarray, view_index: np.ndarray
) -> list[int]:
    """Take the seed, and of every other view the surest detection near it."""
    near = np.array(near)
    distances = np.hypot(*(centers[near] - centers[seed]).T)
    by_view = {int(view_index[seed]): seed}
    places = centers[near].T  # only so that input order is no matter
    for j in near[np.lexsort((*places, distances, -scores[near]))].tolist():
        by_view.setdefault(int(view_index[j]), j)
    return list(by_view.values())
