"""Slow rules of matching, loop by loop, that several tests compare with."""

from itertools import combinations, permutations

import numpy as np

RADIUS = 30.0


def random_case(seed: int, side: float = 90.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points dense enough that most have several partners in reach."""
    rng = np.random.default_rng(seed)
    n_gt, n_pred = rng.integers(0, 6, 2)
    gt, pred = rng.uniform(0, side, (n_gt, 2)), rng.uniform(0, side, (n_pred, 2))
    return gt, pred, rng.permutation(n_pred) / 10.0


def apart(gt, pred) -> float:
    return float(np.hypot(gt[0] - pred[0], gt[1] - pred[1]))


def brute_force(gt: np.ndarray, pred: np.ndarray) -> tuple[int, float]:
    """Try every one-to-one assignment: most pairs, then least distance."""
    best = (0, 0.0)
    for size in range(1, min(len(gt), len(pred)) + 1):
        for gts in combinations(range(len(gt)), size):
            for preds in permutations(range(len(pred)), size):
                distances = [apart(gt[g], pred[p]) for g, p in zip(gts, preds, strict=True)]
                if max(distances) <= RADIUS:
                    best = min(best, (-size, sum(distances)))
    return -best[0], best[1]


def largest_matching(gt, pred, radius: float) -> int:
    """Count the pairs of a largest matching by augmenting paths (Kuhn)."""
    owner: dict[int, int] = {}

    def augment(g: int, tried: set[int]) -> bool:
        for p in range(len(pred)):
            if p not in tried and apart(gt[g], pred[p]) <= radius:
                tried.add(p)
                if p not in owner or augment(owner[p], tried):
                    owner[p] = g
                    return True
        return False

    return sum(augment(g, set()) for g in range(len(gt)))


def slow_greedy(
    gt: np.ndarray, pred: np.ndarray, scores: np.ndarray, radius: float = RADIUS
) -> set[tuple[int, int]]:
    """Loop over predictions, surest first, then over all ground truth."""
    free, pairs = set(range(len(gt))), set()
    for p in sorted(range(len(pred)), key=lambda i: -scores[i]):
        reach = [(apart(gt[g], pred[p]), g) for g in free]
        reach = [(distance, g) for distance, g in reach if distance <= radius]
        if reach:
            free.remove(min(reach)[1])
            pairs.add((min(reach)[1], p))
    return pairs


def slow_midog(gt: np.ndarray, pred: np.ndarray, radius: float = RADIUS) -> set[tuple[int, int]]:
    """The rule of the MIDOG challenges: loop over ground truth as listed, then over predictions."""
    used, pairs = set(), set()
    for g in range(len(gt)):
        for p in sorted(range(len(pred)), key=lambda i: apart(gt[g], pred[i])):
            if apart(gt[g], pred[p]) <= radius and p not in used:
                used.add(p)
                pairs.add((g, p))
                break
    return pairs


def slow_tiatoolbox(gt: np.ndarray, pred: np.ndarray) -> tuple[set[tuple[int, int]], bool]:
    """The rule of tiatoolbox: the least distance of all assignments, and then the radius.

    Returns:
        The pairs that are left, and whether the radius has taken any away.
    """
    if len(gt) > len(pred):
        pairs, cut = slow_tiatoolbox(pred, gt)
        return {(g, p) for p, g in pairs}, cut
    every = permutations(range(len(pred)), len(gt))
    best = min(every, key=lambda ps: sum(apart(gt[g], pred[p]) for g, p in enumerate(ps)))
    pairs = {(g, p) for g, p in enumerate(best) if apart(gt[g], pred[p]) <= RADIUS}
    return pairs, len(pairs) < len(best)


def total_distance(gt: np.ndarray, pred: np.ndarray, pairs: np.ndarray) -> float:
    return float(np.hypot(*(gt[pairs[:, 0]] - pred[pairs[:, 1]]).T).sum())


def as_set(pairs: np.ndarray) -> set[tuple[int, int]]:
    return {tuple(pair) for pair in pairs.tolist()}
