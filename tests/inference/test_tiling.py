"""Windows with halos: who owns what, and that each object is counted once."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdet_mitosis.inference.tiling import Tiles, keep_owned, merge_tiles, plan_tiles

SIDES = [1, 31, 32, 33, 100, 199, 200, 201, 337, 512, 1000, 1601]
GRID = [(200, 0), (200, 20), (200, 64), (140, 64), (512, 64)]


@pytest.mark.parametrize(("window", "halo"), GRID)
@pytest.mark.parametrize("width", SIDES)
def test_cores_share_the_slide_out(width, window, halo):
    for height in (50, 333):
        tiles = plan_tiles(width, height, window, halo)
        times = np.zeros((height, width), int)
        for x1, y1, x2, y2 in tiles.cores_xyxy:
            assert x1 < x2
            assert y1 < y2
            times[y1:y2, x1:x2] += 1
        assert (times == 1).all()
        assert tiles.area_px == width * height
        assert tiles.n_left_out == 0


@pytest.mark.parametrize(("window", "halo"), GRID)
@pytest.mark.parametrize("width", SIDES)
def test_windows_have_one_size_lie_inside_and_see_a_halo(width, window, halo):
    height = 333
    tiles = plan_tiles(width, height, window, halo)
    windows, cores = tiles.windows_xyxy, tiles.cores_xyxy
    sides = {tuple(side) for side in (windows[:, 2:] - windows[:, :2]).tolist()}
    assert sides == {(max(32, min(window, width)), max(32, min(window, height)))}
    size = np.array([width, height])
    assert (windows[:, :2] >= 0).all()
    assert (windows[:, 2:] <= np.maximum(32, size)).all()
    before, after = cores[:, :2] - windows[:, :2], windows[:, 2:] - cores[:, 2:]
    assert ((cores[:, :2] == 0) | (before >= halo)).all()
    assert ((cores[:, 2:] == size) | (after >= halo)).all()


@pytest.mark.parametrize(("window", "halo"), GRID)
def test_no_fewer_windows_would_do(window, halo):
    for length in range(1, 1700, 7):
        n = len(plan_tiles(length, 40, window, halo))
        # The outer windows own up to their own border, the others lose a halo on both sides.
        reach = {1: window, 2: 2 * (window - halo)}
        reach |= {k: 2 * (window - halo) + (k - 2) * (window - 2 * halo) for k in range(3, n + 1)}
        assert reach[n] >= length
        assert n == 1 or reach[n - 1] < length


def test_windows_are_evenly_spaced():
    tiles = plan_tiles(1000, 200, 200, 20)
    steps = np.diff(tiles.windows_xyxy[:, 0])
    assert np.ptp(steps) <= 1
    cores = tiles.cores_xyxy[1:-1, 2] - tiles.cores_xyxy[1:-1, 0]
    assert np.ptp(cores) <= 1


def test_the_order_is_row_by_row():
    corners = plan_tiles(900, 700, 200, 20).windows_xyxy[:, :2].tolist()
    assert corners == sorted(corners, key=lambda corner: corner[::-1])


def test_windows_without_tissue_are_left_out_and_counted():
    tissue = np.zeros((7, 9), bool)
    tissue[2, 3] = tissue[6, 8] = True  # a pixel is 100 px
    everything = plan_tiles(900, 700, 200, 20)
    tiles = plan_tiles(900, 700, 200, 20, tissue)
    kept = [tuple(core) for core in tiles.cores_xyxy.tolist()]
    expected = [
        tuple(core)
        for core in everything.cores_xyxy.tolist()
        if any(
            core[0] < 100 * column + 100
            and core[2] > 100 * column
            and core[1] < 100 * row + 100
            and core[3] > 100 * row
            for row, column in np.argwhere(tissue)
        )
    ]
    assert kept == expected
    assert 0 < len(tiles) < len(everything)
    assert tiles.n_left_out == len(everything) - len(tiles)
    assert tiles.area_px == sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in kept)
    assert len(plan_tiles(900, 700, 200, 20, np.zeros((7, 9), bool))) == 0


def test_a_large_slide_is_planned_at_once():
    tissue = np.random.default_rng(0).random((1560, 1560)) < 0.5
    start = time.perf_counter()
    tiles = plan_tiles(100_000, 100_000, 512, 64, tissue)
    assert time.perf_counter() - start < 1.5  # 0.02 s by itself
    assert len(tiles) + tiles.n_left_out == 261**2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5, 200, 20), "at least 1 x 1 px, got 0 x 5"),
        ((500, 500, 200, 100), "a window of 200 px with a halo of 100 px has no core"),
        ((500, 500, 16, 2), "a window of 16 px"),
        ((500, 500, 200, -1), "a halo of -1 px"),
    ],
)
def test_wrong_lengths_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        plan_tiles(*arguments)


def test_each_point_is_owned_once():
    tiles = plan_tiles(900, 700, 200, 20)
    rng = np.random.default_rng(0)
    edges = tiles.cores_xyxy[:, :2].astype(float)
    points = np.concatenate([rng.uniform(0, (900, 700), (500, 2)), edges, edges - 1e-9])
    points = points[(points >= 0).all(axis=1)]
    owners = sum(keep_owned(core, points).astype(int) for core in tiles.cores_xyxy)
    assert (owners == 1).all()
    assert keep_owned(np.array([0, 0, 9, 9]), np.empty((0, 2))).shape == (0,)


def boxes(centers, radius=12):
    return np.concatenate([centers - radius, centers + radius], axis=1)


def merged(tiles, detections, radius=25.0):
    """Merge detections (x, y, score, tile)."""
    rows = np.array(detections, float).reshape(-1, 4)
    centers = rows[:, :2]
    keep = merge_tiles(centers, rows[:, 2], boxes(centers), rows[:, 3].astype(int), tiles, radius)
    return keep.tolist()


@pytest.fixture
def pair():
    """Two windows side by side; the core of the first ends at x = 150."""
    tiles = plan_tiles(300, 200, 200, 50)
    assert tiles.cores_xyxy.tolist() == [[0, 0, 150, 200], [150, 0, 300, 200]]
    return tiles


def test_both_windows_own_an_object_that_is_counted_once(pair):
    assert merged(pair, [(148, 90, 0.8, 0), (152, 90, 0.9, 1)]) == [1]


def test_each_window_leaves_an_object_to_the_other_and_it_is_not_lost(pair):
    assert merged(pair, [(153, 90, 0.8, 0), (147, 90, 0.7, 1)]) == [0]


def test_what_the_neighbour_does_not_find_near_the_border_stays(pair):
    assert merged(pair, [(155, 90, 0.8, 0)]) == [0]
    assert merged(pair, [(143, 90, 0.8, 1)]) == [0]


def test_what_lies_deep_in_the_neighbours_core_is_the_neighbours_to_judge(pair):
    assert merged(pair, [(170, 90, 0.99, 0)]) == []
    assert merged(pair, [(170, 90, 0.99, 0), (171, 91, 0.3, 1)]) == [1]


def test_two_objects_of_one_window_at_the_border_both_stay(pair):
    assert sorted(merged(pair, [(148, 60, 0.8, 0), (149, 90, 0.9, 0), (151, 61, 0.7, 1)])) == [0, 1]


def test_a_detection_beyond_the_slide_is_its_outer_windows(pair):
    assert merged(pair, [(-2, 90, 0.8, 0), (301, 203, 0.9, 1)]) == [1, 0]


def test_without_the_neighbour_the_rim_of_tissue_is_not_lost():
    tissue = np.array([[True, False]])
    tiles = plan_tiles(300, 200, 200, 50, tissue)
    assert len(tiles) == 1
    assert merged(tiles, [(152, 90, 0.8, 0)]) == [0]


def test_the_band_ends_with_the_halo():
    tiles = plan_tiles(390, 200, 200, 5)
    border = tiles.cores_xyxy[0, 2]
    assert merged(tiles, [(border + 4, 90, 0.8, 0), (border + 40, 90, 0.8, 0)]) == [0]
    assert merged(tiles, [(border + 6, 90, 0.8, 0)]) == []


def test_nothing_is_merged_into_nothing(pair):
    assert merged(pair, []) == []
    empty = Tiles(9, 9, 1, np.empty((0, 4), int), np.empty((0, 4), int), 1)
    assert merged(empty, []) == []


def test_detections_that_do_not_belong_together_are_refused(pair):
    with pytest.raises(ValueError, match="tile_index runs from 0 to 2, but there are 2 tiles"):
        merged(pair, [(1, 1, 1, 0), (5, 5, 1, 2)])
    with pytest.raises(ValueError, match="1 centres, 2 scores, 1 boxes and 1 tiles"):
        merge_tiles([[1, 1]], [1, 1], [[0, 0, 2, 2]], [0], pair, 25)


def seen(tiles, objects, jitter, rng):
    """What each window says of the objects that it sees whole, (x, y, score, tile, object)."""
    rows = []
    for i, (x1, y1, x2, y2) in enumerate(tiles.windows_xyxy.tolist()):
        for k, (x, y) in enumerate(objects.tolist()):
            shift = rng.uniform(-1, 1, 2)
            shift *= jitter * rng.choice([0.5, 1]) / max(1e-9, np.hypot(*shift))
            whole = x1 <= x - 12 and x + 12 <= x2 and y1 <= y - 12 and y + 12 <= y2
            if whole:
                rows.append((x + shift[0], y + shift[1], rng.choice([0.5, rng.random()]), i, k))
    return np.array(rows).reshape(-1, 5)


def apart(points, distance):
    """Drop points that come too close to one before."""
    kept = []
    for point in points:
        if all(np.hypot(*(point - other)) > distance for other in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, 2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(60, 700),
    height=st.integers(60, 500),
    window=st.integers(100, 220),
    halo=st.integers(16, 45),
    jitter=st.sampled_from([0.0, 1.0, 3.0]),
)
def test_every_object_comes_out_once(seed, width, height, window, halo, jitter):
    rng = np.random.default_rng(seed)
    tiles = plan_tiles(width, height, window, halo)
    # Half of the objects lie at borders of cores, some at their corners.
    at = tiles.cores_xyxy[rng.integers(0, len(tiles), 12)][:, [0, 1]]
    loose = rng.uniform(0, (width, height), (24, 2))
    loose[:12, 0] = at[:, 0]
    loose[6:18, 1] = np.resize(at[:, 1], 12)
    loose[:18] += rng.uniform(-2, 2, (18, 2))
    loose = loose.clip(13, (width - 13, height - 13))
    objects = apart(rng.permutation(loose), 25 + 2 * jitter)
    rows = seen(tiles, objects, jitter, rng)
    keep = merged(tiles, rows[:, :4])
    assert sorted(rows[keep, 4].astype(int).tolist()) == list(range(len(objects)))
    assert (np.diff(rows[keep, 2]) <= 0).all()
    order = rng.permutation(len(rows))
    again = merged(tiles, rows[order, :4])
    shown = [0, 1, 2, 4]  # of two that are alike in these, either stays
    assert rows[order][again][:, shown].tolist() == rows[keep][:, shown].tolist()


def test_at_a_corner_of_four_windows_none_is_lost_whatever_each_sees():
    tiles = plan_tiles(300, 300, 200, 50)
    offsets = list(itertools.product((-12, -7, 0, 7, 12), repeat=2))
    rng = np.random.default_rng(0)
    for _ in range(300):
        shifts = [offsets[i] for i in rng.integers(0, len(offsets), 4)]
        spread = max(np.hypot(*np.subtract(a, b)) for a in shifts for b in shifts)
        found = merged(
            tiles, [(150 + x, 150 + y, 0.5 + i / 9, i) for i, (x, y) in enumerate(shifts)]
        )
        # What is within the radius counts as one; only what is further apart may be two.
        assert len(found) == 1 or (spread > 25 and found)
