"""Pairing ground truth with predictions, both points."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

MATCH_METHODS = ("optimal", "greedy", "paper")
DENSE_CELLS = 10**6
"""A group of points with more pairs than this is not written out as a matrix."""


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
        ValueError: For an unknown method, an impossible radius, arrays of the wrong shape or with
            a NaN, or missing scores.
    """
    if method not in MATCH_METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(MATCH_METHODS)}")
    if not 0 <= radius < np.inf:
        raise ValueError(f"radius must be a number of at least 0, got {radius}")
    gt_xy, pred_xy = as_points(gt_xy, "gt_xy"), as_points(pred_xy, "pred_xy")
    if method == "optimal":
        pairs = _match_optimal(gt_xy, pred_xy, radius)
    else:
        scores = np.empty(0) if scores is None else np.asarray(scores, dtype=float)
        if scores.shape != (len(pred_xy),) or np.isnan(scores).any():
            raise ValueError(
                f"method {method!r} needs one score a prediction: got scores of shape "
                f"{scores.shape}, {np.isnan(scores).sum()} of them NaN, for {len(pred_xy)}"
            )
        pairs = _match_greedy(gt_xy, pred_xy, radius, scores)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def as_points(points: np.ndarray, name: str) -> np.ndarray:
    """Check an array of points.

    Args:
        points: (N, 2); an empty one may have any shape.
        name: Its name in the error.

    Returns:
        (N, 2) floats.

    Raises:
        ValueError: For another shape, or coordinates that are not finite.
    """
    points = np.asarray(points, dtype=float)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{name} must have shape (N, 2), got {points.shape}")
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise ValueError(f"{name} must be finite, got {points[row].tolist()} in row {row}")
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
        gt, pred = _assign(gt_local, pred_local, close.data[edges], radius)
        pairs.append(np.stack([gts[gt], preds[pred]], axis=1))
    return np.concatenate(pairs)


def _assign(
    gt: np.ndarray, pred: np.ndarray, distances: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Choose among the possible pairs of one group; indices count from 0 within the group."""
    n_gt, n_pred = int(gt.max()) + 1, int(pred.max()) + 1
    # A pair is worth more than any saving of distance: first their number, then the distance.
    bonus = (radius + 1) * (min(n_gt, n_pred) + 1)
    if n_gt * n_pred <= DENSE_CELLS:
        cost = np.zeros((n_gt, n_pred))
        cost[gt, pred] = distances - bonus
        rows, cols = linear_sum_assignment(cost)
        paired = cost[rows, cols] < 0
    else:
        # The sparse solver pairs every row, so each has a stand-in of its own for staying alone.
        # It takes 0 for an absent pair: hence one more on all.
        alone = np.arange(n_gt)
        cost = np.concatenate([distances + 1, np.full(n_gt, bonus + 1)])
        ends = np.concatenate([gt, alone]), np.concatenate([pred, n_pred + alone])
        graph = coo_array((cost, ends), shape=(n_gt, n_pred + n_gt)).tocsr()
        rows, cols = min_weight_full_bipartite_matching(graph)
        paired = cols < n_pred
    return rows[paired], cols[paired]


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
            gt = rows[np.lexsort((*gt_xy[rows].T, distances))[0]]
            free[gt] = False
            pairs.append((gt, pred))
    return np.array(pairs, dtype=int).reshape(-1, 2)


def score_order(scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Order predictions by descending score, ties by place, so that input order is no matter.

    Args:
        scores: (P,).
        places: Coordinates of any kind, (P, K).

    Returns:
        (P,) indices.
    """
    keys = np.asarray(places, dtype=float).T[::-1]  # lexsort takes the last key first
    return np.lexsort((*keys, -np.asarray(scores, dtype=float)))
