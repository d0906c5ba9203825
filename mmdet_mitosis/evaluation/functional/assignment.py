"""As many pairs as possible, then the least total distance, among the pairs within reach."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import (
    breadth_first_order,
    connected_components,
    maximum_flow,
    min_weight_full_bipartite_matching,
)

DENSE_CELLS = 10**6
"""A group of points with more possible pairs than this is not written out as a matrix."""
COST_STEPS = 2**30
"""Distances of a large group are whole multiples of such a part of the longest."""


def assign(gt: np.ndarray, pred: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Choose pairs, one to one: as many as possible, and among such choices the least distance.

    The pairs within reach tie the points into groups that have nothing to do with one another;
    where each point has one partner, there is nothing to choose. Where one side of a group is a
    single point, it takes the nearest; a small group is solved as a matrix; a large one is divided
    first.

    Args:
        gt: Ground-truth index of each pair within reach, (E,).
        pred: Prediction index of each, (E,).
        distances: Distance of each, (E,).

    Returns:
        (M,) indices of the chosen ones.
    """
    if len(set(gt.tolist())) == len(set(pred.tolist())) == len(gt):
        return np.arange(len(gt))
    group, n_gt, n_pred = _groups(gt, pred)
    single = (np.minimum(n_gt, n_pred) == 1)[group]
    order = np.lexsort((distances, group))
    order = order[single[order]]
    chosen = [order[np.diff(group[order], prepend=-1) != 0]]
    for edges in _each(group, ~single):
        label = group[edges[0]]
        small = n_gt[label] * n_pred[label] <= DENSE_CELLS
        solve = _solve_matrix if small else _solve_divided
        chosen.append(edges[solve(gt[edges], pred[edges], distances[edges])])
    return np.concatenate(chosen)


