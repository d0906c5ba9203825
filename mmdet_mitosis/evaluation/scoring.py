"""Scoring all fields of a split at one threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import (
    Counts,
    Curve,
    Froc,
    PairedDifference,
    bootstrap_difference,
    bootstrap_interval,
    count_look_alikes,
    free_response,
    judge_points,
    match_points,
    threshold_curve,
)
from mmdet_mitosis.evaluation.truth import FieldTruth

RADIUS_UM = 7.5
"""Match radius: 30 px at 0.25 µm/px (Sohail et al., arXiv 2003.08803)."""

MERGE_RADIUS_UM = 6.25
"""Detections of overlapping windows this close are one object; mitoses lie further apart."""


@dataclass(frozen=True)
class FieldScore:
    """A field, its counts, and how many of its false positives are look-alikes.

    The last is None where look-alikes are not labelled.
    """

    field: FieldTruth
    counts: Counts
    n_look_alikes: int | None = None


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
        outcome = judge_points(
            truth.centroids_xy, found.centers_xy, radius_px, found.scores, method
        )
        look_alikes = None
        if truth.look_alikes_xy is not None:
            alarms_xy = found.centers_xy[outcome.false_alarms]
            look_alikes = count_look_alikes(truth.look_alikes_xy, alarms_xy, radius_px)
        scores.append(FieldScore(truth, outcome.counts, look_alikes))
    return scores


def total(scores: Iterable[FieldScore]) -> Counts:
    """Pool the counts of fields.

    Args:
        scores: Fields with their counts.

    Returns:
        Their sum.
    """
    return sum((score.counts for score in scores), Counts())


def total_look_alikes(scores: Iterable[FieldScore]) -> int | None:
    """Count the false positives that are labelled look-alikes.

    Args:
        scores: Fields with their counts.

    Returns:
        Their number in the fields that have look-alikes labelled; None if none has.
    """
    counted = [s.n_look_alikes for s in scores if s.n_look_alikes is not None]
    return sum(counted) if counted else None


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
    unit, counts = _counts_by_unit(scores)
    low, high = bootstrap_interval(list(counts.values()))
    return low, high, unit


def compare_f_scores(
    scores: list[FieldScore], other: list[FieldScore]
) -> tuple[PairedDifference, str]:
    """Compare the F-scores of two detectors on the same fields, each at its own threshold.

    Args:
        scores: Fields with one detector's counts.
        other: The same fields with the other one's counts, in any order.

    Returns:
        First less second, with its 95 % interval and p by a paired bootstrap, and the unit that
        was resampled, as :func:`f_score_interval`.

    Raises:
        ValueError: If the fields are not the same.
    """
    ids, other_ids = ({score.field.image_id for score in part} for part in (scores, other))
    if ids != other_ids or len(scores) != len(other):
        raise ValueError(
            f"the detectors were scored on different fields: {len(scores)} and {len(other)} of "
            f"them, with {len(ids & other_ids)} image ids in common"
        )
    (unit, counts), (_, other_counts) = _counts_by_unit(scores), _counts_by_unit(other)
    difference = bootstrap_difference(list(counts.values()), list(other_counts.values()))
    return difference, unit


def _counts_by_unit(scores: list[FieldScore]) -> tuple[str, dict[str, Counts]]:
    """Pool the counts of what is resampled: the cases, or of a single case the fields."""
    unit, groups = "case", group_by(scores, lambda field: field.case)
    if len(groups) < 2:
        unit, groups = "field", group_by(scores, lambda field: str(field.image_id))
    return unit, {name: total(group) for name, group in groups.items()}


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


def split_froc(curve: Curve, fields: Iterable[FieldTruth]) -> Froc:
    """Put the false positives of a split's curve in relation to the area of its fields.

    Args:
        curve: Of :func:`split_curve`.
        fields: The same fields.

    Returns:
        The operating points.

    Raises:
        ValueError: If there is no field.
    """
    return free_response(curve, sum(field.area_mm2 for field in fields))
