"""Hits, false positives and misses of a split, each with its place and score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import judge_points, match_points
from mmdet_mitosis.evaluation.truth import FieldTruth

HIT, FALSE_POSITIVE, MISS = "hit", "false positive", "miss"


@dataclass(frozen=True)
class Finding:
    """A detection, or a mitosis that none found.

    Attributes:
        kind: ``HIT``, ``FALSE_POSITIVE`` or ``MISS``.
        field: Its field.
        center_xy: Point of the detection, or of the missed mitosis, field px.
        score: Of the detection; of a miss, the highest score below the threshold within the match
            radius, None if there is none.
        polygons: Mask of the detection as COCO polygons, field px.
        is_look_alike: Whether a false positive is a labelled look-alike; None where these are not
            labelled, and for the other kinds.
    """

    kind: str
    field: FieldTruth
    center_xy: tuple[float, float]
    score: float | None
    polygons: list[list[float]] = field(default_factory=list)
    is_look_alike: bool | None = None


def find_all(
    fields: Iterable[FieldTruth],
    detections: dict[int, FieldDetections],
    threshold: float,
    radius_um: float,
    method: str = "optimal",
) -> dict[str, list[Finding]]:
    """List what became of every detection above a threshold and of every mitosis.

    Args:
        fields: The fields.
        detections: By image id.
        threshold: Lowest score that counts.
        radius_um: Match radius, µm.
        method: As :func:`~mmdet_mitosis.evaluation.functional.match_points`.

    Returns:
        By kind: hits and false positives, the surest first; misses, those first that nothing found
        at any score, then by ascending score.
    """
    found: dict[str, list[Finding]] = {HIT: [], FALSE_POSITIVE: [], MISS: []}
    for truth in fields:
        mine = detections.get(truth.image_id, FieldDetections())
        for finding in _of_field(truth, mine, threshold, radius_um / truth.mpp, method):
            found[finding.kind].append(finding)
    for kind in (HIT, FALSE_POSITIVE):
        found[kind].sort(key=lambda finding: -finding.score)
    found[MISS].sort(key=lambda finding: -1.0 if finding.score is None else finding.score)
    return found


def _of_field(
    truth: FieldTruth, found: FieldDetections, threshold: float, radius_px: float, method: str
) -> list[Finding]:
    """List the findings of one field."""
    above = found.above(threshold)
    outcome = judge_points(truth.centroids_xy, above.centers_xy, radius_px, above.scores, method)
    findings = [_detection(HIT, truth, above, i) for i in outcome.pairs[:, 1].tolist()]
    alarms = outcome.false_alarms.tolist()
    look_alikes: set[int] | None = None
    if truth.look_alikes_xy is not None:
        pairs = match_points(truth.look_alikes_xy, above.centers_xy[alarms], radius_px)
        look_alikes = {alarms[i] for i in pairs[:, 1].tolist()}
    for i in alarms:
        labelled = None if look_alikes is None else i in look_alikes
        findings.append(_detection(FALSE_POSITIVE, truth, above, i, labelled))
    is_below = found.scores < threshold
    for i in outcome.misses.tolist():
        center = truth.centroids_xy[i]
        near = is_below & (np.hypot(*(found.centers_xy - center).T) <= radius_px)
        score = float(found.scores[near].max()) if near.any() else None
        findings.append(Finding(MISS, truth, tuple(center.tolist()), score))
    return findings


def _detection(
    kind: str,
    truth: FieldTruth,
    found: FieldDetections,
    index: int,
    is_look_alike: bool | None = None,
) -> Finding:
    """Make the record of a detection."""
    return Finding(
        kind,
        truth,
        tuple(found.centers_xy[index].tolist()),
        float(found.scores[index]),
        found.polygons[index],
        is_look_alike,
    )