def _groups(gt: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label the connected group of each edge, (E,); count its points of both sides, (K,) each."""
    n_gt, gt = _compact(gt)
    n_pred, pred = _compact(pred)
    n_groups, labels = connected_components(_graph(gt, pred + n_gt, n_gt + n_pred), directed=False)
    sides = labels[:n_gt], labels[n_gt:]
    return labels[gt], *(np.bincount(side, minlength=n_groups) for side in sides)


def _compact(index: np.ndarray) -> tuple[int, np.ndarray]:
    """Count the distinct values and number them from 0."""
    values, compact = np.unique(index, return_inverse=True)
    return len(values), compact


def _graph(start: np.ndarray, end: np.ndarray, n_nodes: int) -> csr_array:
    """Make the adjacency matrix of a graph of so many nodes."""
    return csr_array((np.ones(len(start), np.int32), (start, end)), shape=(n_nodes, n_nodes))


def _each(group: np.ndarray, among: np.ndarray) -> Iterator[np.ndarray]:
    """Give the indices of each group's edges, of the edges that a mask holds."""
    edges = np.flatnonzero(among)
    edges = edges[np.argsort(group[edges], kind="stable")]
    if len(edges):
        yield from np.split(edges, np.flatnonzero(np.diff(group[edges])) + 1)


def _solve_matrix(gt: np.ndarray, pred: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Solve a group as a matrix of all its points; indices of the chosen edges."""
    (n_gt, gt), (n_pred, pred) = _compact(gt), _compact(pred)
    # A pair is worth more than any saving of distance: first their number, then the distance.
    worth = (distances.max() + 1) * (min(n_gt, n_pred) + 1)
    cost, edge = np.zeros((n_gt, n_pred)), np.full((n_gt, n_pred), -1)
    cost[gt, pred] = distances - worth
    edge[gt, pred] = np.arange(len(gt))
    chosen = edge[linear_sum_assignment(cost)]
    return chosen[chosen >= 0]


def _solve_divided(gt: np.ndarray, pred: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Solve a large group part by part; indices of the chosen edges."""
    chosen = []
    part, paired = _divide(gt, pred)
    for number in range(3):
        inside = np.flatnonzero(part == number)
        group, n_gt, n_pred = _groups(gt[inside], pred[inside])
        for local in _each(group, np.ones(len(inside), dtype=bool)):
            edges, label = inside[local], group[local[0]]
            own = gt[edges], pred[edges], distances[edges]
            if n_gt[label] * n_pred[label] <= DENSE_CELLS:
                chosen.append(edges[_solve_matrix(*own)])
            elif n_gt[label] <= n_pred[label]:
                chosen.append(edges[_solve_full(*own, paired[edges])])
            else:
                chosen.append(edges[_solve_full(own[1], own[0], own[2], paired[edges])])
    return np.concatenate(chosen)


def _divide(gt: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide a group where no largest set of pairs crosses.

    Some ground truth must stay alone, and what could stay alone in its stead is one part (1); the
    same from the predictions is another (2); the rest is paired completely (0). In each part one
    side is paired completely. Source: Dulmage and Mendelsohn, Coverings of bipartite graphs,
    Canadian Journal of Mathematics 10 (1958), 517-534.

    Returns:
        Part of each edge, (E,), -1 for an edge between two parts; and whether it is of the one
        largest set of pairs that was found, (E,) bool.
    """
    (n_gt, gt), (n_pred, pred) = _compact(gt), _compact(pred)
    pred_of_gt = _largest_matching(gt, pred, n_gt, n_pred)
    gt_of_pred = np.full(n_pred, -1)
    matched = np.flatnonzero(pred_of_gt >= 0)
    gt_of_pred[pred_of_gt[matched]] = matched
    gt_part, pred_part = np.zeros(n_gt, dtype=int), np.zeros(n_pred, dtype=int)
    own, other = _alternating_reach(gt, pred, pred_of_gt, gt_of_pred)
    gt_part[own], pred_part[other] = 1, 1
    own, other = _alternating_reach(pred, gt, gt_of_pred, pred_of_gt)
    pred_part[own], gt_part[other] = 2, 2
    part = np.where(gt_part[gt] == pred_part[pred], gt_part[gt], -1)
    return part, pred_of_gt[gt] == pred


def _largest_matching(gt: np.ndarray, pred: np.ndarray, n_gt: int, n_pred: int) -> np.ndarray:
    """Pair as many as possible, at any distance; the prediction of each ground truth, or -1.

    By flow: SciPy's ``maximum_bipartite_matching`` takes exponential time on some groups (its
    issue 26147, open in version 1.17).
    """
    source, sink = n_gt + n_pred, n_gt + n_pred + 1
    start = np.concatenate([np.full(n_gt, source), gt, np.arange(n_gt, source)])
    end = np.concatenate([np.arange(n_gt), pred + n_gt, np.full(n_pred, sink)])
    flow = maximum_flow(_graph(start, end, sink + 1), source, sink, method="dinic").flow
    flow = flow[:n_gt, n_gt:source].tocoo()
    used = flow.data > 0
    pred_of_gt = np.full(n_gt, -1)
    pred_of_gt[flow.row[used]] = flow.col[used]
    return pred_of_gt


def _alternating_reach(
    own: np.ndarray, other: np.ndarray, other_of_own: np.ndarray, own_of_other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Walk from unmatched points by any edge to the other side and by matched ones back.

    Returns:
        Masks of the points reached on both sides.
    """
    n_own, n_other = len(other_of_own), len(own_of_other)
    free, matched = np.flatnonzero(other_of_own < 0), np.flatnonzero(own_of_other >= 0)
    source = n_own + n_other
    start = np.concatenate([np.full(len(free), source), own, matched + n_own])
    end = np.concatenate([free, other + n_own, own_of_other[matched]])
    graph = _graph(start, end, source + 1)
    reached = np.zeros(source + 1, dtype=bool)
    reached[breadth_first_order(graph, source, return_predecessors=False)] = True
    return reached[:n_own], reached[n_own:source]


def _solve_full(
    few: np.ndarray, many: np.ndarray, distances: np.ndarray, paired: np.ndarray
) -> np.ndarray:
    """Solve a part of which the side with fewer points is paired completely.

    Args:
        few: Points of that side, by edge, (E,).
        many: Points of the other side, (E,).
        distances: Distance of each, (E,).
        paired: Edges that pair it completely, (E,) bool.

    Returns:
        Indices of the chosen edges.
    """
    (n_few, few), (n_many, many) = _compact(few), _compact(many)
    # The solver takes 0 for an absent edge, and may turn in circles on rounded sums: whole numbers
    # from 1 have none. It first asks maximum_bipartite_matching whether all rows can be paired,
    # which is answered at once where each row begins with its own partner.
    costs = np.rint(distances * (COST_STEPS / (distances.max() or 1.0))) + 1
    order = np.lexsort((many, ~paired, few))
    starts = np.searchsorted(few[order], np.arange(n_few + 1))
    graph = csr_array((costs[order], many[order], starts), shape=(n_few, n_many))
    rows, cols = min_weight_full_bipartite_matching(graph)
    order = np.lexsort((many, few))
    return order[np.searchsorted((few * n_many + many)[order], rows * n_many + cols)]
