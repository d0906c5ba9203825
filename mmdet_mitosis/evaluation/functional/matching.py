"""Pairing ground truth with predictions, both points."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

MATCH_METHODS = ("optimal", "greedy", "paper")


def match_points(
    gt_xy: np.ndarray,
    pred_xy: np.ndarray,
    radius: float,
    scores: np.ndarray | None = None,
    method: str = "optimal",
) -> np.ndarray:
    """Pair ground-truth points with predictions, one to one, gated by the radius first.

    Args:
        gt_xy: Ground truth, (G, 2).
        pred_xy: Predictions, (P, 2).
        radius: Largest distance of a pair (inclusive), in the unit of the points.
        scores: (P,), needed by ``greedy`` and ``paper``.
        method: ``optimal``: as many pairs as possible, then the least total distance. ``greedy``:
            by descending score, the nearest free ground truth. ``paper``: pairs as ``greedy``;
            it differs in what :func:`count_matches` makes of the predictions left over.

    Returns:
        (M, 2) integer array of (ground truth, prediction) indices, sorted by ground truth.

    Raises:
        ValueError: For an unknown method, arrays of the wrong shape, or missing scores.
    """
    if method not in MATCH_METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(MATCH_METHODS)}")
    gt_xy, pred_xy = as_points(gt_xy, "gt_xy"), as_points(pred_xy, "pred_xy")
    if method == "optimal":
        pairs = _match_optimal(gt_xy, pred_xy, radius)
    else:
        if scores is None or len(scores) != len(pred_xy):
            raise ValueError(f"method {method!r} needs one score a prediction")
        pairs = _match_greedy(gt_xy, pred_xy, radius, np.asarray(scores, dtype=float))
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def as_points(points: np.ndarray, name: str) -> np.ndarray:
    """Check an array of points.

    Args:
        points: (N, 2); an empty one may have any shape.
        name: Its name in the error.

    Returns:
        (N, 2) floats.

    Raises:
        ValueError: For another shape.
    """
    points = np.asarray(points, dtype=float)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{name} must have shape (N, 2), got {points.shape}")
    return points


def _close_pairs(gt_xy: np.ndarray, pred_xy: np.ndarray, radius: float) -> coo_array:
    """Distances of all pairs within the radius, as a sparse (G, P) array."""
    shape = (len(gt_xy), len(pred_xy))
    if 0 in shape:
        return coo_array(shape)
    near = cKDTree(gt_xy).query_ball_point(pred_xy, radius * (1 + 1e-9) + 1e-9)
    cols = np.repeat(np.arange(len(pred_xy)), [len(rows) for rows in near])
    rows = np.array([row for rows in near for row in rows], dtype=int)
    distances = np.linalg.norm(gt_xy[rows] - pred_xy[cols], axis=1)
    keep = distances <= radius
    return coo_array((distances[keep], (rows[keep], cols[keep])), shape=shape)


def _match_optimal(gt_xy: np.ndarray, pred_xy: np.ndarray, radius: float) -> np.ndarray:
    """Solve an assignment in each connected group of pairs within the radius."""
    close = _close_pairs(gt_xy, pred_xy, radius)
    if close.nnz == 0:
        return np.empty((0, 2), dtype=int)
    rows, cols = close.coords
    n_gt, n_pred = close.shape
    size = n_gt + n_pred
    graph = coo_array((np.ones(close.nnz), (rows, cols + n_gt)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(group, kind="stable")
    pairs = []
    for edges in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        gts, gt_local = np.unique(rows[edges], return_inverse=True)
        preds, pred_local = np.unique(cols[edges], return_inverse=True)
        # A pair is worth more than any saving of distance: first their number, then the distance.
        bonus = (radius + 1) * (min(len(gts), len(preds)) + 1)
        cost = np.zeros((len(gts), len(preds)))
        cost[gt_local, pred_local] = close.data[edges] - bonus
        chosen = linear_sum_assignment(cost)
        valid = cost[chosen] < 0
        pairs.append(np.stack([gts[chosen[0][valid]], preds[chosen[1][valid]]], axis=1))
    return np.concatenate(pairs)


def _match_greedy(
    gt_xy: np.ndarray, pred_xy: np.ndarray, radius: float, scores: np.ndarray
) -> np.ndarray:
    """Give each prediction, surest first, the nearest ground truth that is still free."""
    close = _close_pairs(gt_xy, pred_xy, radius).tocsc()
    free = np.ones(len(gt_xy), dtype=bool)
    pairs = []
    for pred in score_order(scores, pred_xy):
        span = slice(close.indptr[pred], close.indptr[pred + 1])
        rows, distances = close.indices[span], close.data[span]
        rows, distances = rows[free[rows]], distances[free[rows]]
        if len(rows):
            gt = rows[np.lexsort((rows, distances))[0]]
            free[gt] = False
            pairs.append((gt, pred))
    return np.array(pairs, dtype=int).reshape(-1, 2)


def score_order(scores: np.ndarray, points_xy: np.ndarray) -> np.ndarray:
    """Order predictions by descending score, ties by position, so that input order is no matter.

    Args:
        scores: (P,).
        points_xy: (P, 2).

    Returns:
        (P,) indices.
    """
    points_xy = as_points(points_xy, "points_xy")
    return np.lexsort((points_xy[:, 1], points_xy[:, 0], -np.asarray(scores, dtype=float)))
