"""Tiles that ``prepare.py --write-tiles`` has written are scored as their fields are."""

import dataclasses

import numpy as np
import pytest

from data_prep.tiled_part import TiledPart, TileOptions
from mmdet_mitosis.evaluation.truth import load_truth
from tests.evaluation.fields import annotation, coco, write


def fields_json() -> dict:
    """Three fields; a mitosis in up to four tiles, a look-alike on top of one, an empty field."""
    rng = np.random.default_rng(3)
    mitoses = {i: [tuple(p) for p in rng.uniform(15, 585, (9, 2)).round(2)] for i in (1, 3)}
    value = coco({1: mitoses[1], 2: [], 3: mitoses[3]})
    for image in value["images"]:
        image["labelled"] = True
    x, y = mitoses[1][0]
    spots = [(x, y), (400.0, 300.0), (401.5, 300.0)]
    for n, spot in enumerate(spots):
        value["annotations"].append(annotation(50 + n, 1, spot, category_id=2))
    return value | {"info": {}}


def tiles_json(value: dict, size: int, overlap: float) -> dict:
    images, annotations = [], []
    for some, more in TiledPart(value, "test", TileOptions(size, overlap)).pieces():
        images += some
        annotations += more
    parts = {"images": images, "annotations": annotations}
    return parts | {"info": {}, "categories": value["categories"]}


@pytest.mark.parametrize(("size", "overlap"), [(256, 0.6), (256, 0.0), (512, 0.25), (2048, 0.5)])
def test_fields_come_back_from_their_tiles(tmp_path, size: int, overlap: float) -> None:
    value = fields_json()
    expected = load_truth(write(tmp_path / "fields.json", value))
    tiled = tiles_json(value, size, overlap)
    truth = load_truth(write(tmp_path / "tiles.json", tiled))
    assert not expected.tiles
    assert len(truth.tiles) == len(tiled["images"])
    for found, field in zip(truth.fields, expected.fields, strict=True):
        names = ("image_id", "file_name", "width", "height", "mpp", "case", "scanner")
        for name in names:
            assert getattr(found, name) == getattr(field, name)
        assert same_points(found.centroids_xy, field.centroids_xy)
        assert same_points(found.look_alikes_xy, field.look_alikes_xy)


def same_points(some: np.ndarray, others: np.ndarray) -> bool:
    """The same points in any order, to a hundredth of a pixel."""
    return np.allclose(some[np.lexsort(some.T)], others[np.lexsort(others.T)], atol=0.011)


def test_of_a_mitosis_that_tiles_cut_the_whole_outline_is_kept(tmp_path) -> None:
    value = coco({1: [(300, 300)]}) | {"info": {}}
    value["images"][0]["labelled"] = True
    truth = load_truth(write(tmp_path / "tiles.json", tiles_json(value, 308, 0.1)))
    (field,) = truth.fields
    (((*flat,),),) = field.polygons
    corners = np.reshape(flat, (-1, 2))
    assert corners.min(axis=0).tolist() == [290, 290]
    assert corners.max(axis=0).tolist() == [310, 310]


def test_a_tile_knows_its_field_and_place(tmp_path) -> None:
    tiled = tiles_json(fields_json(), 512, 0.25)
    truth = load_truth(write(tmp_path / "tiles.json", tiled))
    for image in tiled["images"]:
        tile = dataclasses.asdict(truth.tiles[image["id"]])
        number = int(image["field"].removeprefix("source/").removesuffix(".tif"))
        assert tile == {"image_id": number, "window_xyxy": tuple(image["window"])}
