"""Which points of a split the refiner is trained and validated on: pure, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import judge_points
from mmdet_mitosis.evaluation.functional.matching import close_pairs
from mmdet_mitosis.evaluation.truth import FieldTruth

MITOSIS, FALSE_POSITIVE, LOOK_ALIKE, RANDOM = SOURCES = (
    "mitosis",
    "false_positive",
    "look_alike",
    "random",
)
"""Where a candidate comes from; the negatives in the order in which they are taken."""


@dataclass(frozen=True)
class Candidate:
    """A point of a field: its label is 1 where the source is ``mitosis``."""

    image_id: int
    point_xy: tuple[float, float]
    source: str
    score: float | None = None

    @property
    def label(self) -> int:
        """1 for a mitosis, else 0."""
        return int(self.source == MITOSIS)


@dataclass(frozen=True)
class Judged:
    """What stage 1 made of a field, by matching with the ground truth.

    ``hits`` are its detections of mitoses and ``missed_xy`` (M, 2) the centroids of those it did
    not find; ``second_hits`` lie within the radius of a mitosis that has another hit, and
    ``false_positives`` of none. ``taken_xy`` (K, 2) are all mitoses and all detections.
    """

    truth: FieldTruth
    radius_px: float
    hits: list[Candidate]
    missed_xy: np.ndarray
    second_hits: list[Candidate]
    false_positives: list[Candidate]
    taken_xy: np.ndarray = field(repr=False)


def judge_field(truth: FieldTruth, found: FieldDetections, radius_um: float) -> Judged:
    """Match stage 1's detections of a field with its mitoses.

    Args:
        truth: The field.
        found: Its detections above stage 1's threshold.
        radius_um: Match radius, µm.

    Returns:
        The detections by what became of them.
    """
    radius_px = radius_um / truth.mpp
    outcome = judge_points(truth.centroids_xy, found.centers_xy, radius_px)
    is_near = is_within(found.centers_xy, truth.centroids_xy, radius_px)

    def taken(indices: Sequence[int], source: str) -> list[Candidate]:
        return [
            Candidate(
                truth.image_id,
                tuple(found.centers_xy[i].tolist()),
                source,
                float(found.scores[i]),
            )
            for i in indices
        ]

    alarms = outcome.false_alarms
    return Judged(
        truth=truth,
        radius_px=radius_px,
        hits=taken(outcome.pairs[:, 1], MITOSIS),
        missed_xy=truth.centroids_xy[outcome.misses],
        second_hits=taken(alarms[is_near[alarms]], FALSE_POSITIVE),
        false_positives=taken(alarms[~is_near[alarms]], FALSE_POSITIVE),
        taken_xy=np.concatenate([truth.centroids_xy, found.centers_xy]),
    )


def mitoses_of(judged: Judged) -> list[Candidate]:
    """List every mitosis of a field once.

    One that stage 1 found is where it found it: crops are centred on its points at test time and
    for false positives, and if only mitoses were centred by hand, centring would tell the classes
    apart. One that it missed is at its centroid.

    Args:
        judged: The field.

    Returns:
        As many candidates as it has mitoses.
    """
    missed = [
        Candidate(judged.truth.image_id, (float(x), float(y)), MITOSIS) for x, y in judged.missed_xy
    ]
    return judged.hits + missed


def look_alikes_of(judged: Judged) -> list[Candidate]:
    """List the labelled look-alikes of a field that are no false positive of stage 1 already.

    Args:
        judged: The field.

    Returns:
        Those further than the match radius from every mitosis and every detection; none where
        look-alikes are not labelled.
    """
    points = judged.truth.look_alikes_xy
    if points is None:
        return []
    free = points[~is_within(points, judged.taken_xy, judged.radius_px)]
    return [Candidate(judged.truth.image_id, (float(x), float(y)), LOOK_ALIKE) for x, y in free]


def random_nuclei_of(judged: Judged, nuclei_xy: np.ndarray) -> list[Candidate]:
    """List the nuclei of a field that are nothing else.

    Args:
        judged: The field.
        nuclei_xy: Its nuclei, (N, 2), px.

    Returns:
        Those further than the match radius from every labelled cell and every detection.
    """
    others_xy = judged.taken_xy
    if judged.truth.look_alikes_xy is not None:
        others_xy = np.concatenate([others_xy, judged.truth.look_alikes_xy])
    free = nuclei_xy[~is_within(nuclei_xy, others_xy, judged.radius_px)]
    return [Candidate(judged.truth.image_id, (float(x), float(y)), RANDOM) for x, y in free]


def surest(candidates: Sequence[Candidate], n: int) -> list[Candidate]:
    """Take the candidates of the highest scores.

    Args:
        candidates: With scores.
        n: How many at most.

    Returns:
        They, by descending score; equal ones by field and place.
    """
    return sorted(candidates, key=lambda c: (-c.score, c.image_id, c.point_xy))[:n]


def drawn(candidates: Sequence[Candidate], n: int, seed: int) -> list[Candidate]:
    """Draw some candidates, all alike.

    Args:
        candidates: To draw from.
        n: How many at most.
        seed: Seed of the draw.

    Returns:
        They, in the order of ``candidates``.
    """
    if len(candidates) <= n:
        return list(candidates)
    chosen = np.random.default_rng(seed).choice(len(candidates), n, replace=False)
    return [candidates[i] for i in np.sort(chosen)]


def is_within(points_xy: np.ndarray, others_xy: np.ndarray, radius: float) -> np.ndarray:
    """Tell which points have another one within a radius (inclusive).

    Args:
        points_xy: (N, 2).
        others_xy: (M, 2).
        radius: In the unit of the points.

    Returns:
        (N,) bool.
    """
    within = np.zeros(len(points_xy), dtype=bool)
    within[close_pairs(others_xy, points_xy, radius)[1]] = True
    return within
