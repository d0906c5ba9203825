"""What is wrong in results is said in one sentence that names file and record."""

import json
import re
from pathlib import Path

import pytest

from mmdet_mitosis.evaluation.results import load_target, read_results
from tests.evaluation.fields import coco, write
from tests.evaluation.result_files import (
    MITOSES,
    POINTS,
    as_job,
    as_multiple_points,
    as_records,
    ground_truth,
    write_coco,
    write_inferred,
    write_midog,
    write_tupac,
)


def refused(path: Path, tmp_path: Path, kind: type[Exception] = ValueError) -> str:
    """What is said of results."""
    with pytest.raises(kind) as caught:
        read_results(path, load_target(ground_truth(tmp_path)))
    assert str(path) in str(caught.value)
    return str(caught.value)


NAN, INF = float("nan"), float("inf")
RECORDS = [
    ({"score": NAN}, "score is nan; expected a finite number"),
    ({"score": -INF}, "score is -inf; expected a finite number"),
    ({"score": "0.5"}, "score is '0.5'; expected a finite number"),
    ({"score": True}, "score is True; expected a finite number"),
    ({"score": None}, "score is None; expected a finite number"),
    ({"score": 10**400}, "score is 1000"),
    ({"point": [NAN, 3]}, "point is [nan, 3]; expected x and y, finite"),
    ({"point": [3]}, "point is [3]; expected x and y, finite"),
    ({"point": {"x": 1}}, "point is {'x': 1}; expected x and y, finite"),
    ({"bbox": [1, 2, 3]}, "bbox is [1, 2, 3]; expected x, y, width and height"),
    ({"bbox": [1, 2, INF, 4]}, "bbox is [1, 2, inf, 4]; expected x, y, width and height"),
    ({"bbox": [9, 9, -2, 4]}, "bbox is [9, 9, -2, 4]; expected x, y, width and height"),
    ({"image_id": 99}, "is of image 99, which"),
    ({"image_id": "1"}, "is of image '1', which"),
    ({"image_id": True}, "image_id is True; expected an id of an image"),
    ({"image_id": [1]}, "image_id is [1]; expected an id of an image"),
    ({"category_id": "mitosis"}, "category_id is 'mitosis'; expected a whole number"),
]


@pytest.mark.parametrize(("change", "said"), RECORDS)
def test_wrong_values_of_a_record(tmp_path, change: dict, said: str) -> None:
    records = as_records()
    records[2] |= change
    message = refused(write(tmp_path / "found.json", records), tmp_path)
    assert f"found.json, record 3{' ' if said.startswith('is of') else ': '}{said}" in message


@pytest.mark.parametrize("key", ["image_id", "category_id", "score", "point"])
def test_missing_keys_of_a_record(tmp_path, key: str) -> None:
    records = as_records()
    del records[1][key]
    said = "'bbox' or 'point'" if key == "point" else repr(key)
    message = refused(write(tmp_path / "found.json", records), tmp_path)
    assert message.endswith(f"found.json, record 2 lacks {said}")


def test_a_record_that_is_none(tmp_path) -> None:
    message = refused(write(tmp_path / "found.json", [*as_records(), 3]), tmp_path)
    assert message.endswith("record 5 is 3; expected an object")


def test_an_image_that_is_not_there_is_named_with_the_ground_truth(tmp_path) -> None:
    message = refused(write_coco(tmp_path, {4: [(1, 1, 0.5)]}), tmp_path)
    assert message.endswith(f"record 1 is of image 4, which {tmp_path / 'test.json'} does not have")


def test_all_detections_of_other_categories_are_a_mistake(tmp_path) -> None:
    records = [{**one, "category_id": 0} for one in as_records()]
    message = refused(write(tmp_path / "found.json", records), tmp_path)
    assert "its categories are 0, that of mitoses in" in message


def test_json_that_is_cut_off(tmp_path) -> None:
    text = json.dumps(as_records())
    for end in range(0, len(text), 37):
        message = refused(write(tmp_path / "found.json", text[:end]), tmp_path)
        assert message.startswith(f"{tmp_path / 'found.json'} is no json; expected COCO results")
    (tmp_path / "found.json").write_bytes(b"[\xff\xfe]")
    refused(tmp_path / "found.json", tmp_path)


