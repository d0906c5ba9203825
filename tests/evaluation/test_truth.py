"""Reading the fields of a split."""

import pytest

from mmdet_mitosis.evaluation.truth import load_fields, load_truth
from tests.evaluation.fields import annotation, coco, write


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
    assert field.look_alikes_xy.tolist() == [[300, 300]]
    assert len(field.polygons) == 1


def test_where_no_look_alikes_are_labelled_there_are_none_and_not_zero(tmp_path) -> None:
    value = coco({1: [(100, 200)], 2: []})
    assert [f.look_alikes_xy.shape for f in load_fields(write(tmp_path / "a.json", value))] == [
        (0, 2),
        (0, 2),
    ]
    value["categories"] = value["categories"][:1]
    assert [f.look_alikes_xy for f in load_fields(write(tmp_path / "b.json", value))] == [None] * 2


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
        ([1, 2], r"it is \[1, 2\]; expected an object with 'categories'"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"images": [], "images": []}', "an object has the key 'images' twice"),
        ({"images": [], "annotations": []}, "lacks 'categories'"),
        ({"images": [], "annotations": [], "categories": []}, "no category of mitoses, only none"),
        (lacking("images", "mpp"), "source/01.tif has no mpp, µm a pixel: give it with --mpp"),
        (lacking("images", "file_name"), "lacks 'file_name'"),
        (lacking("images", "width"), "lacks 'width'"),
        (lacking("annotations", "category_id"), "lacks 'category_id'"),
        (coco({1: []}, mpp=float("nan")), "mpp must be positive, got nan for source/01.tif"),
        (coco({1: []}, mpp=0), "mpp must be positive, got 0 "),
        (coco({1: []}, mpp=None), "has no mpp"),
        (coco({1: []}, mpp="fine"), "mpp must be positive, got 'fine' for source/01.tif"),
        (coco({1: []}, mpp=1e-9), r"mpp must be 0.01 to 100 µm, got 1e-09 for source/01.tif"),
        (coco({1: []}, width=-1), "image 1 has the width -1; expected a whole number of 1 to"),
        (coco({1: []}, height=1e18), r"image 1 has the height 1e\+18; expected a whole number"),
        (
            coco({1: []}, file_name="\ud800"),
            r"image 1 has the file_name '\\ud800'; expected a text",
        ),
        (coco({1: []}, case=float("nan")), "image 1 has the case nan; expected a text"),
        (coco({1: []}, labelled="false"), "image 1 has labelled 'false'; expected true or false"),
        (changed(centroid=[float("nan"), 3.0]), r"got \[nan, 3.0\] in annotation 1"),
        (changed(centroid=[1.0, 2.0, 3.0, 4.0]), r"\[1.0, 2.0, 3.0, 4.0\] in annotation 1"),
        (
            changed(centroid=[10**400, 3]),
            r"centroid must be \[x, y\], got \[1000+… in annotation 1",
        ),
        (
            changed(centroid=[100, 700]),
            r"centroid \[100, 700\] of annotation 1 lies outside its image",
        ),
        (
            changed(segmentation=[[1, 2, 3, 4]]),
            r"annotation 1 holds \[1, 2, 3, 4\]; expected polyg",
        ),
        (changed(segmentation=[[1, 2, 3, 4, 5, float("nan")]]), r"5, nan\]; expected polygons"),
        (changed(segmentation="none"), "segmentation of annotation 1 is 'none'; expected polygons"),
        (changed(image_id=9), "annotation 1 is of no image: 9"),
        (changed(category_id=9), "annotation 1 is of no category: 9"),
        (changed(image_id=[1]), r"annotation 1 has the image_id \[1\]; expected a whole number or"),
        (coco({1: []}) | {"images": coco({1: []})["images"] * 2}, "the same id"),
    ],
)
def test_wrong_files_are_named_with_what_is_wrong(tmp_path, value: object, message: str) -> None:
    path = write(tmp_path / "val.json", value)
    with pytest.raises(ValueError, match=message) as error:
        load_fields(path)
    assert str(error.value).startswith(f"{path} is no COCO json of fields: ")


def plain(*boxes: tuple, mpp: float | None = None) -> dict:
    """A COCO json without any of this project's keys."""
    image = {"id": 1, "file_name": "slides/case7.tif", "width": 800, "height": 600}
    image |= {} if mpp is None else {"mpp": mpp}
    annotations = [
        {"id": i, "image_id": 1, "category_id": 1 + i % 2, "bbox": list(box)}
        for i, box in enumerate(boxes)
    ]
    categories = [{"id": 1, "name": "Mitotic figure"}, {"id": 2, "name": "hard negative"}]
    return {"images": [image], "annotations": annotations, "categories": categories}


def test_a_plain_coco_json_goes_by_its_boxes_and_the_names_of_its_categories(tmp_path) -> None:
    path = write(tmp_path / "gt.json", plain((90, 180, 20, 40), (500, 300, 50, 50)))
    (field,) = load_fields(path, mpp=0.5)
    assert field.centroids_xy.tolist() == [[100, 200]]
    assert field.look_alikes_xy.tolist() == [[525, 325]]
    assert (field.case, field.scanner, field.mpp) == ("case7", "unknown", 0.5)
    assert field.polygons == [[]]


def test_the_mpp_of_an_image_stands_over_the_one_that_is_given(tmp_path) -> None:
    (field,) = load_fields(write(tmp_path / "gt.json", plain(mpp=0.25)), mpp=0.5)
    assert field.mpp == 0.25


def test_boxes_of_corners_are_not_taken_for_cocos(tmp_path) -> None:
    path = write(tmp_path / "midog.json", plain((500, 300, 550, 350)))
    with pytest.raises(ValueError, match=r"annotation 0 reaches beyond .*800 x 600.*prepare\.py"):
        load_fields(path, mpp=0.25)
    path = write(tmp_path / "empty.json", plain((500, 300, 0, 50)))
    with pytest.raises(ValueError, match=r"\[500, 300, 0, 50\] in annotation 0"):
        load_fields(path, mpp=0.25)


def test_fields_that_nobody_labelled_are_not_scored(tmp_path) -> None:
    value = coco({1: [(100, 200)], 2: []})
    value["images"][1]["labelled"] = False
    truth = load_truth(write(tmp_path / "val.json", value))
    assert [field.image_id for field in truth.fields] == [1]
    assert truth.unlabelled == {2: "source/02.tif"}


@pytest.mark.parametrize("wrong", [10**500, None, "x" * 5000, ["a.json"]])
def test_what_is_no_path_is_told_in_short(wrong) -> None:
    with pytest.raises(ValueError, match=r"ann_file is .*; expected the path of a json") as caught:
        load_truth(wrong)
    assert len(str(caught.value)) < 300
