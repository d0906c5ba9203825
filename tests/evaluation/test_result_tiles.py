"""Results of tiles are those of fields, and those of the metric."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmdet_mitosis.evaluation import CentroidFScore
from mmdet_mitosis.evaluation.results import (
    Threshold,
    load_target,
    read_results,
    score_results,
    tune,
)
from mmdet_mitosis.evaluation.truth import Truth, load_truth
from tests.evaluation.fields import write
from tests.evaluation.result_files import as_multiple_points
from tests.evaluation.test_tiles import fields_json, tiles_json

KEYS = ("tp", "fp", "fn", "f_score", "precision", "recall")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Ground truth of fields and of their tiles."""
    value = fields_json()
    tiles = write(tmp_path / "tiles.json", tiles_json(value, 256, 0.6))
    return write(tmp_path / "test.json", value), tiles


def seen_in_tiles(truth: Truth, seed: int = 0) -> dict[int, np.ndarray]:
    """Boxes and scores of each tile, px of it: those of mitoses a little off, and false ones."""
    rng = np.random.default_rng(seed)
    fields = {field.image_id: field for field in truth.fields}
    seen = {}
    for tile_id, tile in truth.tiles.items():
        x1, y1, x2, y2 = tile.window_xyxy
        mitoses = fields[tile.image_id].centroids_xy
        inside = ((mitoses >= (x1, y1)) & (mitoses < (x2, y2))).all(axis=1)
        centers = mitoses[inside] + rng.normal(0, 4, (inside.sum(), 2)) - (x1, y1)
        centers = np.concatenate([centers, rng.uniform(0, 256, (1, 2))])
        boxes = np.concatenate([centers - 12, centers + 12], axis=1).clip(0, 256)
        scores = rng.uniform(0.3, 1, len(boxes)) * np.append(np.ones(inside.sum()), 0.7)
        seen[tile_id] = np.column_stack([boxes, scores]).astype(np.float32).astype(float)
    return seen


def as_records(seen: dict[int, np.ndarray]) -> list[dict]:
    return [
        {"image_id": i, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}
        for i, rows in seen.items()
        for x1, y1, x2, y2, score in rows.tolist()
    ]


def run_metric(ann_file: Path, truth: Truth, seen: dict, threshold: float, out: Path):
    """Run the metric on the tiles as windows of their fields."""
    metric = CentroidFScore(str(ann_file), threshold=threshold, outfile=str(out))
    for tile_id, rows in seen.items():
        found = InstanceData(
            bboxes=torch.tensor(rows[:, :4]),
            scores=torch.tensor(rows[:, 4]),
            labels=torch.zeros(len(rows), dtype=torch.long),
        )
        tile = truth.tiles[tile_id]
        info = {"img_id": tile.image_id, "window_xyxy": tile.window_xyxy}
        metric.process({}, [DetDataSample(metainfo=info, pred_instances=found).to_dict()])
    return metric, {k.split("/")[1]: v for k, v in metric.evaluate(len(seen)).items()}


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.65])
def test_tiles_and_fields_score_as_the_metric_does(tmp_path, files, threshold: float) -> None:
    ann_file, tiled_file = files
    tiled, whole = load_target(tiled_file), load_target(ann_file)
    seen = seen_in_tiles(tiled.truth)
    out = tmp_path / "found.json"
    metric, expected = run_metric(ann_file, tiled.truth, seen, threshold, out)
    assert min(expected["tp"], expected["fp"]) > 0
    of_tiles = read_results(write(tmp_path / "tiles_found.json", as_records(seen)), tiled)
    of_fields = read_results(out, whole)
    for target, results in ((tiled, of_tiles), (whole, of_fields)):
        summary = score_results(target, results, Threshold(threshold, "here"))
        assert {key: summary[key] for key in KEYS} == {key: expected[key] for key in KEYS}
        assert summary["ap"] == pytest.approx(expected["ap"])
        assert summary["oracle_f_score"] == expected["oracle_f_score"]
        assert summary["n_detections"] == sum(map(len, metric.detections.values()))
    for image_id, found in metric.detections.items():
        np.testing.assert_allclose(of_tiles.detections[image_id].centers_xy, found.centers_xy)
        np.testing.assert_allclose(
            of_fields.detections[image_id].centers_xy, found.centers_xy, atol=0.0051
        )


def test_the_chosen_threshold_is_that_of_the_metric(tmp_path, files) -> None:
    ann_file, tiled_file = files
    tiled = load_target(tiled_file)
    seen = seen_in_tiles(tiled.truth)
    _, expected = run_metric(ann_file, tiled.truth, seen, "choose", tmp_path / "found.json")
    results = read_results(write(tmp_path / "tiles_found.json", as_records(seen)), tiled)
    assert tune(tiled, results).value == pytest.approx(expected["threshold"], abs=1e-12)


