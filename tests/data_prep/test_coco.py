"""COCO json from fields."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from data_prep.coco import subset, to_coco
from data_prep.records import Archive, Cell, Field

ROOT = Path("/archive")


def field(name: str, *mitoses: Cell, mpp: float = 0.25) -> Field:
    path = ROOT / "part 1" / f"{name}.tif"
    return Field("01", name, path, 200, 120, mpp, "Aperio", mitoses)


def point(x: float, y: float, pixels: list | None = None) -> Cell:
    return Cell((x, y), Path("01.csv"), 1, None if pixels is None else np.array(pixels))


def convert(*fields: Field, shape: str = "mixed", seed: int = 0) -> dict:
    return to_coco(Archive("tupac16", ROOT, fields), list(fields), shape, seed)


def load(tmp_path: Path, coco: dict) -> COCO:
    (tmp_path / "a.json").write_text(json.dumps(coco))
    return COCO(tmp_path / "a.json")


def test_images_carry_what_is_known_of_the_field() -> None:
    coco = convert(field("01/01"), field("01/02", mpp=0.2456))
    assert coco["images"][1] == {
        "id": 2,
        "file_name": "tupac16/part 1/01/02.tif",
        "width": 200,
        "height": 120,
        "name": "01/02",
        "case": "01",
        "scanner": "Aperio",
        "mpp": 0.2456,
        "labelled": True,
    }
    assert coco["categories"] == [{"id": 1, "name": "mitosis"}]
    assert coco["info"] == {"source": "tupac16", "shape": "mixed", "seed": 0}


def test_annotations_belong_to_their_image(tmp_path: Path) -> None:
    coco = convert(field("a", point(50, 60)), field("b"), field("c", point(30, 40), point(90, 70)))
    loaded = load(tmp_path, coco)
    assert [len(loaded.getAnnIds(imgIds=i)) for i in (1, 2, 3)] == [1, 0, 2]
    assert [a["id"] for a in coco["annotations"]] == [1, 2, 3]
    assert [a["centroid"] for a in loaded.loadAnns([2, 3])] == [[30, 40], [90, 70]]


def test_box_area_and_mask_agree_with_the_polygon(tmp_path: Path) -> None:
    loaded = load(tmp_path, convert(field("a", point(50, 60), point(150, 50))))
    for ann in loaded.anns.values():
        mask = loaded.annToMask(ann)
        assert mask.shape == (120, 200)
        y, x = np.nonzero(mask)
        left, top, width, height = ann["bbox"]
        assert abs(x.min() - left) <= 1
        assert abs(y.min() - top) <= 1
        assert abs(x.max() + 1 - left - width) <= 1
        assert abs(y.max() + 1 - top - height) <= 1
        assert ann["area"] == pytest.approx(mask.sum(), rel=0.05)
        assert (x.mean() + 0.5, y.mean() + 0.5) == pytest.approx(ann["centroid"], abs=0.5)
        assert ann["shape"] in {"circle", "ellipse"}


@pytest.mark.parametrize("shape", ["circle", "ellipse", "mixed"])
@pytest.mark.parametrize("xy", [(200, 60), (0, 0), (200, 120), (100, 120), (199, 1)])
def test_object_on_the_edge_is_clipped_and_keeps_its_centroid(shape: str, xy: tuple) -> None:
    (ann,) = convert(field("a", point(*xy)), shape=shape)["annotations"]
    x, y, width, height = ann["bbox"]
    assert min(x, y) >= 0
    assert x + width <= 200
    assert y + height <= 120
    assert min(width, height) > 4
    assert ann["area"] > 15
    assert ann["centroid"] == list(xy)  # not moved inside


def test_same_object_has_the_same_polygon_in_any_company() -> None:
    alone = convert(field("a", point(50, 60)))["annotations"][0]
    among = convert(field("b", point(9, 9)), field("a", point(70, 20), point(50, 60)))
    assert among["annotations"][2]["segmentation"] == alone["segmentation"]
    other = convert(field("a", point(50, 60)), seed=1)["annotations"][0]
    assert other["segmentation"] != alone["segmentation"]


def test_same_point_of_another_field_has_another_polygon() -> None:
    first, second = convert(field("a", point(50, 60)), field("b", point(50, 60)), shape="circle")[
        "annotations"
    ]
    assert first["area"] != second["area"]


def test_contour_of_two_parts_is_one_annotation(tmp_path: Path) -> None:
    pixels = [(x, y) for x in (*range(10, 16), *range(30, 36)) for y in range(50, 55)]
    loaded = load(tmp_path, convert(field("a", point(23, 52.5, pixels)), shape="contour"))
    (ann,) = loaded.anns.values()
    assert len(ann["segmentation"]) == 2
    assert ann["bbox"] == [10, 50, 26, 5]
    assert ann["area"] == 60
    assert ann["shape"] == "contour"
    mask = loaded.annToMask(ann)
    assert {(x, y) for y, x in np.argwhere(mask).tolist()} == set(pixels)


def test_contour_without_pixels_says_what_to_take() -> None:
    with pytest.raises(ValueError, match=r"01\.csv has centroids only: take --shape circle"):
        convert(field("a", point(5, 5)), shape="contour")


def test_subset_is_what_would_be_written_of_these_fields_alone() -> None:
    fields = [field("a", point(50, 60)), field("b", point(9, 9), point(70, 20)), field("c")]
    whole = convert(*fields)
    before = json.dumps(whole)
    assert json.dumps(subset(whole, {2, 3})) == json.dumps(convert(*fields[1:]))
    assert json.dumps(whole) == before
    subset(whole, {1})["info"]["split"] = "train"
    assert "split" not in whole["info"]
