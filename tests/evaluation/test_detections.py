"""Reading fields, and writing what was found in them."""

import json

import numpy as np
import pytest

from mmdet_mitosis.evaluation.detections import FieldDetections, load_fields, save_detections
from tests.evaluation.fields import annotation, coco, found, write


def test_fields_with_and_without_mitoses_are_read(tmp_path) -> None:
    value = coco({1: [(100.5, 200), (300, 40)], 2: [], 7: [(5, 6)]})
    fields = load_fields(write(tmp_path / "val.json", value))
    assert [field.image_id for field in fields] == [1, 2, 7]  # the empty one is not left out
    first, empty, last = fields
    assert first.centroids_xy.tolist() == [[100.5, 200], [300, 40]]  # the centroid, not a corner
    assert first.polygons[1] == value["annotations"][1]["segmentation"]
    assert empty.centroids_xy.shape == (0, 2)
    assert (first.case, last.case, last.scanner) == ("01", "04", "Leica SCN400")
    assert (first.width, first.height, first.mpp) == (800, 600, 0.25)
    assert first.area_mm2 == pytest.approx(0.2 * 0.15)


def test_look_alikes_are_no_mitoses(tmp_path) -> None:
    value = coco({1: [(100, 200)]})
    value["annotations"].append(annotation(2, 1, (300, 300), category_id=2))
    (field,) = load_fields(write(tmp_path / "val.json", value))
    assert field.centroids_xy.tolist() == [[100, 200]]


def test_the_category_goes_by_its_name_and_not_by_its_number(tmp_path) -> None:
    value = coco({1: [(100, 200), (300, 300)]})
    value["categories"] = [{"id": 1, "name": "look-alike"}, {"id": 4, "name": "mitosis"}]
    value["annotations"][1]["category_id"] = 4
    (field,) = load_fields(write(tmp_path / "val.json", value))
    assert field.centroids_xy.tolist() == [[300, 300]]


def test_missing_file_says_what_makes_it(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"val\.json \(data_prep/prepare\.py makes it\)"):
        load_fields(tmp_path / "val.json")
    with pytest.raises(FileNotFoundError):
        load_fields(tmp_path)  # a folder


def changed(**keys) -> dict:
    """A json with one mitosis, whose annotation is changed."""
    value = coco({1: [(100, 200)]})
    value["annotations"][0] |= keys
    return value


def lacking(part: str, key: str) -> dict:
    value = coco({1: [(100, 200)]})
    del value[part][0][key]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{not json", "Expecting property name"),
        ("", "Expecting value"),
        ([1, 2], "list indices"),
        ({"images": [], "annotations": []}, "lacks 'categories'"),
        ({"images": [], "annotations": [], "categories": []}, "no category is named 'mitosis'"),
        (lacking("images", "mpp"), "lacks 'mpp'"),
        (lacking("images", "case"), "lacks 'case'"),
        (lacking("annotations", "centroid"), "lacks 'centroid'"),
        (coco({1: []}, mpp=float("nan")), "mpp must be positive, got nan for source/01.tif"),
        (coco({1: []}, mpp=0), "mpp must be positive, got 0.0"),
        (coco({1: []}, mpp=None), "NoneType"),
        (coco({1: []}, mpp="fine"), "fine"),
        (changed(centroid=[float("nan"), 3.0]), r"got \[nan, 3.0\] in annotation 1"),
        (changed(centroid=[1.0, 2.0, 3.0, 4.0]), r"\[1.0, 2.0, 3.0, 4.0\] in annotation 1"),
        (changed(image_id=9), "annotation 1 is of no image: 9"),
        (coco({1: []}) | {"images": coco({1: []})["images"] * 2}, "the same id"),
    ],
)
def test_wrong_files_are_named_with_what_is_wrong(tmp_path, value: object, message: str) -> None:
    path = write(tmp_path / "val.json", value)
    with pytest.raises(ValueError, match=message) as error:
        load_fields(path)
    assert str(error.value).startswith(f"{path} is no field-level COCO json: ")


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
