"""Windows of a field, against an implementation that goes pixel by pixel."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmdet.structures.mask import BitmapMasks
from pycocotools import mask as coco_mask

from mmdet_mitosis.datasets import mitosis_dataset
from mmdet_mitosis.datasets.mitosis_dataset import MitosisDataset
from tests import make_data
from tests.make_data import box, disc, expected, mask_bbox, random_mitoses, write_json

SIZE = (220, 180)


def build(tmp_path, mitoses, size=SIZE, **kwargs) -> MitosisDataset:
    path = write_json(tmp_path / "train.json", make_data.coco([size], [mitoses]))
    return MitosisDataset(**{"ann_file": path, "window_size": 100, **kwargs})


def records(dataset) -> dict[tuple, dict]:
    found = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {record["window_xyxy"]: record for record in found}


def rasterise(instance, record) -> np.ndarray:
    shape = record["height"], record["width"]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(instance["mask"], *shape))) > 0


def said(monkeypatch) -> list[str]:
    logged = []
    monkeypatch.setattr(mitosis_dataset, "print_log", lambda text, logger: logged.append(text))
    return logged


def test_windows_have_the_papers_stride_and_cover_the_field(tmp_path):
    dataset = build(tmp_path, [], (2000, 1300), window_size=512)
    origins_x = [0, 205, 410, 615, 820, 1025, 1230, 1435, 1488]
    origins_y = [0, 205, 410, 615, 788]
    wanted = {(x, y, x + 512, y + 512) for x in origins_x for y in origins_y}
    assert set(records(dataset)) == wanted and len(dataset) == len(wanted)


def test_a_field_smaller_than_a_window_is_one_window_of_its_own_size(tmp_path):
    (record,) = records(build(tmp_path, [], (90, 70))).values()
    assert record["window_xyxy"] == (0, 0, 90, 70)
    assert (record["width"], record["height"], record["field_shape"]) == (90, 70, (70, 90))


@pytest.mark.parametrize("size", [(220, 180), (100, 100), (130, 205), (95, 260), (300, 140)])
@pytest.mark.parametrize("overlap", [0.6, 0.25, 0.0])
def test_objects_masks_and_windows_are_those_of_the_pixels(tmp_path, size, overlap):
    rng = np.random.default_rng((*size, int(100 * overlap)))
    mitoses = random_mitoses(rng, 6, *size)
    train = records(build(tmp_path, mitoses, size, overlap=overlap))
    test = records(build(tmp_path, mitoses, size, overlap=overlap, test_mode=True))
    n_objects = 0
    for window, record in test.items():
        masks, foreign = expected(mitoses, window, size)
        assert (window in train) is not foreign
        assert len(record["instances"]) == len(masks)
        for instance, mask in zip(record["instances"], masks, strict=True):
            np.testing.assert_array_equal(rasterise(instance, record), mask)
            assert instance["bbox"] == mask_bbox(mask)
            assert (instance["bbox_label"], instance["ignore_flag"]) == (0, 0)
        if window in train:
            assert train[window]["instances"] == record["instances"]
        n_objects += len(masks)
    assert n_objects >= 6


def test_a_centroid_on_the_fields_far_corner_belongs_to_the_last_window(tmp_path):
    found = records(build(tmp_path, [disc(220, 180, 12, *SIZE)]))
    holding = [window for window, record in found.items() if record["instances"]]
    assert holding == [(120, 80, 220, 180)]
    assert found[holding[0]]["instances"][0]["bbox"] == [88, 88, 100, 100]


def test_a_centroid_on_a_windows_own_far_edge_is_outside_it(tmp_path):
    found = records(build(tmp_path, [disc(100, 50, 12, *SIZE)], test_mode=True))
    assert not found[0, 0, 100, 100]["instances"]
    assert found[40, 0, 140, 100]["instances"]
    at_near_edge = records(build(tmp_path, [disc(40, 50, 12, *SIZE)]))
    assert at_near_edge[40, 0, 140, 100]["instances"][0]["bbox"][0] == 0


def test_a_mitosis_has_the_same_shape_in_every_window_that_shows_it_whole(tmp_path):
    found = records(build(tmp_path, [disc(90, 90, 9, *SIZE)]))
    whole = []
    for (x, y, _, _), record in found.items():
        for instance in record["instances"]:
            (polygon,) = instance["mask"]
            points = np.reshape(polygon, (-1, 2)) + np.array([x, y])
            if np.ptp(points, axis=0).tolist() == [18, 18]:
                whole.append({tuple(point) for point in points.tolist()})
    assert len(whole) >= 4 and all(shape == whole[0] for shape in whole)


@pytest.mark.parametrize(
    ("x1", "kept"), [(95, True), (94, False)], ids=["a quarter", "more than a quarter"]
)
def test_a_window_may_show_a_quarter_of_a_mitosis_centred_outside(tmp_path, monkeypatch, x1, kept):
    logged = said(monkeypatch)
    foreign, own = box(x1, 20, x1 + 20, 40), disc(50, 60, 8, *SIZE)
    found = records(build(tmp_path, [foreign, own]))
    assert ((0, 0, 100, 100) in found) is kept
    if kept:
        assert len(found[0, 0, 100, 100]["instances"]) == 1
    assert ("left out that show part of a mitosis" in logged[0]) is not kept
    tested = records(build(tmp_path, [foreign, own], test_mode=True))
    assert len(tested[0, 0, 100, 100]["instances"]) == 1


def test_the_quarter_is_of_what_the_field_holds_of_the_mitosis(tmp_path):
    # Of the disc's half that lies in the field, the window shows 5 of 13 columns, 29 % of its
    # area; of the whole disc that would be 14 %.
    cut_by_the_field = disc(104, 0, 13, *SIZE)
    fraction = expected([cut_by_the_field], (0, 0, 100, 100), SIZE)
    assert fraction == ([], True)
    assert (0, 0, 100, 100) not in records(build(tmp_path, [cut_by_the_field]))


def test_a_mitosis_of_two_parts_is_one_object(tmp_path):
    parts = np.concatenate([box(20, 30, 30, 40).pixels_xy, box(40, 30, 50, 40).pixels_xy])
    found = records(build(tmp_path, [make_data.Mitosis(parts, (35.0, 35.0))]))
    (instance,) = found[0, 0, 100, 100]["instances"]
    assert instance["bbox"] == [20, 30, 50, 40] and len(instance["mask"]) == 2
    assert rasterise(instance, found[0, 0, 100, 100]).sum() == 200
    # The window from x = 40 on has the right part alone: half of a mitosis centred outside.
    assert (40, 0, 140, 100) not in found


def test_a_window_cuts_a_part_off_a_mitosis_of_two_parts(tmp_path):
    parts = np.concatenate([box(30, 30, 38, 40).pixels_xy, box(42, 30, 60, 40).pixels_xy])
    found = records(build(tmp_path, [make_data.Mitosis(parts, (47.0, 35.0))]))
    (instance,) = found[40, 0, 140, 100]["instances"]
    assert instance["bbox"] == [2, 30, 20, 40] and len(instance["mask"]) == 1


def test_negative_windows_stay_whatever_the_filter(tmp_path):
    mitoses = [disc(30, 30, 9, *SIZE)]
    dataset = build(tmp_path, mitoses, filter_cfg={"filter_empty_gt": True, "min_size": 32})
    assert dataset.filter_data() is dataset.data_list
    held = [len(record["instances"]) for record in records(dataset).values()]
    assert (held.count(0), held.count(1)) == (11, 1)


def test_mitoses_that_no_window_is_left_for_are_counted(tmp_path, monkeypatch):
    logged = said(monkeypatch)
    # The only window of the first mitosis shows almost half of the second one.
    found = records(build(tmp_path, [disc(20, 20, 8, *SIZE), disc(101, 20, 8, *SIZE)]))
    assert (0, 0, 100, 100) not in found
    assert logged == [
        f"{tmp_path}/train.json: 1 fields, 2 mitoses, 11 windows; 1 left out that show part of a "
        "mitosis centred outside; 1 mitoses are in no window"
    ]


def test_with_the_papers_windows_hardly_a_mitosis_of_dense_fields_is_lost(tmp_path, monkeypatch):
    logged = said(monkeypatch)
    rng = np.random.default_rng(1)
    size = (1000, 1000)
    fields = [random_mitoses(rng, 4, *size) for _ in range(20)]
    path = write_json(tmp_path / "a.json", make_data.coco([size] * 20, fields))
    dataset = MitosisDataset(ann_file=path)
    assert len(dataset) > 0.95 * 20 * 16
    # One lies in a corner, which a single window covers, and that one shows half of another.
    assert "20 fields, 80 mitoses" in logged[0]
    assert logged[0].endswith("; 1 mitoses are in no window")
    test = MitosisDataset(ann_file=path, test_mode=True)
    assert len(test) == 20 * 16 and "in no window" not in logged[1]


def test_a_split_without_any_window_to_train_on_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"train\.json: no window to read \(1 fields, 2 windows"):
        build(tmp_path, [box(94, 20, 114, 40), box(6, 20, 26, 40)], (120, 100))


def test_a_field_that_is_not_labelled_is_no_negative(tmp_path, monkeypatch):
    logged = said(monkeypatch)
    content = make_data.coco([SIZE, SIZE], [[disc(30, 30, 9, *SIZE)], []])
    content["images"][1]["labelled"] = False
    path = write_json(tmp_path / "a.json", content)
    train = MitosisDataset(ann_file=path, window_size=100)
    assert {train.get_data_info(i)["img_id"] for i in range(len(train))} == {1}
    assert "1 fields left out that nobody has labelled" in logged[0]
    assert len(MitosisDataset(ann_file=path, window_size=100, test_mode=True)) == 2 * len(train)


def test_other_categories_are_no_mitoses_and_counted(tmp_path, monkeypatch):
    logged = said(monkeypatch)
    content = make_data.coco([SIZE], [[disc(30, 30, 9, *SIZE), disc(60, 60, 9, *SIZE)]])
    content["categories"] = [{"id": 1, "name": "look-alike"}, {"id": 7, "name": "mitosis"}]
    content["annotations"][1]["category_id"] = 7
    dataset = MitosisDataset(ann_file=write_json(tmp_path / "a.json", content), window_size=100)
    (instance,) = records(dataset)[0, 0, 100, 100]["instances"]
    assert instance["bbox"] == [51, 51, 69, 69] and instance["bbox_label"] == 0
    assert "1 mitoses" in logged[0] and "1 annotations of other categories" in logged[0]


@pytest.mark.parametrize(
    ("kwargs", "folder"),
    [
        ({}, ""),
        ({"data_root": "root/"}, "root"),
        ({"data_root": "root", "data_prefix": {"img": "images/"}}, "root/images"),
        ({"data_prefix": {"img": "images"}}, "images"),
    ],
)
def test_images_lie_below_root_and_prefix(tmp_path, kwargs, folder):
    record = build(tmp_path, [], **kwargs).get_data_info(0)
    assert Path(record["img_path"]) == Path(folder, "field0.png")
    assert (record["case"], record["scanner"], record["mpp"]) == ("00", "scanner", 0.25)


def break_file(content, **changes) -> str:
    for key, value in changes.items():
        where = content["annotations"][0]
        where.pop(key) if value is None else where.update({key: value})
    return json.dumps(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: "{'no': json}", "no field-level COCO json"),
        (lambda c: "[1, 2]", "no field-level COCO json"),
        (lambda c: json.dumps({**c, "images": [], "annotations": []}), r"no window to read \(0 f"),
        (lambda c: json.dumps({"images": c["images"]}), "no field-level COCO json"),
        (
            lambda c: json.dumps({**c, "annotations": [], "categories": []}),
            "no category named mitosis",
        ),
        (
            lambda c: json.dumps({**c, "images": [{"id": 1, "file_name": "a.png"}]}),
            "no field-level COCO json: image 1 lacks 'width'",
        ),
        (
            lambda c: json.dumps({**c, "annotations": 2 * c["annotations"]}),
            "no field-level COCO json: two annotations have the same id, 1",
        ),
        (lambda c: break_file(c, centroid=None), "annotation 1 lacks 'centroid'"),
        (lambda c: break_file(c, centroid=[4]), r"centroid must be .* got \[4\] in annotation 1"),
        (lambda c: break_file(c, centroid="ab"), "centroid must be .* got 'ab' in annotation 1"),
        (
            lambda c: break_file(c, centroid=[1e308, 5]),
            r"\[1e\+308, 5\] of annotation 1 lies outside",
        ),
        (lambda c: break_file(c, image_id=9), "annotation 1 is of no image: 9"),
        (
            lambda c: break_file(c, segmentation=[[1, 2, 9, 2, 9, float("inf")]]),
            r"annotation 1 holds \[1, 2, 9, 2, 9, inf\]; expected polygons",
        ),
        (lambda c: "[" * 100_000, "no field-level COCO json: it is nested too deeply"),
        (
            lambda c: json.dumps(
                {**c, "images": [{**c["images"][0], "width": 10**6, "height": 10**6}]}
            ),
            "1000000 x 1000000 px are .* windows of 512 px .* expected at most 500000",
        ),
        (lambda c: break_file(c, segmentation=None), "annotation 1 has the segmentation None"),
        (lambda c: break_file(c, segmentation=[]), r"annotation 1 has the segmentation \[\]"),
        (
            lambda c: break_file(c, segmentation=[[1, 2, 3, 4]]),
            r"annotation 1 holds \[1, 2, 3, 4\]",
        ),
        (
            lambda c: break_file(c, segmentation={"counts": "xyz", "size": [9, 9]}),
            "annotation 1 has the segmentation .'counts'",
        ),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, spoil, message):
    path = tmp_path / "wrong.json"
    path.write_text(spoil(make_data.coco([SIZE], [[disc(30, 30, 9, *SIZE)]])))
    with pytest.raises(ValueError, match=message) as caught:
        MitosisDataset(ann_file=str(path))
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"below/none\.json .*prepare\.py"):
        MitosisDataset(data_root=str(tmp_path / "below"), ann_file="none.json")


def test_registry_builds_it_and_its_pipeline_gives_masks(tmp_path, mmdet_scope):
    path = make_data.write_data(tmp_path, [SIZE], [[disc(99, 30, 9, *SIZE)]])
    pipeline = [{"type": "LoadWindow"}, {"type": "LoadAnnotations", "with_mask": True}]
    images = {"img": str(tmp_path / "images")}
    dataset = DATASETS.build(
        {
            "type": "MitosisDataset",
            "ann_file": path,
            "data_prefix": images,
            "window_size": 100,
            "pipeline": pipeline,
        }
    )
    first = dataset[0]
    assert isinstance(first["gt_masks"], BitmapMasks)
    wanted = expected([disc(99, 30, 9, *SIZE)], (0, 0, 100, 100), SIZE)[0]
    np.testing.assert_array_equal(first["gt_masks"].masks, wanted)
