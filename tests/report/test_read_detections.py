"""Detections come back as they were written, or one sentence says why not."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmdet_mitosis.evaluation.detections import FieldDetections, save_detections
from mmdet_mitosis.evaluation.truth import load_truth
from mmdet_mitosis.report.read_detections import read_detections
from tests.evaluation.fields import coco, write

GOOD = {"image_id": 1, "category_id": 1, "bbox": [88, 78, 24, 24], "score": 0.9, "point": [100, 90]}


@pytest.fixture
def truth(tmp_path: Path):
    return load_truth(write(tmp_path / "truth.json", coco({1: [(100, 100)], 2: []})))


def test_round_trip(tmp_path: Path, truth) -> None:
    square = [[90.0, 80.0, 110.0, 80.0, 110.0, 100.0]]
    saved = {
        1: FieldDetections(
            np.array([[100.25, 90], [30, 40.5]]),
            np.array([0.9, 0.25]),
            np.array([[88.0, 78, 112, 102], [20, 30, 40, 50]]),
            [square, []],
        )
    }
    save_detections(tmp_path / "found.json", saved)
    (image_id, found), *rest = read_detections(tmp_path / "found.json", truth, "t.json").items()
    assert (image_id, rest) == (1, [])
    np.testing.assert_allclose(found.centers_xy, saved[1].centers_xy)
    np.testing.assert_allclose(found.scores, saved[1].scores)
    np.testing.assert_allclose(found.bboxes_xyxy, saved[1].bboxes_xyxy)
    assert found.polygons == saved[1].polygons


def test_order_is_by_score_whatever_that_of_the_file(tmp_path: Path, truth) -> None:
    records = [GOOD | {"score": s, "point": [s * 100, 5]} for s in (0.2, 0.8, 0.5)]
    found = read_detections(write(tmp_path / "found.json", records), truth, "t.json")[1]
    assert found.scores.tolist() == [0.8, 0.5, 0.2]
    assert found.centers_xy[:, 0].tolist() == [80, 50, 20]


def test_detections_of_unlabelled_fields_are_left_out(tmp_path: Path) -> None:
    pair = coco({1: [(100, 100)], 2: []})
    pair["images"][1]["labelled"] = False
    truth = load_truth(write(tmp_path / "truth.json", pair))
    records = [GOOD, GOOD | {"image_id": 2}]
    assert list(read_detections(write(tmp_path / "f.json", records), truth, "t.json")) == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no json"),
        ("{}", "expected a list"),
        ([3], "detection 1 is damaged: expected an object, got 3"),
        ([GOOD, {"image_id": 1}], "detection 2 is damaged: it lacks"),
        ([GOOD | {"score": None}], "score must be 1 numbers"),
        ([GOOD | {"bbox": [1, 2]}], "bbox must be 4 numbers"),
        ([GOOD | {"point": ["a", 2]}], "detection 1 is damaged"),
        ([GOOD | {"segmentation": {"counts": "x"}}], "segmentation must be a list of polygons"),
        ([GOOD | {"segmentation": [[1, 2, 3]]}], "segmentation must be polygons"),
        ([GOOD | {"image_id": None}], "image_id must be the id of an image, got None"),
        ([GOOD | {"image_id": 9}], "does not fit t.json: detection 1 is of image 9"),
        ([GOOD | {"point": [900, 5]}], "image 1 at [900.0, 5.0], outside of it"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, truth, text: object, said: str) -> None:
    path = write(tmp_path / "found.json", text if isinstance(text, str) else json.dumps(text))
    with pytest.raises(ValueError) as caught:
        read_detections(path, truth, "t.json")
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_names_the_command(tmp_path: Path, truth) -> None:
    with pytest.raises(FileNotFoundError, match=r"no test_detections.json in .*tools/test.py"):
        read_detections(tmp_path / "test_detections.json", truth, "t.json")
