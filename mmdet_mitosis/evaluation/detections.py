"""Fields with their ground truth, and what a detector found in them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmdet_mitosis.fileio import write_json_atomic

MITOSIS = "mitosis"


@dataclass(frozen=True)
class FieldTruth:
    """A field as its COCO json tells it.

    ``centroids_xy`` is (G, 2) and ``polygons`` holds G objects' COCO polygons, field px.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    mpp: float
    case: str
    scanner: str
    centroids_xy: np.ndarray
    polygons: list[list[list[float]]]

    @property
    def area_mm2(self) -> float:
        """Area of the field, mm²."""
        return self.width * self.height * self.mpp**2 / 1e6


@dataclass(frozen=True)
class FieldDetections:
    """Detections of one field, by descending score, field px.

    ``centers_xy`` (N, 2), ``scores`` (N,), ``bboxes_xyxy`` (N, 4), and N lists of COCO polygons,
    empty where the detector has no masks.
    """

    centers_xy: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    bboxes_xyxy: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))
    polygons: list[list[list[float]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> FieldDetections:
        """Keep what scores at least a threshold.

        Args:
            threshold: Lowest score.

        Returns:
            The detections that remain.
        """
        keep = np.flatnonzero(self.scores >= threshold)
        return FieldDetections(
            self.centers_xy[keep],
            self.scores[keep],
            self.bboxes_xyxy[keep],
            [self.polygons[i] for i in keep],
        )


def load_fields(ann_file: str | Path) -> list[FieldTruth]:
    """Read the fields and mitoses of a COCO json made by ``data_prep``.

    Args:
        ann_file: The json.

    Returns:
        One record a field, also for a field without mitoses.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no such json: it names the file and what is wrong in it.
    """
    path = Path(ann_file)
    if not path.is_file():
        raise FileNotFoundError(f"no such annotation file: {path} (data_prep/prepare.py makes it)")
    try:
        coco = json.loads(path.read_text(encoding="utf-8"))
        ids = {c["id"] for c in coco["categories"] if c["name"] == MITOSIS}
        if not ids:
            raise ValueError(f"no category is named {MITOSIS!r}")
        objects: dict[int, list[dict]] = {image["id"]: [] for image in coco["images"]}
        if len(objects) < len(coco["images"]):
            raise ValueError("two images have the same id")
        for ann in coco["annotations"]:
            if ann["image_id"] not in objects:
                raise ValueError(f"annotation {ann['id']} is of no image: {ann['image_id']!r}")
            if ann["category_id"] in ids:
                objects[ann["image_id"]].append(ann)
        return [_field_truth(image, objects[image["id"]]) for image in coco["images"]]
    except KeyError as error:
        raise ValueError(f"{path} is no field-level COCO json: it lacks {error}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no field-level COCO json: {error}") from error


def _field_truth(image: dict, annotations: list[dict]) -> FieldTruth:
    """Make the record of one field."""
    mpp = float(image["mpp"])
    if not 0 < mpp < np.inf:
        raise ValueError(f"mpp must be positive, got {mpp} for {image['file_name']}")
    for ann in annotations:
        centroid = np.asarray(ann["centroid"], dtype=float)
        if centroid.shape != (2,) or not np.isfinite(centroid).all():
            raise ValueError(
                f"centroid must be [x, y], got {ann['centroid']} in annotation {ann['id']}"
            )
    return FieldTruth(
        image_id=image["id"],
        file_name=image["file_name"],
        width=image["width"],
        height=image["height"],
        mpp=mpp,
        case=str(image["case"]),
        scanner=str(image["scanner"]),
        centroids_xy=np.array([a["centroid"] for a in annotations], dtype=float).reshape(-1, 2),
        polygons=[a["segmentation"] for a in annotations],
    )


def save_detections(path: str | Path, detections: dict[int, FieldDetections]) -> None:
    """Write field-level detections as COCO results.

    Each has ``image_id category_id bbox score``, ``point`` (its centre, x first) and, where the
    detector gives masks, ``segmentation`` polygons; all in px of the field.

    Args:
        path: File to write; it appears whole or not at all.
        detections: By image id.
    """
    records = []
    for image_id, found in sorted(detections.items()):
        for i in range(len(found)):
            x1, y1, x2, y2 = (round(float(v), 2) for v in found.bboxes_xyxy[i])
            record = {
                "image_id": image_id,
                "category_id": 1,
                "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                "score": round(float(found.scores[i]), 6),
                "point": [round(float(v), 2) for v in found.centers_xy[i]],
            }
            if found.polygons[i]:
                record["segmentation"] = found.polygons[i]
            records.append(record)
    write_json_atomic(Path(path), records)
