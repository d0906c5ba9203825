"""What was found in fields: letting in what scores enough, and writing it."""

import json

import numpy as np
import pytest

from mmdet_mitosis.evaluation.detections import FieldDetections, save_detections
from tests.evaluation.fields import found


def test_a_threshold_lets_in_what_reaches_it() -> None:
    detections = found((1, 2, 0.9), (3, 4, 0.5), (5, 6, 0.4))
    detections.polygons[1].append([0.0, 0, 1, 0, 1, 1])
    above = detections.above(0.5)
    assert above.scores.tolist() == [0.9, 0.5]
    assert above.centers_xy.tolist() == [[1, 2], [3, 4]]
    assert above.bboxes_xyxy.tolist() == [[-11, -10, 13, 14], [-9, -8, 15, 16]]
    assert above.polygons == [[], [[0.0, 0, 1, 0, 1, 1]]]
    assert len(above) == 2
    assert len(FieldDetections().above(0.5)) == len(FieldDetections()) == 0


def test_detections_are_written_as_coco_results(tmp_path) -> None:
    first = found((100.25, 200.5, 0.9), (300, 40, 0.123456789))
    first.polygons[0].append([90.0, 190, 110, 190, 110, 210])
    path = tmp_path / "new" / "out.json"
    save_detections(path, {7: found(), 2: found((50, 60, 0.5)), 1: first})
    records = json.loads(path.read_text())
    assert [record["image_id"] for record in records] == [1, 1, 2]
    assert records[0] == {
        "image_id": 1,
        "category_id": 1,
        "bbox": [88.25, 188.5, 24.0, 24.0],  # width and height, not the far corner
        "score": 0.9,
        "point": [100.25, 200.5],
        "segmentation": [[90.0, 190, 110, 190, 110, 210]],
    }
    assert "segmentation" not in records[1]
    assert records[1]["score"] == pytest.approx(0.123456789, abs=1e-6)
    for record in records:
        x, y, width, height = record["bbox"]
        assert np.allclose(record["point"], (x + width / 2, y + height / 2), atol=0.01)
