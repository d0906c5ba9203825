import math
import time

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet_mitosis.inference.hotspot import (
    SHAPES,
    field_of_view_area,
    find_hotspot,
    find_slide_hotspot,
)
from tests.inference.brute_hotspot import allowed_centers, brute_hotspot, count_inside
from tests.inference.slide_results import make_result

SIZES = [(4.0, 3.0), (1.0, 5.0), (5.0, 1.0), (1.0, 1.2), (1.5, 1.5)]


def checked(points, size, area, shape):
    """Find a hotspot that agrees with the reference and keeps its own promises."""
    points = np.asarray(points, float).reshape(-1, 2)
    hotspot = find_hotspot(points, size, area, shape)
    count, first = brute_hotspot(points, size, hotspot.half_mm, shape)
    assert hotspot.count == count
    assert hotspot.center_xy == pytest.approx(first, abs=1e-4)  # 1e-9 mm of slack, seen flatly
    low, high = allowed_centers(size, hotspot.half_mm)
    assert (low - 1e-12 <= hotspot.center_xy).all() and (hotspot.center_xy <= high + 1e-12).all()
    inside = [
        i
        for i, p in enumerate(points)
        if count_inside(p, hotspot.center_xy, hotspot.half_mm, shape)
    ]
    assert hotspot.indices.tolist() == inside and len(inside) == hotspot.count
    return hotspot


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_random_points_are_counted_as_by_brute_force(shape, size):
    rng = np.random.default_rng(SIZES.index(size))
    for n in (1, 2, 3, 5, 8, 13):
        for area in (0.05, 0.5, 2.0):
            points = rng.uniform(0, 1, (n, 2)) * size
            if n % 2:
                points = np.clip(rng.normal(0.4, 0.15, (n, 2)), 0, 1) * size
            checked(points, size, area, shape)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), max_size=9),
    st.sampled_from([0.04, 0.16, 0.25, 1.0, math.pi / 4, math.pi * 0.01, 2.0]),
)
def test_points_on_a_lattice_lie_on_borders(shape, cells, area):
    points = np.array(cells, float).reshape(-1, 2) / 10  # duplicates and borders abound
    checked(points, (1.2, 0.9), area, shape)


@pytest.mark.parametrize("seed", range(4))
def test_crowds_on_a_slide_that_is_large_for_its_circles(seed):
    """Most of it is left out by bounds, and circles reach far less than between its crowds."""
    rng = np.random.default_rng(seed)
    crowds = rng.uniform(0, 1, (4, 2)) * (30, 20)
    points = crowds[rng.integers(0, 4, 36)] + rng.normal(0, 0.05, (36, 2))
    if seed % 2:
        points = points.round(2)
    for area in (0.0001, 0.01, 2.0):
        checked(points, (30, 20), area, "circle")


def test_a_ring_meets_in_its_middle():
    angles = np.linspace(0, 2 * np.pi, 25)[:-1]
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) / 2 + (2, 1.5)
    points = np.concatenate([ring, [(0.1, 0.1), (0.12, 0.1), (3.9, 2.9)]])
    assert checked(points, (4, 3), math.pi / 4, "circle").count == 24


def test_thousands_of_mitoses_in_one_place_take_no_time():
    """Following every disc's border took half a minute."""
    points = np.random.default_rng(0).normal(10, 0.5, (10000, 2))
    start = time.process_time()
    hotspot = find_hotspot(points, (20, 20), 2.0, "circle")
    assert time.process_time() - start < 4
    assert hotspot.count > 7000


@pytest.mark.parametrize("shape", SHAPES)
def test_a_slide_without_points(shape):
    hotspot = checked(np.empty((0, 2)), (4, 3), 2.0, shape)
    assert hotspot.count == 0 and hotspot.area_mm2 == 2.0
    assert find_hotspot([], (4, 3)).count == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("corner", [(0, 0), (4, 0), (0, 3), (4, 3)])
def test_a_point_in_a_corner(shape, corner):
    """Only a window that may not leave the slide has trouble there."""
    expected = 1 if shape == "square" else 0
    assert checked([corner], (4, 3), 2.0, shape).count == expected


def test_a_square_reaches_two_points_that_are_its_side_apart():
    for start in np.random.default_rng(0).uniform(0, 2, 200):
        side = math.sqrt(2)
        assert find_hotspot([(start, 1), (start + side, 1)], (4, 3), 2.0).count == 2
        assert find_hotspot([(start, 1), (start + side + 1e-7, 1)], (4, 3), 2.0).count == 1


