"""The circle with the most points: branch and bound, and angular sweeps in what is left.

A point lies in the circle of centre c where c lies in the disc around the point: the best centre is
where most such discs overlap. That overlap, cut to the allowed centres, is convex, and its leftmost
point is where two discs' borders meet, where a disc's border meets that of the allowed rectangle, a
corner of the rectangle, or the leftmost point of a disc. All of these are looked at: along each
side of the rectangle, and along each disc's border by angle, where it crosses a cell of centres
that the counts around it do not rule out (:mod:`.cells`).

Coverage is counted with discs that are larger by a hair than those whose borders are followed, so
that borders which meet in one point do so after rounding too.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mmdet_mitosis.inference.hotspot.cells import SAME_MM, Known, search_cells

SLACK_MM = 1e-9
TURN = 2 * np.pi


class _Best:
    """Keeps the place of the highest count, of several that of the smallest x, then y."""

    def __init__(self, center_xy: np.ndarray) -> None:
        self.count = 0
        self.center_xy = center_xy
        self._key = (0, np.inf, np.inf)

    def offer(self, centers_xy: np.ndarray, counts: np.ndarray) -> None:
        """Take the best of some places: (K, 2) and (K,)."""
        if not len(counts) or counts.max() < self.count:
            return
        highest = int(counts.max())
        places = centers_xy[counts == highest]
        grid = np.round(places / SAME_MM)
        first = np.lexsort((grid[:, 1], grid[:, 0]))[0]
        key = (-highest, *grid[first].tolist())
        if key < self._key:
            self.count, self.center_xy, self._key = highest, places[first], key


def best_circle(
    points_xy: np.ndarray, low_xy: np.ndarray, high_xy: np.ndarray, radius: float
) -> tuple[int, np.ndarray]:
    """Find the centre of the circle with the most points.

    Args:
        points_xy: (N, 2), mm.
        low_xy: Smallest allowed x and y of the centre, mm.
        high_xy: Largest allowed x and y of the centre, mm.
        radius: Of the circle, mm.

    Returns:
        The highest count; and of the centres that have it that of the smallest x, then y, (2,), mm.
    """
    best = _Best(low_xy)
    if not len(points_xy):
        return 0, low_xy
    points, weights = np.unique(points_xy, axis=0, return_counts=True)
    for axis in (0, 1):
        for border in (low_xy[axis], high_xy[axis]):
            _search_side(points, weights, (low_xy, high_xy), radius, (axis, border), best)
    tree = cKDTree(points)
    allowed = (low_xy, high_xy)

    def search(middle: np.ndarray, half: np.ndarray) -> tuple[int, float]:
        _search_cell(middle, half, (points, weights, tree), allowed, radius, best)
        return best.count, float(best.center_xy[0])

    known = Known(best.count, float(best.center_xy[0]))
    search_cells(points_xy, low_xy, high_xy, radius, 4 * SLACK_MM, known, search)
    return best.count, best.center_xy


def _search_cell(
    middle: np.ndarray,
    half: np.ndarray,
    discs: tuple[np.ndarray, np.ndarray, cKDTree],
    allowed: tuple[np.ndarray, np.ndarray],
    radius: float,
    best: _Best,
) -> None:
    """Look along the borders that cross a cell, within it."""
    points, weights, tree = discs
    reach = float(np.hypot(*half)) + 4 * SLACK_MM
    near = np.array(tree.query_ball_point(middle, radius + reach))
    distances = np.hypot(*(points[near] - middle).T)
    crossing = near[distances > radius - reach]
    n_within = int(weights[near[distances <= radius - reach]].sum())
    cell = (middle - half, middle + half)
    for i in crossing.tolist():
        others = crossing[crossing != i]
        weight = n_within + int(weights[i])
        neighbours = (points[others], weights[others])
        _search_border(points[i], weight, neighbours, cell, allowed, radius, best)


def _search_side(
    points: np.ndarray,
    weights: np.ndarray,
    allowed: tuple[np.ndarray, np.ndarray],
    radius: float,
    side: tuple[int, float],
    best: _Best,
) -> None:
    """Look along a side of the allowed rectangle, where the coordinate ``axis`` is ``border``."""
    axis, border = side
    low, high = (float(corner[1 - axis]) for corner in allowed)
    across, along = points[:, axis] - border, points[:, 1 - axis]
    places = np.concatenate([[low], _chords(across, along, radius + SLACK_MM)[1]])
    places = places[(places >= low) & (places <= high)]
    inside, starts, ends = _chords(across, along, radius + 2 * SLACK_MM)
    counts = _coverage(starts, ends, weights[inside], places)
    centers = np.empty((len(places), 2))
    centers[:, axis], centers[:, 1 - axis] = border, places
    best.offer(centers, counts)


def _chords(
    across: np.ndarray, along: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut discs with a line: which of them it cuts, where it enters, and where it leaves."""
    inside = np.abs(across) <= radius
    half = np.sqrt(radius**2 - across[inside] ** 2)
    return inside, along[inside] - half, along[inside] + half


def _search_border(
    point: np.ndarray,
    weight: int,
    neighbours: tuple[np.ndarray, np.ndarray],
    cell: tuple[np.ndarray, np.ndarray],
    allowed: tuple[np.ndarray, np.ndarray],
    radius: float,
    best: _Best,
) -> None:
    """Look along the border of a point's disc, within a cell; weigh it with what holds it all."""
    others, weights = neighbours
    border, reach = radius + SLACK_MM, radius + 2 * SLACK_MM
    offsets = others - point
    distances = np.maximum(np.hypot(offsets[:, 0], offsets[:, 1]), SLACK_MM / 1e3)
    cosines = (distances**2 + border**2 - reach**2) / (2 * distances * border)
    whole, cut = cosines <= -1, np.abs(cosines) <= 1
    half = np.arccos(cosines[cut])
    starts = (np.arctan2(offsets[cut, 1], offsets[cut, 0]) - half) % TURN
    starts[starts >= TURN] = 0
    ends = starts + 2 * half
    angles = np.concatenate([[np.pi], starts])
    centers = point + border * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    low, high = cell
    fits = ((centers >= low - SLACK_MM) & (centers <= high + SLACK_MM)).all(axis=1)
    if not fits.any():
        return
    counts = _coverage(
        np.concatenate([starts, starts - TURN]),
        np.concatenate([ends, ends - TURN]),
        np.tile(weights[cut], 2),
        angles[fits],
    )
    counts += weight + weights[whole].sum()
    best.offer(np.clip(centers[fits], *allowed), counts)


def _coverage(
    starts: np.ndarray, ends: np.ndarray, weights: np.ndarray, places: np.ndarray
) -> np.ndarray:
    """Add up the weights of the closed intervals that hold each place."""
    total = np.zeros(len(places), dtype=int)
    for bounds, side, sign in ((starts, "right", 1), (ends, "left", -1)):
        order = np.argsort(bounds)
        sums = np.concatenate([[0], np.cumsum(weights[order])])
        total += sign * sums[np.searchsorted(bounds[order], places, side=side)]
    return total
