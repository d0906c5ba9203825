"""A detector's results on the fields of a ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import score_order
from mmdet_mitosis.evaluation.results.reading import Found, Reading
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.evaluation.scoring import MERGE_RADIUS_UM
from mmdet_mitosis.evaluation.truth import FieldTruth
from mmdet_mitosis.evaluation.windows import WindowDetections, merge_field


@dataclass(frozen=True)
class Results:
    """Detections of a split's fields.

    Attributes:
        path: File or folder that they are from.
        form: Name of its format.
        detections: By image id of the fields.
        has_scores: Whether they have scores; without, each is 1.
        own_threshold: Threshold that the file itself decides by, or None.
        own_origin: Where that is from.
        n_left_out: How many records were not taken.
        n_without: How many fields have no detection.
        notes: Sentences for the user: what was left out, what looks wrong.
    """

    path: Path
    form: str
    detections: dict[int, FieldDetections]
    has_scores: bool
    own_threshold: float | None
    own_origin: str
    n_left_out: int
    n_without: int
    notes: tuple[str, ...]


def to_results(path: Path, reading: Reading, target: Target, in_tiles: bool) -> Results:
    """Bring what was read to the fields.

    Args:
        path: File or folder that it is from.
        reading: What was read.
        target: The ground truth.
        in_tiles: Whether its images are the tiles of the ground truth, and not the fields.

    Returns:
        The results.
    """
    found, remarks = reading.found(), list(reading.remarks)
    if in_tiles:
        detections = _merged(found, target)
        n_read, n_kept = (sum(len(f.scores) for f in part.values()) for part in (found, detections))
        remarks.append(
            f"{n_read} detections in tiles are {n_kept} in fields: those within "
            f"{MERGE_RADIUS_UM:g} µm are one"
        )
    else:
        detections = {image_id: _sorted(one) for image_id, one in found.items()}
    remarks += [f"{n} {what} are left out" for what, n in reading.left_out.items()]
    without = [field for field in target.fields if field.image_id not in detections]
    if without:
        n_missed = sum(len(field.centroids_xy) for field in without)
        remarks.append(
            f"{len(without)} of {len(target.fields)} images have no detection; their {n_missed} "
            "mitoses count as missed"
        )
    n_outside = sum(
        int(_outside(one.centers_xy, target.by_id[i]).sum()) for i, one in detections.items()
    )
    if n_outside:
        remarks.append(f"{n_outside} detections lie outside their image")
    return Results(
        path,
        reading.form,
        detections,
        reading.has_scores,
        reading.own_threshold,
        reading.own_origin,
        reading.left_out.total(),
        len(without),
        tuple(remarks),
    )


def _merged(found: dict[int, Found], target: Target) -> dict[int, FieldDetections]:
    """Bring the detections of tiles to field coordinates and merge them."""
    windows: dict[int, list[WindowDetections]] = {}
    nothing = Found(np.empty((0, 2)), np.empty((0, 4)), np.empty(0), [])
    for tile_id, tile in target.truth.tiles.items():
        one, offset = found.get(tile_id, nothing), np.array(tile.window_xyxy[:2], float)
        windows.setdefault(tile.image_id, []).append(
            WindowDetections(
                tile.image_id,
                tile.window_xyxy,
                one.centers_xy + offset,
                one.bboxes_xyxy + np.tile(offset, 2),
                one.scores,
                _moved(one.polygons, offset),
            )
        )
    merged = {
        field.image_id: merge_field(windows[field.image_id], MERGE_RADIUS_UM / field.mpp)
        for field in target.fields
    }
    return {image_id: one for image_id, one in merged.items() if len(one)}


def _moved(polygons: list[list[list[float]]], offset_xy: np.ndarray) -> list[list[np.ndarray]]:
    """Move outlines from their tile to their field."""
    return [
        [np.add(np.reshape(flat, (-1, 2)), offset_xy).ravel() for flat in parts]
        for parts in polygons
    ]


def _sorted(one: Found) -> FieldDetections:
    """Order detections by descending score."""
    order = score_order(one.scores, np.concatenate([one.centers_xy, one.bboxes_xyxy], axis=1))
    return FieldDetections(
        one.centers_xy[order],
        one.scores[order],
        one.bboxes_xyxy[order],
        [one.polygons[i] for i in order],
    )


def _outside(points_xy: np.ndarray, field: FieldTruth) -> np.ndarray:
    """Mark points outside their field, (N,) bool."""
    return ((points_xy < 0) | (points_xy > (field.width, field.height))).any(axis=1)
