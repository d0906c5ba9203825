"""What holds for any points: ties, duplicates and empty sides included."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet_mitosis.evaluation.functional import (
    MATCH_METHODS,
    count_matches,
    judge_points,
    match_points,
)
from tests.evaluation.slow import largest_matching, total_distance

RULES = settings(max_examples=80, deadline=None, derandomize=True, database=None)
WHOLE = st.integers(0, 14).map(lambda i: 6.0 * i)  # 30 px are five steps, or three and four
ANYWHERE = st.floats(0, 90, allow_nan=False).map(lambda x: round(x, 3))
POINT = st.one_of(st.tuples(WHOLE, WHOLE), st.tuples(ANYWHERE, ANYWHERE))
POINTS = st.lists(POINT, max_size=9).map(lambda rows: np.array(rows, float).reshape(-1, 2))
RADII = st.one_of(st.sampled_from([0.0, 6.0, 30.0]), st.floats(0, 120))


@st.composite
def cases(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ground truth, predictions and scores of which some are equal."""
    gt, pred = draw(POINTS), draw(POINTS)
    levels = st.integers(1, 4).map(lambda i: i / 4)
    scores = draw(st.lists(levels, min_size=len(pred), max_size=len(pred)))
    return gt, pred, np.array(scores, float)


@RULES
@given(cases(), RADII, st.sampled_from(MATCH_METHODS))
def test_every_point_has_one_fate(case, radius, method) -> None:
    gt, pred, scores = case
    outcome = judge_points(gt, pred, radius, scores, method)
    counts = count_matches(gt, pred, radius, scores, method)
    assert outcome.counts == counts
    assert counts.tp + counts.fn == len(gt)
    assert sorted([*outcome.pairs[:, 0], *outcome.misses]) == list(range(len(gt)))
    seen = [*outcome.pairs[:, 1].tolist(), *outcome.false_alarms.tolist()]
    if method == "paper":
        assert len(set(seen)) == len(seen)
        for p in set(range(len(pred))) - set(seen):
            assert np.hypot(*(gt - pred[p]).T).min() <= radius
    else:
        assert sorted(seen) == list(range(len(pred)))
        assert counts.tp + counts.fp == len(pred)
    for g, p in outcome.pairs.tolist():
        assert np.hypot(*(gt[g] - pred[p])) <= radius


@RULES
@given(cases(), RADII)
def test_optimal_has_the_most_pairs_that_there_can_be(case, radius) -> None:
    gt, pred, scores = case
    most = largest_matching(gt.tolist(), pred.tolist(), radius)
    assert len(match_points(gt, pred, radius)) == most
    for method in MATCH_METHODS[1:]:
        n_pairs = len(match_points(gt, pred, radius, scores, method))
        # None leaves a pair with both points free, and such a choice has half of the most.
        assert most / 2 <= n_pairs <= most


@RULES
@given(cases(), RADII, st.randoms(use_true_random=False))
def test_no_order_of_the_input_matters(case, radius, random) -> None:
    gt, pred, scores = case
    g, p = (random.sample(range(len(points)), len(points)) for points in (gt, pred))
    for method in ("optimal", "greedy", "paper"):
        there = count_matches(gt, pred, radius, scores, method)
        assert count_matches(gt[g], pred[p], radius, scores[p], method) == there
    there = count_matches(gt, pred, radius, method="midog")
    assert count_matches(gt, pred[p], radius, method="midog") == there
    distance = total_distance(gt, pred, match_points(gt, pred, radius))
    again = total_distance(gt[g], pred[p], match_points(gt[g], pred[p], radius))
    assert np.isclose(distance, again)


@RULES
@given(cases(), RADII)
def test_optimal_treats_both_sides_alike(case, radius) -> None:
    gt, pred, _ = case
    there, back = count_matches(gt, pred, radius), count_matches(pred, gt, radius)
    assert (there.tp, there.fp, there.fn) == (back.tp, back.fn, back.fp)
    assert there.f_score == back.f_score


@RULES
@given(cases(), st.lists(RADII, min_size=2, max_size=4), st.sampled_from(MATCH_METHODS))
def test_recall_never_falls_as_the_radius_grows(case, radii, method) -> None:
    # Also of the greedy rules: a pair that is newly in reach is the longest of its chooser, who
    # takes it only for want of another, and then one point more is paired and at most one set free.
    gt, pred, scores = case
    recalls = [count_matches(gt, pred, r, scores, method).recall for r in sorted(radii)]
    assert recalls == sorted(recalls)


@RULES
@given(cases(), RADII, st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_what_scores_lower_never_changes_the_pairs_of_greedy(case, radius, threshold) -> None:
    gt, pred, scores = case
    pairs = match_points(gt, pred, radius, scores, "greedy")
    above = np.flatnonzero(scores >= threshold)
    alone = match_points(gt, pred[above], radius, scores[above], "greedy")
    places = {(*gt[g], *pred[p]) for g, p in pairs.tolist() if scores[p] >= threshold}
    assert {(*gt[g], *pred[above][p]) for g, p in alone.tolist()} == places