def test_detections_of_one_mitosis_in_several_tiles_are_one(tmp_path, files) -> None:
    target = load_target(files[1])
    tile_ids = [i for i, tile in target.truth.tiles.items() if tile.image_id == 1]
    spot = np.array([180.0, 130.0])
    records = []
    for i in tile_ids:
        x1, y1, x2, y2 = target.truth.tiles[i].window_xyxy
        x, y = spot - (x1, y1)
        if 20 < x < x2 - x1 - 20 and 20 < y < y2 - y1 - 20:
            records.append(
                {"image_id": i, "category_id": 1, "point": [x, y], "score": 0.5 + i / 99}
            )
    assert len(records) > 2
    results = read_results(write(tmp_path / "found.json", records), target)
    assert results.detections[1].centers_xy.tolist() == [spot.tolist()]
    assert results.detections[1].scores.tolist() == [records[-1]["score"]]
    assert f"{len(records)} detections in tiles are 1 in fields" in results.notes[0]


def test_a_neighbour_that_sees_nothing_whole_overrules_what_a_border_cuts(tmp_path, files) -> None:
    # Tiles without any record count among the windows of a field.
    target = load_target(files[1])
    first = target.truth.tiles[1]
    assert first.window_xyxy == (0, 0, 256, 256)
    cut = {"image_id": 1, "category_id": 1, "bbox": [240, 100, 16, 20], "score": 0.9}
    whole = {"image_id": 1, "category_id": 1, "bbox": [60, 100, 16, 20], "score": 0.9}
    results = read_results(write(tmp_path / "found.json", [cut, whole]), target)
    assert results.detections[1].centers_xy.tolist() == [[68, 110]]


def test_results_by_name_are_of_fields_also_where_the_ground_truth_is_of_tiles(
    tmp_path, files
) -> None:
    points = {"source/01.tif": as_multiple_points([(500, 400, 0.9), (501, 400, 0.8)])}
    path = write(tmp_path / "map.json", points)
    of_tiles, of_fields = (read_results(path, load_target(file)) for file in files)
    for results in (of_tiles, of_fields):
        np.testing.assert_allclose(results.detections[1].centers_xy, [[500, 400], [501, 400]])


def test_tiles_that_are_not_there_are_named(tmp_path, files) -> None:
    target = load_target(files[1])
    unknown = max(target.truth.tiles) + 1
    record = {"image_id": unknown, "category_id": 1, "point": [1, 1], "score": 0.5}
    with pytest.raises(ValueError, match=f"record 1 is of image {unknown}, which .*tiles.json"):
        read_results(write(tmp_path / "found.json", [record]), target)


def test_tiles_of_a_field_that_nobody_has_labelled_are_left_out(tmp_path) -> None:
    value = fields_json()
    value["images"][0]["labelled"] = False
    tiled = write(tmp_path / "tiles.json", tiles_json(value, 256, 0.6))
    target = load_target(tiled)
    assert target.truth.unlabelled == {1: "source/01.tif"}
    unlabelled = [i for i, tile in target.truth.tiles.items() if tile.image_id == 1]
    records = [
        {"image_id": i, "category_id": 1, "point": [9, 9], "score": 0.5} for i in unlabelled[:2]
    ]
    results = read_results(write(tmp_path / "found.json", records), target)
    assert results.n_left_out == 2
    assert not results.detections


def test_saved_detections_are_of_fields_also_where_the_ground_truth_is_of_tiles(
    tmp_path, files
) -> None:
    target = load_target(files[1])
    record = {"image_id": 3, "category_id": 1, "point": [500, 500], "score": 0.5}
    results = read_results(write(tmp_path / "found.json", [record]), target.as_saved())
    assert results.detections[3].centers_xy.tolist() == [[500, 500]]
    assert json.loads((tmp_path / "found.json").read_text()) == [record]
    assert dataclasses.replace(target.as_saved().truth, tiles=target.truth.tiles) == target.truth


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"window": [0, 0, 9]}, r"tile 2 has the window \[0, 0, 9\]; expected \[x1, y1, x2, y2\]"),
        ({"window": [0, 0, 10, 10]}, r"tile 2 has the window \[0, 0, 10, 10\], but is 100 x 80 px"),
        ({"window": [0, 0, float("inf"), 80]}, "tile 2 has the window"),
        ({"field": 3}, "tile 2 has the field 3; expected a text"),
        ({"mpp": 0.5}, "tiles 1 and 2 are of the same field, with the mpp 0.25 and 0.5"),
    ],
)
def test_tiles_that_do_not_make_a_field(tmp_path, change: dict, said: str) -> None:
    size = {"file_name": "a.png", "width": 100, "height": 80, "mpp": 0.25}
    tile = {**size, "field": "a.tif", "window": [0, 0, 100, 80]}
    images = [{**tile, "id": 1}, {**tile, "id": 2, **change}]
    categories = [{"id": 1, "name": "mitosis"}]
    value = {"images": images, "annotations": [], "categories": categories}
    with pytest.raises(ValueError, match=said):
        load_truth(write(tmp_path / "tiles.json", value))
