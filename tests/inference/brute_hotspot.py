"""Hotspots by trying every place that can matter, in O(n^3)."""

from itertools import combinations

import numpy as np

TOLERANCE_MM = 1e-7


def count_inside(points, center, half, shape):
    offsets = np.abs(np.asarray(points, float).reshape(-1, 2) - center)
    far = offsets.max(axis=1) if shape == "square" else np.hypot(*offsets.T)
    return int((far <= half + TOLERANCE_MM).sum())


def allowed_centers(size, half):
    low = np.minimum(half, np.asarray(size) / 2)
    return low, np.asarray(size) - low


def brute_hotspot(points, size, half, shape):
    """Give the highest count and its first centre by x, then y."""
    points = np.asarray(points, float).reshape(-1, 2)
    low, high = allowed_centers(size, half)
    places = [low, high, (low[0], high[1]), (high[0], low[1])]
    find = _square_places if shape == "square" else _circle_places
    places = np.array([*places, *find(points, low, high, half)], float)
    fits = (places >= low - TOLERANCE_MM) & (places <= high + TOLERANCE_MM)
    places = places[fits.all(axis=1)]
    counts = [count_inside(points, place, half, shape) for place in places]
    best = max(counts)
    first = min(tuple(np.round(p, 6)) for p, n in zip(places, counts, strict=True) if n == best)
    return best, first


def _square_places(points, low, high, half):
    xs, ys = ([*(points[:, k] - half), *(points[:, k] + half), low[k], high[k]] for k in (0, 1))
    return [(x, y) for x in xs for y in ys]


def _circle_places(points, low, high, radius):
    places = [p - (radius, 0) for p in points]
    for a, b in combinations(points, 2):
        middle, offset = (a + b) / 2, (b - a) / 2
        distance = np.hypot(*offset)
        if 0 < distance <= radius + TOLERANCE_MM:
            rise = np.sqrt(max(radius**2 - distance**2, 0)) / distance
            normal = np.array([-offset[1], offset[0]]) * rise
            places += [middle + normal, middle - normal]
    for p in points:
        for k in (0, 1):
            for border in (low[k], high[k]):
                square = radius**2 - (p[k] - border) ** 2
                if square >= -TOLERANCE_MM:
                    for sign in (-1, 1):
                        place = np.empty(2)
                        place[k] = border
                        place[1 - k] = p[1 - k] + sign * np.sqrt(max(square, 0))
                        places.append(place)
    return places
