"""Small fields and detections that several tests of scoring share."""

import json
from pathlib import Path

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.truth import FieldTruth


def annotation(number: int, image_id: int, centroid: tuple, category_id: int = 1) -> dict:
    """A mitosis as a square of 20 px."""
    x, y = centroid
    square = [x - 10.0, y - 10, x + 10, y - 10, x + 10, y + 10, x - 10, y + 10]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "centroid": list(centroid),
        "segmentation": [square],
        "bbox": [x - 10, y - 10, 20, 20],
        "area": 400,
        "iscrowd": 0,
    }


def coco(mitoses: dict[int, list[tuple]], **changes) -> dict:
    """Fields of 800 x 600 px at 0.25 µm; case and scanner go by the number of the field."""
    images = [
        {
            "id": image_id,
            "file_name": f"source/{image_id:02d}.tif",
            "width": 800,
            "height": 600,
            "mpp": 0.25,
            "case": f"{(image_id + 1) // 2:02d}",
            "scanner": "Aperio ScanScope XT" if image_id < 3 else "Leica SCN400",
        }
        | changes
        for image_id in mitoses
    ]
    pairs = [(image_id, centroid) for image_id, found in mitoses.items() for centroid in found]
    annotations = [annotation(n, *pair) for n, pair in enumerate(pairs, start=1)]
    categories = [{"id": 1, "name": "mitosis"}, {"id": 2, "name": "look-alike"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def write(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def truth(image_id: int, *centroids: tuple, case: str = "01", scanner: str = "Aperio", mpp=0.25):
    """A field of 800 x 600 px."""
    squares = [annotation(1, image_id, centroid)["segmentation"] for centroid in centroids]
    points = np.array(centroids, float).reshape(-1, 2)
    return FieldTruth(image_id, f"{image_id}.tif", 800, 600, mpp, case, scanner, points, squares)


def found(*detections: tuple[float, float, float]) -> FieldDetections:
    """Detections of 24 px given as x, y and score, without masks."""
    rows = np.array(detections, float).reshape(-1, 3)
    centers = rows[:, :2]
    boxes = np.concatenate([centers - 12, centers + 12], axis=1)
    return FieldDetections(centers, rows[:, 2], boxes, [[] for _ in rows])
