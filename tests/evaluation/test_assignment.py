"""Large and awkward groups of pairs within reach."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from mmdet_mitosis.evaluation.functional import assignment, match_points, matching
from mmdet_mitosis.evaluation.functional.matching import close_pairs
from tests.evaluation.slow import RADIUS, total_distance


def whole_matrix(gt: np.ndarray, pred: np.ndarray) -> tuple[int, float]:
    """Most pairs and least distance from one matrix of all points, without any groups."""
    distances = np.hypot(*(gt[:, None] - pred[None]).T).T
    cost = np.where(distances <= RADIUS, distances - 1e6, 0.0)
    rows, cols = linear_sum_assignment(cost)
    paired = distances[rows, cols] <= RADIUS
    return int(paired.sum()), float(distances[rows, cols][paired].sum())


@pytest.mark.parametrize("cells", [0, 2000])
@pytest.mark.parametrize(("n_gt", "n_pred"), [(300, 300), (260, 300), (300, 200)])
def test_divided_groups_give_the_optimum_of_the_whole(n_gt, n_pred, cells, monkeypatch) -> None:
    monkeypatch.setattr(assignment, "DENSE_CELLS", cells)
    seen = set()
    divide = assignment._divide

    def spy(gt, pred):
        part, paired = divide(gt, pred)
        seen.update(part.tolist())
        return part, paired

    monkeypatch.setattr(assignment, "_divide", spy)
    for side in (500, 420, 300):
        rng = np.random.default_rng(side)
        gt, pred = rng.uniform(0, side, (n_gt, 2)), rng.uniform(0, side, (n_pred, 2))
        pairs = match_points(gt, pred, RADIUS)
        n_pairs, distance = whole_matrix(gt, pred)
        assert len(pairs) == n_pairs
        assert total_distance(gt, pred, pairs) == pytest.approx(distance)
    assert seen == {-1, 0, 1, 2}  # every kind of part was met, and edges between them


def test_one_large_group_is_matched_without_a_full_matrix() -> None:
    # A chain: each prediction lies between two mitoses, so that all are one group.
    gt = np.stack([np.arange(1500) * 40.0, np.zeros(1500)], axis=1)
    pred = gt - (18.0, 0)
    assert len(gt) * len(pred) > assignment.DENSE_CELLS
    pairs = match_points(gt, pred, RADIUS)
    assert (pairs[:, 0] == pairs[:, 1]).all()
    assert len(pairs) == 1500


def test_a_hundred_thousand_points_a_side_are_matched() -> None:
    # A full matrix of distances would take 80 GB.
    rng = np.random.default_rng(0)
    gt, pred, scores = (rng.uniform(0, 20_000, (100_000, 2)) for _ in range(3))
    found = {m: match_points(gt, pred, RADIUS, scores[:, 0], m) for m in ("optimal", "greedy")}
    found["midog"] = match_points(gt, pred, RADIUS, method="midog")
    rows, cols, _ = close_pairs(gt, pred, RADIUS)
    graph = csr_array((np.ones(len(rows)), (rows, cols)), shape=(len(gt), len(pred)))
    assert len(found["optimal"]) == np.sum(maximum_bipartite_matching(graph) >= 0)
    for name, pairs in found.items():
        assert np.hypot(*(gt[pairs[:, 0]] - pred[pairs[:, 1]]).T).max() <= RADIUS
        for column in (0, 1):
            assert len(np.unique(pairs[:, column])) == len(pairs)
        # Nothing that could be paired is left: no close pair has both its points free.
        gt_free, pred_free = np.ones(len(gt), bool), np.ones(len(pred), bool)
        gt_free[pairs[:, 0]] = pred_free[pairs[:, 1]] = False
        assert not (gt_free[rows] & pred_free[cols]).any(), name


def test_many_ways_into_dead_ends_take_no_time(monkeypatch) -> None:
    # 40 levels of two points, each of which leads to both of the next: 2^40 ways, none of which
    # pairs what is left. Beside them one way that does, as long, so that it is looked for.
    monkeypatch.setattr(assignment, "DENSE_CELLS", 0)
    levels = range(40)
    edges = [((k, a), (k, a)) for k in levels for a in (0, 1)]
    edges += [((k, a), (k + 1, b)) for k in levels[:-1] for a in (0, 1) for b in (0, 1)]
    edges += [("left over", (0, a)) for a in (0, 1)]
    edges += [(("way", k), ("way", k)) for k in levels] + [("begin", ("way", 0))]
    edges += [(("way", k), ("way", k + 1)) for k in levels] + [(("way", 0), (0, 0))]
    gts = {name: i for i, name in enumerate(dict.fromkeys(g for g, _ in edges))}
    preds = {name: i for i, name in enumerate(dict.fromkeys(p for _, p in edges))}
    gt, pred = np.array([gts[g] for g, _ in edges]), np.array([preds[p] for _, p in edges])
    chosen = assignment.assign(gt, pred, np.arange(len(edges)) % 7 + 1.0)
    assert len(chosen) == len(preds) == len(gts) - 1
    for column in (gt, pred):
        assert len(set(column[chosen].tolist())) == len(chosen)


def test_close_pairs_are_the_same_from_a_tree_and_from_a_matrix(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    # Whole pixels, where many pairs are the radius apart to the last digit.
    gt, pred = rng.integers(0, 200, (120, 2)) * 6.0, rng.integers(0, 200, (120, 2)) * 6.0
    expected = {
        (g, p) for g in range(120) for p in range(120) if sum((gt[g] - pred[p]) ** 2) <= 900
    }
    assert any(sum((gt[g] - pred[p]) ** 2) == 900 for g, p in expected)
    for few in (matching.FEW_PAIRS, 0):
        monkeypatch.setattr(matching, "FEW_PAIRS", few)
        rows, cols, distances = close_pairs(gt, pred, RADIUS)
        assert set(zip(rows.tolist(), cols.tolist(), strict=True)) == expected
        assert len(rows) == len(expected)
        assert np.allclose(distances, np.hypot(*(gt[rows] - pred[cols]).T))