def test_a_circle_reaches_points_on_its_border():
    """Four points on one circle meet in a centre that rounding tears apart."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        angles = rng.uniform(0, 2 * np.pi, 4)
        center = rng.uniform(1, 2, 2)
        ring = center + 0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        assert find_hotspot(ring, (4, 3), math.pi / 4, "circle").count == 4
    opposite = [(1, 1), (2, 1)]
    assert find_hotspot(opposite, (4, 3), math.pi / 4, "circle").count == 2
    assert find_hotspot([(1, 1), (2 + 1e-7, 1)], (4, 3), math.pi / 4, "circle").count == 1


@pytest.mark.parametrize("shape", SHAPES)
def test_points_in_a_line(shape):
    step = 0.25
    points = [(0.5 + step * i, 1.5) for i in range(11)]
    hotspot = checked(points, (4, 3), 1.0 if shape == "square" else math.pi / 4, shape)
    assert hotspot.count == 5  # both borders have one
    assert hotspot.center_xy == pytest.approx((1.0, 1.0 if shape == "square" else 1.5), abs=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_duplicates_count_each(shape):
    points = [(1, 1)] * 3 + [(3, 2)] * 4 + [(3.1, 2)]
    hotspot = checked(points, (4, 3), 0.5, shape)
    assert hotspot.indices.tolist() == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_sampled_place_holds_more(shape):
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 1, (300, 2)) * (4, 3)
    hotspot = find_hotspot(points, (4, 3), 0.5, shape)
    low, high = allowed_centers((4, 3), hotspot.half_mm)
    places = rng.uniform(low, high, (3000, 2))
    sampled = max(count_inside(points, place, hotspot.half_mm, shape) for place in places)
    assert sampled <= hotspot.count < sampled + 8


@pytest.mark.parametrize("shape", SHAPES)
def test_a_larger_window_holds_no_fewer(shape):
    points = np.random.default_rng(5).uniform(0, 3, (80, 2))
    counts = [find_hotspot(points, (3, 3), area, shape).count for area in np.linspace(0.1, 7, 12)]
    assert counts == sorted(counts) and counts[-1] > counts[0]


def test_a_circle_holds_no_more_than_the_square_around_it():
    rng = np.random.default_rng(6)
    for _ in range(20):
        points = rng.uniform(0, 3, (40, 2))
        circle = find_hotspot(points, (3, 3), 1.0, "circle")
        around = find_hotspot(points, (3, 3), (2 * circle.half_mm) ** 2, "square")
        within = find_hotspot(points, (3, 3), 2 * circle.half_mm**2, "square")
        assert within.count <= circle.count <= around.count


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [(4, 3), (1.0, 5), (5, 1.0), (1.0, 1.2), (1.0, 1.0)])
def test_the_area_is_what_lies_within_the_slide(shape, size):
    hotspot = find_hotspot([(0.5, 0.5)], size, 2.0, shape)
    window = shapely.box(*(-hotspot.half_mm,) * 2, *(hotspot.half_mm,) * 2)
    if shape == "circle":
        window = shapely.Point(0, 0).buffer(hotspot.half_mm, quad_segs=2000)
    window = shapely.transform(window, lambda xy: xy + hotspot.center_xy)
    covered = window.intersection(shapely.box(0, 0, *size)).area
    assert hotspot.area_mm2 == pytest.approx(covered, rel=1e-5)
    assert hotspot.window_mm2 == 2.0


def test_points_outside_count_at_the_border():
    assert find_hotspot([(-0.01, 1), (0.5, 1)], (4, 3), 0.25).count == 2
    assert find_hotspot([(4.3, 1)], (4, 3), 0.25).center_xy[0] == pytest.approx(3.75)


@pytest.mark.parametrize(("shape", "n"), [("square", 4000), ("circle", 600)])
def test_many_points_give_the_same_whatever_their_order(shape, n):
    rng = np.random.default_rng(7)
    points = rng.uniform(0, 20, (n, 2))
    hotspot = find_hotspot(points, (20, 20), 2.0, shape)
    order = rng.permutation(n)
    other = find_hotspot(points[order], (20, 20), 2.0, shape)
    assert hotspot.count > 1.3 * n / 200  # n / 200 are in a window at random
    assert other.center_xy == hotspot.center_xy
    assert sorted(order[other.indices]) == hotspot.indices.tolist()


def test_a_slides_hotspot_is_of_what_counts():
    result = make_result(
        centers=[(100, 100), (120, 100), (3000, 2000), (3010, 2000)], scores=[0.9, 0.8, 0.7, 0.2]
    )
    hotspot = find_slide_hotspot(result, area_mm2=0.01)
    assert hotspot.count == 2 and hotspot.indices.tolist() == [0, 1]
    low, high = np.array([0.03, 0.025]) - 0.05, np.array([0.025, 0.025]) + 0.05
    assert (np.maximum(low, 0.05) - 1e-6 <= hotspot.center_xy).all()
    assert (hotspot.center_xy <= high + 1e-6).all()
    assert find_slide_hotspot(result, 0.01, "circle").count == 2


def test_ten_fields_of_view():
    assert field_of_view_area(0.55) == pytest.approx(2.3758, abs=1e-4)
    assert field_of_view_area(0.5, n=4) == pytest.approx(math.pi / 4)
    for diameter, n in ((0, 10), (-1, 10), (math.nan, 10), (0.5, 0)):
        with pytest.raises(ValueError, match="must be"):
            field_of_view_area(diameter, n)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(1, 1)], (4, 3), 2.0, "hexagon"), "unknown shape 'hexagon'.*square or circle"),
        (([(1, 1)], (4, 3), 0.0, "square"), "area of the hotspot must be positive mm², got 0.0"),
        (([(1, 1)], (4, math.inf), 2.0, "square"), "size of the slide must be two positive mm"),
        (([(1, 1)], (4,), 2.0, "square"), "size of the slide must be two positive mm"),
        (([(1, 1, 1)], (4, 3), 2.0, "square"), r"shape \(N, 2\), got \(1, 3\)"),
        (([(1, 1), (1, math.nan)], (4, 3), 2.0, "square"), r"finite points, got \[1.0, nan\] at 1"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        find_hotspot(*arguments)
