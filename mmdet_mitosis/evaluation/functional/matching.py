"""Pairing ground truth with predictions, both points."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mmdet_mitosis.evaluation.functional.assignment import assign

MATCH_METHODS = ("optimal", "greedy", "paper", "midog")
"""The rules of :func:`match_points`; the first is the project's own."""
SCORED_METHODS = ("greedy", "paper")
"""Those in which the scores decide."""
FEW_PAIRS = 20_000
"""Up to so many pairs, all their distances are found sooner than a tree is built."""


def match_points(
    gt_xy: np.ndarray,
    pred_xy: np.ndarray,
    radius: float,
    scores: np.ndarray | None = None,
    method: str = "optimal",
) -> np.ndarray:
    """Pair ground-truth points with predictions, one to one, gated by the radius first.

    The methods:

    - ``optimal``: as many pairs as possible, then the least total distance.
    - ``greedy``: by descending score, each prediction takes the nearest ground truth that is free.
      What scores higher is never touched by what scores lower, so that one pass serves all
      thresholds.
    - ``paper``: pairs as ``greedy``; it differs in what
      :func:`~mmdet_mitosis.evaluation.functional.judge_points` makes of the predictions left over.
    - ``midog``: in the order of ``gt_xy``, each ground truth takes the nearest prediction that is
      free; scores do not matter. Of several predictions near one mitosis the nearest is the hit
      and the others are false positives, unless another mitosis takes them; of several mitoses
      near one prediction the first in the list has it, and the others are missed, unless there
      are further predictions. It can find fewer pairs than ``optimal``, and another order of the
      ground truth another number.

    Source: ``paper``: Sohail et al., arXiv 2003.08803. ``midog``: the organisers' evaluation
    (``DeepMicroscopy/MIDOG_evaluation_docker``, and that of 2025) calls ``score_detection`` of
    ``evalutils`` with 7.5 µm: predictions in a ball tree, distances up to and including the
    radius. Theirs leaves out an image that no prediction file names; here its mitoses are missed.
    The looser rule of the same group's earlier papers, where one detection can serve several
    mitoses (``TUPAC16_AlternativeLabels``, 25 px), is not this one.

    Args:
        gt_xy: Ground truth, (G, 2).
        pred_xy: Predictions, (P, 2).
        radius: Largest distance of a pair (inclusive), in the unit of the points.
        scores: (P,), needed by ``greedy`` and ``paper``.
        method: One of ``MATCH_METHODS``.

    Returns:
        (M, 2) integer array of (ground truth, prediction) indices, sorted by ground truth. For
        every method but ``midog``, which keeps to the order of the ground truth, no order of the
        input changes which points are paired, but for the choice between equals.

    Raises:
        ValueError: For an unknown method, an impossible radius, arrays of the wrong shape or with
            a NaN, or missing scores.
    """
    if method not in MATCH_METHODS:
        raise ValueError(f"unknown method {method!r}; choose one of {', '.join(MATCH_METHODS)}")
    if not 0 <= radius < np.inf:
        raise ValueError(f"radius must be a number of at least 0, got {radius}")
    gt_xy, pred_xy = as_points(gt_xy, "gt_xy"), as_points(pred_xy, "pred_xy")
    if method in SCORED_METHODS:
        scores = _checked_scores(scores, len(pred_xy), method)
    gt, pred, distances = close_pairs(gt_xy, pred_xy, radius)
    if not len(gt):
        return np.empty((0, 2), dtype=int)
    if method == "optimal":
        chosen = assign(gt, pred, distances)
    elif method == "midog":
        chosen = _in_turn(gt, pred, distances, places=pred_xy[pred], turn=gt)
    else:
        rank = np.empty(len(pred_xy), dtype=int)
        rank[score_order(scores, pred_xy)] = np.arange(len(pred_xy))
        chosen = _in_turn(gt, pred, distances, places=gt_xy[gt], turn=rank[pred])
    chosen = chosen[np.argsort(gt[chosen])]
    return np.stack([gt[chosen], pred[chosen]], axis=1)


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


def _checked_scores(scores: np.ndarray | None, n_pred: int, method: str) -> np.ndarray:
    """Check that there is a score for each prediction."""
    scores = np.empty(0) if scores is None else np.asarray(scores, dtype=float)
    if scores.shape != (n_pred,) or np.isnan(scores).any():
        raise ValueError(
            f"method {method!r} needs one score a prediction: got scores of shape "
            f"{scores.shape}, {np.isnan(scores).sum()} of them NaN, for {n_pred}"
        )
    return scores


def close_pairs(
    gt_xy: np.ndarray, pred_xy: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find all pairs within the radius.

    Args:
        gt_xy: (G, 2).
        pred_xy: (P, 2).
        radius: Largest distance (inclusive), in the unit of the points.

    Returns:
        Ground-truth indices, prediction indices and distances, (E,) each, in no certain order.
    """
    n_pairs = len(gt_xy) * len(pred_xy)
    if n_pairs <= FEW_PAIRS:
        offsets = gt_xy[:, None] - pred_xy[None]
        distances = np.sqrt((offsets**2).sum(axis=-1))
        gt, pred = np.nonzero(distances <= radius)
        return gt, pred, distances[gt, pred]
    # The tree's own arithmetic may differ in the last digit, which would move its border.
    reach = radius * (1 + 1e-9) + 1e-9
    near = cKDTree(gt_xy).sparse_distance_matrix(cKDTree(pred_xy), reach, output_type="ndarray")
    gt, pred = near["i"], near["j"]
    distances = np.sqrt(((gt_xy[gt] - pred_xy[pred]) ** 2).sum(axis=-1))
    keep = distances <= radius
    return gt[keep], pred[keep], distances[keep]


def _in_turn(
    gt: np.ndarray, pred: np.ndarray, distances: np.ndarray, places: np.ndarray, turn: np.ndarray
) -> np.ndarray:
    """Let points choose in turn, each the nearest that is free, ties by place; chosen pairs."""
    order = np.lexsort((*places.T[::-1], distances, turn))
    gt_taken: set[int] = set()
    pred_taken: set[int] = set()
    chosen = []
    for i, g, p in zip(order.tolist(), gt[order].tolist(), pred[order].tolist(), strict=True):
        if g not in gt_taken and p not in pred_taken:
            gt_taken.add(g)
            pred_taken.add(p)
            chosen.append(i)
    return np.array(chosen, dtype=int)


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
