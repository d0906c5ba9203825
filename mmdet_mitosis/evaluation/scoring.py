"""Scoring all fields of a split at one threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections, FieldTruth
from mmdet_mitosis.evaluation.functional import (
    Counts,
    Curve,
    bootstrap_f_score,
    count_matches,
    match_points,
    threshold_curve,
)

RADIUS_UM = 7.5
"""Match radius: 30 px at 0.25 µm/px (Sohail et al., arXiv 2003.08803)."""

MERGE_RADIUS_UM = 6.25
"""Detections of overlapping windows this close are one object; mitoses lie further apart."""


@dataclass(frozen=True)
class FieldScore:
    """A field and its counts."""

    field: FieldTruth
    counts: Counts


def score_fields(
    fields: Iterable[FieldTruth],
    detections: dict[int, FieldDetections],
    threshold: float,
    radius_um: float = RADIUS_UM,
    method: str = "optimal",
) -> list[FieldScore]:
    """Count each field's hits, false alarms and misses at a threshold.

    Args:
        fields: The fields; one without detections counts its mitoses as missed.
        detections: By image id.
        threshold: Lowest score of a detection that counts.
        radius_um: Match radius, µm.
        method: As :func:`~mmdet_mitosis.evaluation.functional.match_points`.

    Returns:
        One record a field.
    """
    scores = []
    for truth in fields:
        found = detections.get(truth.image_id, FieldDetections()).above(threshold)
        radius_px = radius_um / truth.mpp
        counts = count_matches(
            truth.centroids_xy, found.centers_xy, radius_px, found.scores, method
        )
        scores.append(FieldScore(truth, counts))
    return scores


def total(scores: Iterable[FieldScore]) -> Counts:
    """Pool the counts of fields.

    Args:
        scores: Fields with their counts.

    Returns:
        Their sum.
    """
    return sum((score.counts for score in scores), Counts())


def group_by(
    scores: Iterable[FieldScore], key: Callable[[FieldTruth], str]
) -> dict[str, list[FieldScore]]:
    """Group fields by a property, such as their case or scanner.

    Args:
        scores: Fields with their counts.
        key: Gives the name of a field's group.

    Returns:
        The groups, sorted by name.
    """
    groups: dict[str, list[FieldScore]] = {}
    for score in scores:
        groups.setdefault(key(score.field), []).append(score)
    return dict(sorted(groups.items()))


def f_score_interval(scores: list[FieldScore]) -> tuple[float, float, str]:
    """Give the 95 % bootstrap interval of the F-score.

    Args:
        scores: Fields with their counts.

    Returns:
        Lower bound, upper bound, and the unit that was resampled: ``case``, or ``field`` where
        there is one case only.
    """
    units = {"case": group_by(scores, lambda field: field.case)}
    if len(units["case"]) < 2:
        units = {"field": group_by(scores, lambda field: str(field.image_id))}
    (unit, groups), *_ = units.items()
    low, high = bootstrap_f_score([total(group) for group in groups.values()])
    return low, high, unit


def split_curve(
    fields: Iterable[FieldTruth],
    detections: dict[int, FieldDetections],
    radius_um: float = RADIUS_UM,
) -> Curve:
    """Count a split's hits and false alarms at every threshold, by greedy matching.

    Args:
        fields: The fields of the split.
        detections: By image id.
        radius_um: Match radius, µm.

    Returns:
        The curve.
    """
    scores, hits, n_gt = [np.empty(0)], [np.empty(0, dtype=bool)], 0
    for truth in fields:
        found = detections.get(truth.image_id, FieldDetections())
        pairs = match_points(
            truth.centroids_xy, found.centers_xy, radius_um / truth.mpp, found.scores, "greedy"
        )
        is_hit = np.zeros(len(found), dtype=bool)
        is_hit[pairs[:, 1]] = True
        scores.append(found.scores)
        hits.append(is_hit)
        n_gt += len(truth.centroids_xy)
    return threshold_curve(np.concatenate(scores), np.concatenate(hits), n_gt)
