"""The square with the most points, by a sweep line.

A point lies in the square of centre c where c lies in the square around the point: the best centre
is where most such squares overlap. A line is swept over them from left to right; it meets each as
an interval of y that is added and later taken away.
"""

from __future__ import annotations

import numpy as np

from mmdet_mitosis.inference.hotspot.range_maximum import RangeMaximum

SLACK_MM = 1e-9


def best_square(
    points_xy: np.ndarray, low_xy: np.ndarray, high_xy: np.ndarray, half: float
) -> tuple[int, np.ndarray]:
    """Find the centre of the square with the most points, in O(n log n).

    Args:
        points_xy: (N, 2), mm; each can be reached from an allowed centre.
        low_xy: Smallest allowed x and y of the centre, mm.
        high_xy: Largest allowed x and y of the centre, mm.
        half: Half the side, mm.

    Returns:
        The highest count; and of the centres that have it that of the smallest x, then y, (2,), mm.
    """
    if not len(points_xy):
        return 0, low_xy
    starts = np.maximum(points_xy - (half + SLACK_MM), low_xy)
    ends = np.minimum(points_xy + (half + SLACK_MM), high_xy)
    levels = np.unique(starts[:, 1])
    first = np.searchsorted(levels, starts[:, 1]).tolist()
    last = (np.searchsorted(levels, ends[:, 1], side="right") - 1).tolist()
    by_start, by_end = (np.argsort(x, kind="stable") for x in (starts[:, 0], ends[:, 0]))
    opening, closing = starts[by_start, 0].tolist(), ends[by_end, 0].tolist()
    by_start, by_end = by_start.tolist(), by_end.tolist()

    tree, best, center = RangeMaximum(len(levels)), 0, low_xy
    n_opened = n_closed = 0
    while n_opened < len(opening):
        x = opening[n_opened]
        while closing[n_closed] < x:
            i = by_end[n_closed]
            tree.add(first[i], last[i], -1)
            n_closed += 1
        while n_opened < len(opening) and opening[n_opened] == x:
            i = by_start[n_opened]
            tree.add(first[i], last[i], 1)
            n_opened += 1
        if tree.highest > best:
            best, center = tree.highest, np.array([x, levels[tree.first_highest()]])
    return best, center
