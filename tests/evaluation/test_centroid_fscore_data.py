"""What the metric takes: boxes and masks; windows, tiles and whole fields; look-alikes."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_mitosis.evaluation import CentroidFScore
from tests.evaluation.fields import annotation, coco, write
from tests.evaluation.test_centroid_fscore import LEFT, RIGHT, build, counts, evaluate, sample
from tests.evaluation.test_tiles import fields_json, tiles_json


def as_stock(one: DetDataSample, image_id: int, size: tuple[int, int]) -> DetDataSample:
    """The prediction as MMDetection's own datasets give it: the image is all there is."""
    metainfo = {"img_id": image_id, "ori_shape": size}
    return DetDataSample(metainfo=metainfo, pred_instances=one.pred_instances)


def test_a_mask_has_its_own_centre(tmp_path) -> None:
    # An L of 40 px: its box has the middle (420, 300), its mass lies elsewhere.
    masks = torch.zeros(1, 512, 512, dtype=torch.bool)
    masks[0, 280:320, 400 - 288 : 410 - 288] = True
    masks[0, 310:320, 400 - 288 : 440 - 288] = True
    seen = sample(RIGHT, (420, 300, 0.9), masks=masks)
    n = 400 + 300
    mass_xy = ((400 * 405 + 300 * 425) / n, (400 * 300 + 300 * 315) / n)
    metric = build(tmp_path, threshold=0.5, center="mask")
    evaluate(metric, seen)
    assert metric.detections[1].centers_xy[0] == pytest.approx(mass_xy)
    metric = build(tmp_path, threshold=0.5)
    evaluate(metric, seen)
    assert metric.detections[1].centers_xy.tolist() == [[420, 300]]


def test_an_empty_mask_goes_by_its_box(tmp_path) -> None:
    masks = torch.zeros(1, 512, 512, dtype=torch.bool)
    metric = build(tmp_path, threshold=0.5, center="mask")
    assert counts(evaluate(metric, sample(LEFT, (402, 300, 0.9), masks=masks))) == (1, 0, 0)


def test_a_detector_without_masks_cannot_be_scored_by_them(tmp_path) -> None:
    with pytest.raises(ValueError, match="take center='box'"):
        evaluate(build(tmp_path, threshold=0.5, center="mask"), sample(LEFT, (402, 300, 0.9)))


def test_false_positives_on_look_alikes_are_told(tmp_path) -> None:
    value = coco({1: [(400, 300)]})
    value["annotations"] += [
        annotation(2, 1, (100, 100), category_id=2),
        annotation(3, 1, (200, 100), category_id=2),
        annotation(4, 1, (405, 300), category_id=2),  # beside the mitosis
    ]
    seen = sample(LEFT, (102, 100, 0.9), (400, 300, 0.8), (60, 300, 0.9), (200, 300, 0.7))
    metric = CentroidFScore(str(write(tmp_path / "val.json", value)), threshold=0.5)
    metrics = evaluate(metric, seen)
    assert counts(metrics) == (1, 3, 0)
    assert metrics["fp_look_alikes"] == 1


def test_without_look_alikes_labelled_nothing_is_said_of_them(tmp_path) -> None:
    value = coco({1: [(400, 300)]})
    value["categories"] = value["categories"][:1]
    metric = CentroidFScore(str(write(tmp_path / "val.json", value)), threshold=0.5)
    assert "fp_look_alikes" not in evaluate(metric, sample(LEFT))


def test_a_whole_field_is_one_window(tmp_path) -> None:
    one = sample((0, 0, 800, 600), (402, 300, 0.9), (700, 500, 0.9))
    metrics = evaluate(build(tmp_path, threshold=0.5), as_stock(one, 1, (600, 800)))
    assert counts(metrics) == (1, 1, 0)


def test_tiles_score_as_the_windows_of_their_fields(tmp_path) -> None:
    value = fields_json()
    tiled = tiles_json(value, 256, 0.6)
    annotations = value["annotations"]
    centroids = {i: [a["centroid"] for a in annotations if a["image_id"] == i] for i in (1, 2, 3)}
    windows, tiles = [], []
    for image in tiled["images"]:
        x1, y1, x2, y2 = image["window"]
        field = int(image["field"][len("source/") :][:2])
        found = [
            (x + 3, y, 0.3 + 0.6 * (n % 3) / 3)
            for n, (x, y) in enumerate(centroids[field])
            if x1 <= x < x2 and y1 <= y < y2
        ]
        one = sample((x1, y1, x2, y2), *found, image_id=field)
        windows.append(one)
        tiles.append(as_stock(one, image["id"], (y2 - y1, x2 - x1)))
    by_field = CentroidFScore(str(write(tmp_path / "fields.json", value)), threshold=0.5)
    by_tile = CentroidFScore(str(write(tmp_path / "tiles.json", tiled)), threshold=0.5)
    expected = evaluate(by_field, *windows)
    assert 0 < expected["f_score"] < 1
    assert evaluate(by_tile, *tiles) == expected


def test_windows_of_unlabelled_fields_are_left_out(tmp_path) -> None:
    value = coco({1: [(400, 300)], 2: []})
    value["images"][1]["labelled"] = False
    metric = CentroidFScore(str(write(tmp_path / "val.json", value)), threshold=0.5)
    seen = sample(LEFT, (100, 100, 0.9), image_id=2)
    assert counts(evaluate(metric, sample(LEFT, (402, 300, 0.9)), seen)) == (1, 0, 0)


def test_an_empty_prediction_may_lack_nothing(tmp_path) -> None:
    found = InstanceData(
        bboxes=torch.empty(0, 4), scores=torch.empty(0), labels=torch.empty(0, dtype=torch.long)
    )
    found.masks = torch.empty(0, 512, 512, dtype=torch.bool)
    one = DetDataSample(metainfo={"img_id": 1, "window_xyxy": LEFT}, pred_instances=found)
    assert counts(evaluate(build(tmp_path, threshold=0.5, center="mask"), one)) == (0, 0, 1)
