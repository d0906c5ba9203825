"""The arithmetic of scoring as plain Python loops, to compare speed and numbers with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import FROC_RATES
from mmdet_mitosis.evaluation.truth import FieldTruth

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class PlainField:
    """A field as lists: mitoses, and detections as score, x and y, surest first."""

    case: str
    area_mm2: float
    mitoses: Points
    detections: list[tuple[float, float, float]]


def as_plain(field: FieldTruth, found: FieldDetections) -> PlainField:
    """Write a field as lists of numbers."""
    rows = zip(found.scores.tolist(), *found.centers_xy.T.tolist(), strict=True)
    mitoses = [(x, y) for x, y in field.centroids_xy.tolist()]
    return PlainField(field.case, field.area_mm2, mitoses, list(rows))


def greedy_hits(field: PlainField, threshold: float, radius: float) -> list[tuple[float, bool]]:
    """Score and hit or not of each detection above a threshold, by two loops."""
    free, found = [True] * len(field.mitoses), []
    for score, x, y in field.detections:
        if score < threshold:
            break
        nearest, least = -1, math.inf
        for i, (gx, gy) in enumerate(field.mitoses):
            distance = math.hypot(gx - x, gy - y)
            if free[i] and distance <= radius and distance < least:
                nearest, least = i, distance
        if nearest >= 0:
            free[nearest] = False
        found.append((score, nearest >= 0))
    return found


def loop_counts(plain: list[PlainField], radius: float) -> tuple[list[int], list[int]]:
    """Count hits and false alarms at all thresholds, from one pass; no two scores are equal."""
    found = []
    for field in plain:
        found += greedy_hits(field, 0.0, radius)
    found.sort(reverse=True)
    hits, tp, fp = 0, [], []
    for i, (_, is_hit) in enumerate(found):
        hits += is_hit
        tp.append(hits)
        fp.append(i + 1 - hits)
    return tp, fp


def loop_figures(
    plain: list[PlainField], tp: list[int], fp: list[int], n_gt: int
) -> dict[str, object]:
    """Make F-scores, average precision and FROC of the counts."""
    f_scores, area, envelope = [], 0.0, 0.0
    for t, f in zip(tp, fp, strict=True):
        f_scores.append(2 * t / (t + f + n_gt))
    for i in reversed(range(len(tp))):
        envelope = max(envelope, tp[i] / (tp[i] + fp[i]))
        area += (tp[i] - (tp[i - 1] if i else 0)) / n_gt * envelope
    area_mm2 = sum(field.area_mm2 for field in plain)
    froc = []
    for rate in FROC_RATES:
        recall = 0.0
        for t, f in zip(tp, fp, strict=True):
            if f / area_mm2 <= rate:
                recall = max(recall, t / n_gt)
        froc.append(recall)
    return {"f_scores": f_scores, "ap": area, "froc": froc}


def loop_optimal(
    plain: list[PlainField], threshold: float, radius: float
) -> dict[str, tuple[int, int, int]]:
    """Count by case at one threshold, as many pairs as possible (Kuhn's augmenting paths)."""
    counts: dict[str, tuple[int, int, int]] = {}
    for field in plain:
        kept = [(x, y) for score, x, y in field.detections if score >= threshold]
        reach = [
            [i for i, (gx, gy) in enumerate(field.mitoses) if math.hypot(gx - x, gy - y) <= radius]
            for x, y in kept
        ]
        owner: dict[int, int] = {}
        tp = sum(augment(i, reach, owner, set()) for i in range(len(kept)))
        before = counts.get(field.case, (0, 0, 0))
        now = tp, len(kept) - tp, len(field.mitoses) - tp
        counts[field.case] = tuple(a + b for a, b in zip(before, now, strict=True))
    return dict(sorted(counts.items()))


def augment(i: int, reach: list[list[int]], owner: dict[int, int], tried: set[int]) -> bool:
    """Find a mitosis for a detection, moving others where that helps."""
    for g in reach[i]:
        if g not in tried:
            tried.add(g)
            if g not in owner or augment(owner[g], reach, owner, tried):
                owner[g] = i
                return True
    return False


def loop_interval(counts: dict[str, tuple[int, int, int]], n_resamples: int) -> tuple[float, float]:
    """Bound F by resampling cases, with the draws of the project."""
    units = list(counts.values())
    draws = np.random.default_rng(0).integers(0, len(units), (n_resamples, len(units)))
    found = []
    for draw in draws.tolist():
        tp = fp = fn = 0
        for i in draw:
            tp, fp, fn = tp + units[i][0], fp + units[i][1], fn + units[i][2]
        found.append(2 * tp / (2 * tp + fp + fn))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
