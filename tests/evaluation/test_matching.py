"""Pairing points, and counting by the pairs."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import (
    MATCH_METHODS,
    Counts,
    assignment,
    count_matches,
    match_points,
    matching,
)
from tests.evaluation.slow import (
    RADIUS,
    as_set,
    brute_force,
    random_case,
    slow_greedy,
    slow_midog,
    total_distance,
)

ANY_ORDER = ("optimal", "greedy", "paper")


@pytest.mark.parametrize("few_pairs", [matching.FEW_PAIRS, 0], ids=["matrix", "tree"])
@pytest.mark.parametrize("cells", [assignment.DENSE_CELLS, 0], ids=["dense", "sparse"])
def test_optimal_is_what_trying_every_assignment_gives(cells, few_pairs, monkeypatch) -> None:
    monkeypatch.setattr(assignment, "DENSE_CELLS", cells)
    monkeypatch.setattr(matching, "FEW_PAIRS", few_pairs)
    sizes = []
    for seed in range(120):
        gt, pred, _ = random_case(seed)
        pairs = match_points(gt, pred, RADIUS)
        n_pairs, distance = brute_force(gt, pred)
        assert len(pairs) == n_pairs, seed
        assert total_distance(gt, pred, pairs) == pytest.approx(distance), seed
        sizes.append(n_pairs)
    assert set(sizes) >= {0, 1, 2, 3, 4}


def test_greedy_is_what_a_double_loop_gives() -> None:
    for seed in range(300):
        gt, pred, scores = random_case(seed)
        expected = slow_greedy(gt, pred, scores)
        assert as_set(match_points(gt, pred, RADIUS, scores, "greedy")) == expected, seed
        assert as_set(match_points(gt, pred, RADIUS, scores, "paper")) == expected, seed


def test_midog_is_what_a_double_loop_gives() -> None:
    for seed in range(300):
        gt, pred, _ = random_case(seed)
        expected = slow_midog(gt, pred)
        assert as_set(match_points(gt, pred, RADIUS, method="midog")) == expected, seed


@pytest.mark.parametrize("method", MATCH_METHODS)
def test_radius_gates_before_the_assignment(method: str) -> None:
    # An assignment over all distances pairs crosswise (100 + 60 < 29 + 160) and then loses both.
    gt, pred = [(0, 0), (100, 0)], [(29, 0), (-60, 0)]
    for scores in ([0.9, 0.8], [0.8, 0.9]):
        assert match_points(gt, pred, RADIUS, scores, method).tolist() == [[0, 0]]
        assert count_matches(gt, pred, RADIUS, scores, method) == Counts(tp=1, fp=1, fn=1)


def test_more_pairs_win_over_less_distance() -> None:
    # The prediction at 20 is 5 px from the second mitosis, but nothing else reaches the first.
    gt, pred = [(0, 0), (25, 0)], [(20, 0), (50, 0)]
    assert as_set(match_points(gt, pred, RADIUS)) == {(0, 0), (1, 1)}
    assert as_set(match_points(gt, pred, RADIUS, [0.9, 0.8], "greedy")) == {(1, 0)}


def test_least_distance_among_as_many_pairs() -> None:
    gt, pred = [(0, 0), (10, 0)], [(11, 0), (1, 0)]
    assert as_set(match_points(gt, pred, RADIUS)) == {(0, 1), (1, 0)}


@pytest.mark.parametrize("method", MATCH_METHODS)
def test_radius_is_inclusive(method: str) -> None:
    assert len(match_points([(0, 0)], [(18, 24)], RADIUS, [0.5], method)) == 1  # 30 exactly
    assert len(match_points([(0, 0)], [(18, 24.0001)], RADIUS, [0.5], method)) == 0


@pytest.mark.parametrize("method", MATCH_METHODS)
def test_matching_is_one_to_one(method: str) -> None:
    for seed in range(100):
        gt, pred, scores = random_case(seed, side=20.0)  # everything in reach of everything
        pairs = match_points(gt, pred, RADIUS, scores, method)
        assert len(pairs) == min(len(gt), len(pred))
        assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
        assert pairs[:, 0].tolist() == sorted(pairs[:, 0])


@pytest.mark.parametrize("method", MATCH_METHODS)
@pytest.mark.parametrize(("n_gt", "n_pred"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_match(method: str, n_gt: int, n_pred: int) -> None:
    gt, pred, scores = np.zeros((n_gt, 2)), np.zeros((n_pred, 2)), np.ones(n_pred)
    assert match_points(gt, pred, RADIUS, scores, method).shape == (0, 2)
    assert count_matches(gt, pred, RADIUS, scores, method) == Counts(0, n_pred, n_gt)
    assert match_points([], pred, RADIUS, scores, method).shape == (0, 2)


def test_points_in_one_place_match_at_no_distance(monkeypatch) -> None:
    # A sparse array with an entry 0 must not be taken for one without the entry.
    for method in MATCH_METHODS:
        assert match_points([(5, 5)], [(5, 5)], 0.0, [1.0], method).tolist() == [[0, 0]]
    monkeypatch.setattr(assignment, "DENSE_CELLS", 0)
    assert match_points([(5, 5)], [(5, 5)], 0.0).tolist() == [[0, 0]]


def test_the_surest_takes_the_nearest_that_is_free() -> None:
    gt, pred = [(0, 0), (20, 0)], [(4, 0), (8, 0)]
    assert as_set(match_points(gt, pred, RADIUS, [0.9, 0.8], "greedy")) == {(0, 0), (1, 1)}
    assert as_set(match_points(gt, pred, RADIUS, [0.8, 0.9], "greedy")) == {(0, 1), (1, 0)}


@pytest.mark.parametrize("method", ANY_ORDER)
def test_order_of_the_input_does_not_matter(method: str) -> None:
    rng = np.random.default_rng(0)
    for seed in range(60):
        gt, pred, scores = random_case(seed)
        gt, pred, scores = gt.round(-1), pred.round(-1), scores.round(0)  # ties of every kind
        expected = count_matches(gt, pred, RADIUS, scores, method)
        for _ in range(4):
            g, p = rng.permutation(len(gt)), rng.permutation(len(pred))
            assert count_matches(gt[g], pred[p], RADIUS, scores[p], method) == expected, seed


def test_midog_keeps_to_the_order_of_the_ground_truth_alone() -> None:
    rng = np.random.default_rng(0)
    changed = 0
    for seed in range(60):
        gt, pred, _ = random_case(seed)
        expected = count_matches(gt, pred, RADIUS, method="midog")
        p = rng.permutation(len(pred))
        assert count_matches(gt, pred[p], RADIUS, method="midog") == expected, seed
        changed += count_matches(gt[::-1], pred, RADIUS, method="midog") != expected
    assert changed


def test_equal_distances_are_decided_by_place_and_not_by_row() -> None:
    # The surest is as far from both; the other reaches the right one only.
    gt, pred, scores = np.array([(-10.0, 0), (10, 0)]), [(0, 0), (35, 0)], [0.9, 0.8]
    there = count_matches(gt, pred, RADIUS, scores, "greedy")
    back = count_matches(gt[::-1], pred, RADIUS, scores, "greedy")
    assert there == back == Counts(tp=2)


def test_midog_decides_between_equal_distances_by_place_and_not_by_row() -> None:
    # The first mitosis is as far from both; the second reaches the right one only.
    gt, pred = [(0, 0), (35, 0)], np.array([(-10.0, 0), (10, 0)])
    there = count_matches(gt, pred, RADIUS, method="midog")
    back = count_matches(gt, pred[::-1], RADIUS, method="midog")
    assert there == back == Counts(tp=2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "hungarian"}, "'hungarian'; choose one of optimal, greedy, paper, midog"),
        ({"gt_xy": np.zeros((4, 3))}, r"gt_xy must have shape \(N, 2\), got \(4, 3\)"),
        ({"pred_xy": np.zeros(2)}, r"pred_xy must have shape \(N, 2\), got \(2,\)"),
        ({"pred_xy": [(1, 2), (np.nan, 3)]}, r"pred_xy must be finite, got \[nan, 3.0\] in row 1"),
        ({"method": "greedy"}, r"'greedy' needs one score a prediction: got .*\(0,\).* for 2"),
        ({"method": "paper", "scores": [1.0]}, r"'paper' needs one score .*\(1,\).* for 2"),
        ({"method": "greedy", "scores": [1.0, np.nan]}, "1 of them NaN"),
        ({"radius": -1.0}, "radius must be a number of at least 0, got -1.0"),
        ({"radius": float("nan")}, "radius .* got nan"),
    ],
)
def test_wrong_arguments_are_named(wrong: dict, message: str) -> None:
    right = {"gt_xy": np.zeros((3, 2)), "pred_xy": np.zeros((2, 2)), "radius": RADIUS}
    for function in (match_points, count_matches):
        with pytest.raises(ValueError, match=message):
            function(**{**right, **wrong})


def test_tens_of_thousands_of_points_are_matched() -> None:
    # A full matrix of distances would take 3 GB.
    rng = np.random.default_rng(0)
    gt = np.stack(np.divmod(np.arange(20_000), 200), axis=1) * 100.0
    shuffled = rng.permutation(len(gt))
    pred = (gt + rng.uniform(-15, 15, gt.shape))[shuffled]
    for method in MATCH_METHODS:
        pairs = match_points(gt, pred, RADIUS, rng.random(len(gt)), method)
        assert (shuffled[pairs[:, 1]] == pairs[:, 0]).all()
        assert len(pairs) == 20_000


def test_second_hit_is_false_unless_the_papers_rule_is_asked_for() -> None:
    gt, pred, scores = [(0, 0), (500, 0)], [(3, 0), (-3, 0), (0, 60)], [0.9, 0.8, 0.7]
    assert count_matches(gt, pred, RADIUS, scores, "optimal") == Counts(tp=1, fp=2, fn=1)
    assert count_matches(gt, pred, RADIUS, scores, "greedy") == Counts(tp=1, fp=2, fn=1)
    assert count_matches(gt, pred, RADIUS, scores, "paper") == Counts(tp=1, fp=1, fn=1)


def test_counts_add_up_and_optimal_finds_no_fewer_than_greedy() -> None:
    more = 0
    for seed in range(300):
        gt, pred, scores = random_case(seed)
        optimal, greedy, paper = (count_matches(gt, pred, RADIUS, scores, m) for m in ANY_ORDER)
        for counts in (optimal, greedy, paper):
            assert counts.tp + counts.fn == len(gt)
        assert optimal.tp + optimal.fp == greedy.tp + greedy.fp == len(pred)
        assert (paper.tp, paper.fn) == (greedy.tp, greedy.fn)
        far = [p for p in pred if not any(np.hypot(*(g - p)) <= RADIUS for g in gt)]
        assert paper.fp == len(far)
        assert optimal.tp >= greedy.tp
        more += optimal.tp > greedy.tp
    assert more


def test_no_radius_is_infinite_and_the_smallest_still_match() -> None:
    points = np.array([[0.0, 0.0], [0.002, 0.0]])
    for method in MATCH_METHODS:
        with pytest.raises(ValueError, match="radius"):
            match_points(points, points, np.inf, [0.5, 0.5], method)
    # Far under a pixel the most pairs are still what counts, not the shortest.
    found = match_points([[0.0, 0.0], [0.001, 0.0]], [[0.001, 0.0], [0.002, 0.0]], 0.001)
    assert sorted(map(tuple, np.asarray(found)[:, :2].astype(int).tolist())) == [(0, 0), (1, 1)]
