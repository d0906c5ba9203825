"""Merging views, against an obvious way to do it and by what holds for any detections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet_mitosis.models.consensus import merge_views

RULES = settings(max_examples=100, deadline=None, derandomize=True, database=None)
RADIUS = 25.0


def slow(centers, scores, views, n_views, radius) -> list[tuple]:
    """Score and place of each object, the surest first, looking at all that is left each time."""
    left = [(s, x, y, v) for (x, y), s, v in zip(centers, scores, views, strict=True)]
    objects = []
    while left:
        highest = max(s for s, *_ in left)
        seed = min((d for d in left if d[0] == highest), key=lambda d: (d[1], d[2]))
        members = [seed]
        for view in set(range(n_views)) - {seed[3]}:
            near = [
                (-s, np.hypot(x - seed[1], y - seed[2]), y, x, v)
                for s, x, y, v in left
                if v == view and np.hypot(x - seed[1], y - seed[2]) <= radius
            ]
            if near:
                s, _, y, x, v = min(near)
                members.append((-s, x, y, v))
        for member in members:
            left.remove(member)
        objects.append((sum(m[0] for m in members) / n_views, *seed[:3]))
    return sorted(objects, key=lambda o: (-round(o[0], 9), o[2], o[3]))


def fast(centers, scores, views, n_views, radius=RADIUS) -> list[tuple]:
    """Score, place and highest score of each object."""
    centers, scores = np.reshape(centers, (-1, 2)), np.asarray(scores)
    surest, means = merge_views(centers, scores, views, n_views, radius)
    assert (np.diff(means) <= 0).all()
    return [
        (m, s, *xy)
        for m, s, xy in zip(means, scores[surest], centers[surest].tolist(), strict=True)
    ]


@st.composite
def detections(draw, distinct: bool = False):
    """Places on a coarse grid, scores of which many are equal unless they are to be distinct."""
    n_views, n = draw(st.integers(1, 5)), draw(st.integers(0, 14))
    steps = st.integers(0, 8).map(lambda k: 10.0 * k)
    centers = np.array([draw(st.tuples(steps, steps)) for _ in range(n)]).reshape(-1, 2)
    if distinct:
        scores = np.array(draw(st.permutations(range(n))), float) / 16 + 1 / 32
    else:
        scores = np.array([draw(st.sampled_from([0.25, 0.5, 0.75])) for _ in range(n)])
    views = np.array([draw(st.integers(0, n_views - 1)) for _ in range(n)], int)
    return centers, scores, views, n_views


@RULES
@given(detections())
def test_it_is_what_the_obvious_way_gives(case) -> None:
    assert np.array(sorted(fast(*case))) == pytest.approx(np.array(sorted(slow(*case, RADIUS))))


@RULES
@given(detections(), st.randoms(use_true_random=False))
def test_no_order_of_detections_or_views_matters(case, random) -> None:
    centers, scores, views, n_views = case
    rows = random.sample(range(len(scores)), len(scores))
    names = np.array(random.sample(range(n_views), n_views))
    again = fast(centers[rows], scores[rows], names[views[rows]], n_views)
    assert again == fast(*case)


@RULES
@given(detections(), st.integers(1, 8))
def test_views_that_agree_are_as_one(case, n_copies) -> None:
    centers, scores, _, _ = case
    once = [(s, s, *xy) for s, xy in zip(scores, centers.tolist(), strict=True)]
    views = np.repeat(np.arange(n_copies), len(scores))
    found = fast(np.tile(centers, (n_copies, 1)), np.tile(scores, n_copies), views, n_copies)
    assert sorted(found) == [pytest.approx(row) for row in sorted(once)]


@RULES
@given(detections(distinct=True), st.booleans(), st.booleans())
def test_what_is_mirrored_or_turned_gives_what_is(case, mirrored, transposed) -> None:
    centers, *rest = case
    other = np.array([100.0, 0.0]) - centers * [1, -1] if mirrored else centers
    other = other[:, ::-1] if transposed else other
    places = {(s, m): (x, y) for m, s, x, y in fast(centers, *rest)}
    again = {(s, m): (x, y) for m, s, x, y in fast(other, *rest)}
    assert set(places) == set(again)
    for key, (x, y) in places.items():
        x, y = (100.0 - x, y) if mirrored else (x, y)
        assert again[key] == ((y, x) if transposed else (x, y))


@RULES
@given(detections())
def test_scores_add_up_and_no_object_is_surer_than_its_surest_view(case) -> None:
    _, scores, _, n_views = case
    found = fast(*case)
    assert sum(m for m, *_ in found) * n_views == pytest.approx(scores.sum())
    assert all(m <= s + 1e-12 for m, s, *_ in found)


def test_an_object_that_one_of_four_views_misses() -> None:
    centers = [(100, 100), (104, 98), (90, 110), (300, 300)]
    found = fast(centers, [0.8, 0.9, 0.6, 0.4], [0, 1, 3, 2], 4)
    assert found == [(pytest.approx(2.3 / 4), 0.9, 104, 98), (0.1, 0.4, 300, 300)]


def test_of_a_view_the_surest_near_one_counts_and_of_equally_sure_ones_the_nearest() -> None:
    centers = [(100, 100), (101, 100), (110, 100), (120, 100)]
    found = fast(centers, [0.9, 0.1, 0.8, 0.8], [0, 1, 1, 1], 2)
    assert found[0] == (pytest.approx(0.85), 0.9, 100, 100)
    assert [row[2] for row in found[1:]] == [120, 101]


def test_the_radius_belongs_to_it_and_chains_do_not_grow() -> None:
    line = [(0, 0), (25, 0), (50, 0)]
    assert len(fast(line, [0.9, 0.8, 0.7], [0, 1, 2], 3)) == 2
    assert len(fast([(0, 0), (25.001, 0)], [0.9, 0.8], [0, 1], 2)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(1, 1)], [0.5, 0.5], [0]), "1 centres, 2 scores and 1 views do not belong"),
        (([(1, 1)], [0.5], [2]), "runs from 2 to 2, but there are 2 views"),
        (([(1, 1)], [0.5], [-1]), "runs from -1 to -1"),
    ],
)
def test_what_does_not_belong_together_is_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        merge_views(*map(np.array, arguments), 2, RADIUS)
    assert [len(part) for part in merge_views(np.empty((0, 2)), [], [], 3, RADIUS)] == [0, 0]
