"""Masks of COCO results are kept, in the frame of the field."""

import numpy as np
import pytest

from mmdet_mitosis.evaluation.detections import FieldDetections, save_detections
from mmdet_mitosis.evaluation.results import load_target, read_results
from tests.evaluation.fields import coco, write
from tests.evaluation.test_tiles import fields_json, tiles_json

SQUARE = [90.0, 80.0, 110.0, 80.0, 110.0, 100.0]


def test_what_was_saved_comes_back(tmp_path) -> None:
    target = load_target(write(tmp_path / "gt.json", coco({1: [(100, 100)], 2: []})))
    saved = FieldDetections(
        np.array([[30, 40.5], [100.25, 90]]),
        np.array([0.25, 0.9]),
        np.array([[20.0, 30, 40, 51], [88, 78, 112.5, 102]]),
        [[], [SQUARE]],
    )
    save_detections(tmp_path / "found.json", {1: saved})
    found = read_results(tmp_path / "found.json", target).detections[1]
    assert found.scores.tolist() == [0.9, 0.25]  # by descending score
    np.testing.assert_allclose(found.centers_xy, saved.centers_xy[::-1])
    np.testing.assert_allclose(found.bboxes_xyxy, saved.bboxes_xyxy[::-1])
    assert found.polygons == [[SQUARE], []]


def test_masks_of_tiles_move_to_their_field(tmp_path) -> None:
    tiled = tiles_json(fields_json(), 256, 0.25)
    target = load_target(write(tmp_path / "tiles.json", tiled))
    tile = next(image for image in tiled["images"] if image["window"][0] and image["window"][1])
    record = {"image_id": tile["id"], "category_id": 1, "score": 0.9, "point": [100, 90]}
    record |= {"bbox": [88, 78, 24, 24], "segmentation": [SQUARE]}
    results = read_results(write(tmp_path / "found.json", [record]), target)
    (found,) = results.detections.values()
    x, y = tile["window"][:2]
    ((flat,),) = found.polygons
    assert np.reshape(flat, (-1, 2)).tolist() == [
        [90 + x, 80 + y],
        [110 + x, 80 + y],
        [110 + x, 100 + y],
    ]


@pytest.mark.parametrize("part", [[1, 2, 3], ["a", 1], 7, [float("nan"), 1]])
def test_outlines_that_are_none_are_named(tmp_path, part) -> None:
    target = load_target(write(tmp_path / "gt.json", coco({1: []})))
    record = {"image_id": 1, "category_id": 1, "score": 0.9, "point": [1, 2]}
    path = write(tmp_path / "found.json", [record, record | {"segmentation": [part]}])
    with pytest.raises(ValueError, match=r"found\.json, record 2: segmentation holds"):
        read_results(path, target)


def test_masks_in_run_lengths_are_no_matter(tmp_path) -> None:
    target = load_target(write(tmp_path / "gt.json", coco({1: []})))
    record = {"image_id": 1, "category_id": 1, "score": 0.9, "point": [1, 2]}
    path = write(
        tmp_path / "found.json", [record | {"segmentation": {"counts": "x", "size": [1, 1]}}]
    )
    assert read_results(path, target).detections[1].polygons == [[]]
