"""Where the best circle's centre can lie: branch and bound over a grid of cells.

All circles whose centres lie in a cell hold the points that are nearer to the cell's middle than
the radius less half its diagonal, and none that are further than the radius and half of it: the
two counts bound what any of them holds. A cell that cannot beat what another one is known to hold
is left out; of those that are left, the ones that many discs' borders cross are quartered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

SAME_MM = 1e-7
"""Places closer than this are the same one when the first of several is chosen, mm."""
FIRST_SHARE = 0.25
"""Side of the first cells, as a share of the radius."""
MOST_FIRST = 256
"""Most first cells along a side: on a large slide they are larger."""
FEW_BORDERS = 2
"""A cell that is crossed by so many borders, or fewer, is searched rather than quartered."""
FINEST_MM = 1e-6
"""Half diagonal of cells that are searched in any case: borders may meet in one point."""


@dataclass
class Known:
    """What is known to be there: a count, and an x that its first place does not lie beyond."""

    count: int
    x: float

    def learn(self, counts: np.ndarray, xs: np.ndarray) -> None:
        """Take note of places, (N,) and (N,)."""
        highest = int(counts.max(initial=0))
        if highest < self.count or not len(counts):
            return
        x = float(xs[counts == highest].min())
        self.x = x if highest > self.count else min(self.x, x)
        self.count = highest


def search_cells(
    points_xy: np.ndarray,
    low_xy: np.ndarray,
    high_xy: np.ndarray,
    radius: float,
    slack: float,
    known: Known,
    search: Callable[[np.ndarray, np.ndarray], tuple[int, float]],
) -> None:
    """Search every cell of centres that may hold the best one.

    Args:
        points_xy: (N, 2), mm.
        low_xy: Smallest x and y of a centre, mm.
        high_xy: Largest x and y of a centre, mm.
        radius: Of the circle, mm.
        slack: What the search may count beyond the radius, mm.
        known: What is known before.
        search: Takes the middle and the half sides of a cell, (2,) and (2,); gives the highest
            count found so far, and its x.
    """
    tree = cKDTree(points_xy)
    centers = np.clip(points_xy, low_xy, high_xy)
    known.learn(_counts(tree, centers, radius), centers[:, 0])
    n = np.clip(np.ceil((high_xy - low_xy) / (FIRST_SHARE * radius)), 1, MOST_FIRST).astype(int)
    half = (high_xy - low_xy) / n / 2
    x, y = (low_xy[k] + half[k] * np.arange(1, 2 * n[k], 2) for k in (0, 1))
    cells = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
    while len(cells):
        reach = float(np.hypot(*half)) + slack
        cells, upper = _left(cells, _counts(tree, cells, radius + reach), half, known)
        known.learn(_counts(tree, cells, radius), cells[:, 0])
        cells, upper = _left(cells, upper, half, known)
        crossed = upper - _counts(tree, cells, radius - reach)
        small = (crossed <= FEW_BORDERS) | (reach < FINEST_MM)
        order = np.lexsort((cells[:, 0], -upper))
        for i in order[(small & (crossed > 0))[order]].tolist():
            if len(_left(cells[i : i + 1], upper[i : i + 1], half, known)[0]):
                count, x = search(cells[i], half)
                known.learn(np.array([count]), np.array([x]))
        cells, _ = _left(cells[~small], upper[~small], half, known)
        quarters = np.array([[a, b] for a in _ends(half[0]) for b in _ends(half[1])])
        cells = (cells[:, None] + quarters).reshape(-1, 2)
        half = half / 2


def _counts(tree: cKDTree, centers_xy: np.ndarray, radius: float) -> np.ndarray:
    """Count the points in circles, (N,)."""
    if not len(centers_xy) or radius < 0:
        return np.zeros(len(centers_xy), dtype=int)
    return tree.query_ball_point(centers_xy, radius, return_length=True)


def _left(
    cells: np.ndarray, upper: np.ndarray, half: np.ndarray, known: Known
) -> tuple[np.ndarray, np.ndarray]:
    """Keep the cells that may hold more than is known, or as much and not further to the right."""
    first = cells[:, 0] - half[0] <= known.x + SAME_MM
    keep = (upper > known.count) | ((upper == known.count) & first)
    return cells[keep], upper[keep]


def _ends(half: float) -> tuple[float, ...]:
    """Give the middles of the halves of a side, from its own."""
    return (-half / 2, half / 2) if half > 0 else (0.0,)
