"""What was found in fields: letting in what scores enough, and writing it."""

import json

import numpy as np

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
    assert records[1]["score"] == 0.123456789
    for record in records:
        x, y, width, height = record["bbox"]
        assert np.allclose(record["point"], (x + width / 2, y + height / 2), atol=0.01)


def test_scores_are_read_as_they_were_so_that_a_threshold_lets_in_the_same(tmp_path) -> None:
    # A network's scores, of which a threshold is one: rounded to 6 decimals, half fall below it.
    scores = np.random.default_rng(0).random(200, dtype=np.float32).astype(float)
    detections = found(*((x, 0, score) for x, score in enumerate(scores)))
    path = tmp_path / "out.json"
    save_detections(path, {1: detections})
    read = np.array([record["score"] for record in json.loads(path.read_text())])
    for threshold in scores:
        assert (read >= threshold).sum() == len(detections.above(threshold))
