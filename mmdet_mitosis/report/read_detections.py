"""Reading the detections that a test wrote."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.truth import Truth

SLACK_PX = 1.0
"""So far beyond the border of its field may a detection's point lie."""


def read_detections(
    path: str | Path, truth: Truth, ann_file: str | Path
) -> dict[int, FieldDetections]:
    """Read COCO results as :func:`~mmdet_mitosis.evaluation.detections.save_detections` writes.

    Args:
        path: The json.
        truth: Ground truth of the split; what lies in its unlabelled fields is left out.
        ann_file: Where that is from, for the errors.

    Returns:
        The detections by image id, by descending score.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or does not fit the ground truth.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in {path.parent}: run tools/test.py again, which writes it beside "
            "the scores"
        )
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no json: {error}") from error
    if not isinstance(records, list):
        raise ValueError(f"{path} holds no COCO results: expected a list")
    sizes = {field.image_id: (field.width, field.height) for field in truth.fields}
    by_field: dict[int, list[dict]] = defaultdict(list)
    for number, record in enumerate(records, start=1):
        try:
            found = _checked(record)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path}: detection {number} is damaged: {reason}") from error
        image_id = found["image_id"]
        if image_id in truth.unlabelled:
            continue
        if image_id not in sizes or not _is_inside(found["point"], sizes[image_id]):
            place = f"image {image_id!r}" + (
                f" at {found['point'].tolist()}, outside of it" if image_id in sizes else ""
            )
            raise ValueError(
                f"{path} does not fit {ann_file}: detection {number} is of {place}; "
                "run tools/test.py again"
            )
        by_field[image_id].append(found)
    return {image_id: _joined(by_field[image_id]) for image_id in by_field}


def _is_inside(point_xy: np.ndarray, size: tuple[int, int]) -> bool:
    """Tell whether a point lies in a field of a width and height."""
    return bool((point_xy >= -SLACK_PX).all() and (point_xy <= np.add(size, SLACK_PX)).all())


def _checked(record: dict) -> dict:
    """Check the fields of a detection; ``image_id score point xyxy polygons``."""
    if not isinstance(record, dict):
        raise TypeError(f"expected an object, got {str(record)[:40]}")
    x, y, width, height = _numbers(record, "bbox", 4)
    polygons = record.get("segmentation") or []
    if not isinstance(polygons, list):
        raise TypeError("segmentation must be a list of polygons")
    for flat in polygons:
        corners = np.asarray(flat, dtype=float)
        if corners.ndim != 1 or len(corners) % 2 or not np.isfinite(corners).all():
            raise ValueError("segmentation must be polygons [x, y, x, y, …]")
    if isinstance(record["image_id"], bool) or not isinstance(record["image_id"], int | str):
        raise TypeError(f"image_id must be the id of an image, got {record['image_id']!r}")
    return {
        "image_id": record["image_id"],
        "score": _numbers({"score": [record["score"]]}, "score", 1)[0],
        "point": _numbers(record, "point", 2),
        "xyxy": np.array([x, y, x + width, y + height]),
        "polygons": polygons,
    }


def _numbers(record: dict, key: str, length: int) -> np.ndarray:
    """Take finite numbers from a record."""
    values = np.asarray(record[key], dtype=float)
    if values.shape != (length,) or not np.isfinite(values).all():
        raise ValueError(f"{key} must be {length} numbers, got {record[key]}")
    return values


def _joined(records: list[dict]) -> FieldDetections:
    """Join the detections of a field, by descending score."""
    order = sorted(range(len(records)), key=lambda i: -records[i]["score"])
    return FieldDetections(
        centers_xy=np.array([records[i]["point"] for i in order]),
        scores=np.array([records[i]["score"] for i in order]),
        bboxes_xyxy=np.array([records[i]["xyxy"] for i in order]),
        polygons=[records[i]["polygons"] for i in order],
    )
