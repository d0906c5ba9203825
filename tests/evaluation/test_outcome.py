"""Counts of a field, what they are made of, and the ratios made of them."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import (
    Counts,
    count_look_alikes,
    judge_points,
)
from mmdet_mitosis.evaluation.functional.counts import ratio
from tests.evaluation.slow import RADIUS, largest_matching, random_case


def test_ratios_of_counts() -> None:
    counts = Counts(tp=6, fp=2, fn=4)
    assert (counts.precision, counts.recall) == (0.75, 0.6)
    assert counts.f_score == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))
    assert counts + Counts(1, 2, 3) == Counts(7, 4, 7)
    assert (Counts().precision, Counts().recall, Counts().f_score) == (0, 0, 0)
    assert Counts(fn=3).f_score == Counts(fp=3).f_score == 0


def test_ratios_of_arrays_are_those_of_each_count() -> None:
    table = np.array([(6, 2, 4), (0, 0, 0), (0, 3, 0), (0, 0, 3), (5, 0, 0)])
    for name in ("precision", "recall", "f_score"):
        expected = [getattr(Counts(*row), name) for row in table.tolist()]
        assert ratio(name, *table.T).tolist() == pytest.approx(expected)
    with pytest.raises(ValueError, match="unknown ratio 'f1'; choose one of precision, recall"):
        ratio("f1", *table.T)


def test_outcome_names_the_points() -> None:
    gt, pred = [(0, 0), (500, 0)], [(0, 60), (3, 0), (-3, 0)]
    scores = [0.7, 0.8, 0.9]
    optimal = judge_points(gt, pred, RADIUS, scores)
    assert len(optimal.pairs) == 1
    assert (optimal.false_alarms[0], optimal.misses.tolist()) == (0, [1])
    greedy = judge_points(gt, pred, RADIUS, scores, "greedy")
    assert (greedy.pairs.tolist(), greedy.false_alarms.tolist()) == ([[0, 2]], [0, 1])
    paper = judge_points(gt, pred, RADIUS, scores, "paper")
    assert (paper.pairs.tolist(), paper.false_alarms.tolist()) == ([[0, 2]], [0])
    assert paper.counts == Counts(tp=1, fp=1, fn=1)


def test_look_alikes_are_counted_one_to_one_within_the_radius() -> None:
    look_alikes = [(0, 0), (100, 0)]
    assert count_look_alikes(look_alikes, [(3, 0), (-3, 0)], RADIUS) == 1  # two on one
    assert count_look_alikes(look_alikes, [(50, 0)], RADIUS) == 0
    assert count_look_alikes(look_alikes, [(30, 0), (129, 0), (400, 0)], RADIUS) == 2
    assert count_look_alikes([], [(1, 1)], RADIUS) == count_look_alikes([(1, 1)], [], RADIUS) == 0
    # As many as possible: the one at 20 must leave the look-alike at 25 to the other.
    assert count_look_alikes([(0, 0), (25, 0)], [(20, 0), (50, 0)], RADIUS) == 2


def test_look_alikes_are_sought_among_the_false_alarms_only() -> None:
    for seed in range(60):
        gt, pred, scores = random_case(seed)
        look_alikes = random_case(seed + 1000)[0]
        false = pred[judge_points(gt, pred, RADIUS, scores).false_alarms]
        found = count_look_alikes(look_alikes, false, RADIUS)
        assert found == largest_matching(look_alikes, false, RADIUS), seed