def test_files_that_are_no_results(tmp_path) -> None:
    assert "no such file" in refused(tmp_path / "none.json", tmp_path, FileNotFoundError)
    assert "is neither list nor object" in refused(write(tmp_path / "a.json", 3), tmp_path)
    ground = write(tmp_path / "b.json", coco(MITOSES))
    assert "is a COCO json of ground truth" in refused(ground, tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no results in the folder" in refused(tmp_path / "empty", tmp_path, FileNotFoundError)
    folder = write_midog(tmp_path)
    write(folder / "a.csv", "1,2")
    assert "holds json and csv files" in refused(folder, tmp_path)


POINT = {"name": "mitotic figure", "point": [0.01, 0.01, 0], "probability": 0.5}
POINT_ERRORS = [
    ({"point": [0.01]}, "point is [0.01]; expected x, y and 0 in mm, finite"),
    ({"point": [0.01, 0.01, 1, 0.7]}, "expected x, y and 0 in mm, finite"),
    ({"point": [NAN, 0.01, 0]}, "expected x, y and 0 in mm, finite"),
    ({"point": [110, 100, 0]}, "outside the image of 0.2 x 0.15 mm; expected millimetres"),
    ({"point": [-0.2, 0.1, 0]}, "outside the image of 0.2 x 0.15 mm; expected millimetres"),
    ({"probability": NAN}, "probability is nan; expected a finite number"),
    ({"name": "Point 1"}, "name is 'Point 1'; expected 'mitotic figure' or 'non-mitotic figure'"),
    ({"name": ["mitotic figure"]}, "name is ['mitotic figure']; expected"),
]


@pytest.mark.parametrize(("change", "said"), POINT_ERRORS)
def test_wrong_values_of_a_point(tmp_path, change: dict, said: str) -> None:
    path = write(tmp_path / "01.json", {"points": [POINT, POINT | change]})
    message = refused(path, tmp_path)
    assert f"{path}, point 2" in message
    assert said in message


@pytest.mark.parametrize("key", POINT)
def test_missing_keys_of_a_point(tmp_path, key: str) -> None:
    other = {k: v for k, v in POINT.items() if k != key}
    said = "an object with 'point'" if key == "point" else "the same keys as in the points before"
    path = write(tmp_path / "01.json", {"points": [POINT, other]})
    assert re.search(rf"point 2 is \{{.*; expected {said}", refused(path, tmp_path))


def test_wrong_objects_of_points(tmp_path) -> None:
    assert "'01' is [1]; expected an object with 'points'" in refused(
        write(tmp_path / "a.json", {"01": [1]}), tmp_path
    )
    assert "no image named 'b'; its images are named as 'source/01.tif'" in refused(
        write(tmp_path / "b.json", as_multiple_points([])), tmp_path
    )
    twice = {"01.tif": as_multiple_points([]), "source/01": as_multiple_points([])}
    assert "are of the same image" in refused(write(tmp_path / "c.json", twice), tmp_path)
    jobs = [as_job(1, as_multiple_points([])), {**as_job(2, None), "inputs": []}]
    assert "job 2 has no named input image and output 'mitotic-figures'" in refused(
        write(tmp_path / "d.json", jobs), tmp_path
    )


def test_a_name_that_two_images_end_in(tmp_path) -> None:
    value = coco(MITOSES)
    value["images"][1]["file_name"] = "other/01.tif"
    target = load_target(write(tmp_path / "test.json", value))
    path = write(tmp_path / "01.json", as_multiple_points([]))
    with pytest.raises(ValueError, match=r"'01' may be source/01.tif or other/01.tif"):
        read_results(path, target)


LINES = [
    ("row,column\n1,2", "line 1: 'row' is no finite number; expected row,column or"),
    ("1,2,0.5\n1,nan,0.5", "line 2: 'nan' is no finite number; expected"),
    ("1,2,inf", "line 1: 'inf' is no finite number; expected"),
    ("1", "line 1: 1 values ('1'); expected"),
    ("1,2,3,4", "line 1: 4 values ('1,2,3,4'); expected"),
    ("1;2", "line 1: 1 values ('1;2'); expected"),
    ("1,2\n\n1,2,0.5", "line 3: 3 values, but 2 in"),
]


@pytest.mark.parametrize(("text", "said"), LINES)
def test_wrong_lines_of_a_csv(tmp_path, text: str, said: str) -> None:
    folder = write_tupac(tmp_path, {1: []})
    write(folder / "source/01.csv", text)
    assert f"{folder / 'source/01.csv'}, {said}" in refused(folder, tmp_path)


def test_wrong_files_of_a_folder_of_csv(tmp_path) -> None:
    folder = write_tupac(tmp_path)
    write(folder / "source/02.csv", "200,205\n")  # no confidence, while 01.csv has some
    assert "source/02.csv, line 1: 2 values, but 3 in" in refused(folder, tmp_path)
    (folder / "source/02.csv").write_bytes(b"1,2\n\xff")
    assert "source/02.csv is no UTF-8 text" in refused(folder, tmp_path)
    folder = write_tupac(tmp_path / "b", {9: POINTS[1]})
    assert "no image named 'source/09'" in refused(folder, tmp_path)


def test_ground_truths_that_cannot_be_scored(tmp_path) -> None:
    with pytest.raises(ValueError, match="has no labelled image"):
        load_target(write(tmp_path / "a.json", coco({})))
    value = coco(MITOSES)
    del value["images"][1]["mpp"]
    with pytest.raises(ValueError, match=r"source/02.tif has no mpp.*--mpp"):
        load_target(write(tmp_path / "b.json", value))
    assert load_target(tmp_path / "b.json", mpp=0.5).by_id[2].mpp == 0.5


def test_an_image_that_is_there_twice_in_one_object(tmp_path) -> None:
    one = json.dumps(as_multiple_points(POINTS[1]))
    path = write(tmp_path / "found.json", f'{{"01.tif": {one}, "01.tif": {one}}}')
    assert "an object has the key '01.tif' twice" in refused(path, tmp_path)
    path = write(tmp_path / "deep.json", "[" * 100_000)
    assert "it is nested too deeply" in refused(path, tmp_path)


@pytest.mark.parametrize(
    "value", [[as_records()[0] | {"image_id": "x" * 5000}], {"x" * 5000: as_multiple_points([])}]
)
def test_names_without_end_are_said_by_their_beginning(tmp_path, value: object) -> None:
    assert len(refused(write(tmp_path / "found.json", value), tmp_path)) < 600


IMAGES = "detections_images.json"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (IMAGES, {"images": [{"id": 1, "file_name": "9.tif"}]}, "no image named '9.tif'"),
        (IMAGES, {"images": [{"id": 1, "file_name": "source/01.tif"}]}, "are of the same image"),
        (IMAGES, {"images": [{"id": 1.0, "file_name": "02.tif"}]}, "image 1 is .* id of its own"),
        (IMAGES, {"images": [{"id": 2, "file_name": "02.tif"}]}, "of image 1, which the file besi"),
        (IMAGES, [], "has no list 'images'"),
        ("detections.json", {}, "is {}; expected a list of detections"),
    ],
)
def test_slides_whose_images_are_wrong(tmp_path: Path, name: str, content, said: str) -> None:
    out = write_inferred(tmp_path)
    write(out / "02" / name, content)
    with pytest.raises(ValueError, match=said) as caught:
        read_results(out, load_target(ground_truth(tmp_path)))
    assert str(out / "02") in str(caught.value)


def test_one_slide_is_not_taken_for_another(tmp_path: Path) -> None:
    out = write_inferred(tmp_path)
    target = load_target(ground_truth(tmp_path))
    found = read_results(out / "02" / "detections.json", target).detections
    assert [image_id for image_id, one in found.items() if len(one.scores)] == [2]
