"""The contact sheet."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.coco import to_coco
from data_prep.preview import (
    CAPTION_PX,
    COLORS,
    CROP_PX,
    FRAMES,
    GAP_PX,
    HEAD_PX,
    OUTSIDE,
    choose,
    contact_sheet,
)
from data_prep.product import Product
from data_prep.records import Archive, Cell, Field

WIDTH, HEIGHT = 400, 300
BLACK = (0, 0, 0)


def cell(x: float, y: float) -> Cell:
    return Cell((x, y), Path("a.csv"), 1)


def make(
    root: Path,
    mitoses: list[tuple],
    look_alikes: list[tuple] = (),
    mpp: float = 0.25,
    blobs: list[tuple] = (),
    name: str = "a.png",
) -> Product:
    """Make a product of one field with a black square of 8 µm at each blob."""
    root.mkdir(exist_ok=True)
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    half = round(4 / mpp)
    for x, y in blobs:
        pixels[max(y - half, 0) : y + half, max(x - half, 0) : x + half] = 0
    Image.fromarray(pixels).save(root / name)
    cells = [tuple(cell(*xy) for xy in points) for points in (mitoses, look_alikes)]
    field = Field("01", "a", root / name, WIDTH, HEIGHT, mpp, "s", cells[0], True, cells[1])
    archive = Archive("tupac16", root, (field,))
    coco = to_coco(archive, [field], "circle", 0, look_alikes=bool(look_alikes))
    head = {"source": "tupac16", "split_name": "none"}
    return Product(coco, {"all": {1}}, head, {"tupac16": root}, [], [])


def draw(product: Product, n: int = 48, seed: int = 0) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(contact_sheet(product, n, seed))))


def crop(sheet: np.ndarray, index: int, columns: int) -> np.ndarray:
    row, column = divmod(index, columns)
    x, y = (
        GAP_PX + column * (CROP_PX + GAP_PX),
        HEAD_PX + row * (CROP_PX + CAPTION_PX + GAP_PX),
    )
    return sheet[y : y + CROP_PX, x : x + CROP_PX]


def is_color(pixels: np.ndarray, color: tuple) -> np.ndarray:
    return (pixels == color).all(axis=-1)


@pytest.mark.parametrize("mpp", [0.25, 0.5, 0.2275])
def test_crop_shows_sixteen_micrometres_around_the_centroid(tmp_path: Path, mpp: float) -> None:
    tile = crop(draw(make(tmp_path, [(200, 150)], mpp=mpp, blobs=[(200, 150)])), 0, 1)
    y, x = np.nonzero((tile < 40).all(axis=-1))
    assert x.mean() == pytest.approx(CROP_PX / 2, abs=2)
    assert y.mean() == pytest.approx(CROP_PX / 2, abs=2)
    assert x.max() - x.min() == pytest.approx(CROP_PX / 2, abs=4)  # 8 of 16 µm, at any resolution


def test_x_is_not_y(tmp_path: Path) -> None:
    tile = crop(draw(make(tmp_path, [(320, 100)], blobs=[(320, 100)])), 0, 1)
    assert (tile[CROP_PX // 2, CROP_PX // 2] < 40).all()


def test_polygon_lies_around_its_object(tmp_path: Path) -> None:
    product = make(tmp_path, [(200, 150)])
    tile = crop(draw(product), 0, 1)
    y, x = np.nonzero(is_color(tile, COLORS[1]))
    left, _, width, _ = product.whole["annotations"][0]["bbox"]
    scale = CROP_PX / 64
    assert x.min() == pytest.approx((left - (200 - 32)) * scale, abs=3)
    assert x.max() - x.min() == pytest.approx(width * scale, abs=4)
    assert y.mean() == pytest.approx(CROP_PX / 2, abs=3)
    assert is_color(tile, (255, 255, 255)).mean() > 0.7  # outlined, not filled


def test_what_lies_outside_of_the_field_is_grey(tmp_path: Path) -> None:
    tile = crop(draw(make(tmp_path, [(0, 150)])), 0, 1)
    grey = is_color(tile[8:-8, 8:-8], OUTSIDE)
    assert grey[:, :60].mean() > 0.8
    assert grey[:, 80:].mean() == 0


def test_look_alikes_are_half_and_have_frames_of_their_own(tmp_path: Path) -> None:
    mitoses = [(40 * i + 40, 60) for i in range(8)]
    look_alikes = [(40 * i + 40, 60 + 40 * j) for i in range(8) for j in range(1, 5)]
    product = make(tmp_path, mitoses, look_alikes)
    chosen = choose(product, 6, 0)
    assert [ann["category_id"] for ann in chosen].count(1) == 3  # else they would be one in five
    assert len(choose(product, 48, 0)) == 40
    sheet = draw(product, 6)
    frames = [tuple(crop(sheet, i, 6)[1, 50].tolist()) for i in range(6)]
    assert frames == [FRAMES[1]] * 3 + [FRAMES[2]] * 3
    assert FRAMES[1] != FRAMES[2]


def test_objects_are_drawn_at_random_by_the_seed_and_once(tmp_path: Path) -> None:
    product = make(tmp_path, [(4 * i, 3 * i) for i in range(90)])
    first = [ann["id"] for ann in choose(product, 20, 0)]
    assert first == [ann["id"] for ann in choose(product, 20, 0)]
    assert len(set(first)) == 20
    assert first != sorted(first)[:20] != list(range(1, 21))
    assert first != [ann["id"] for ann in choose(product, 20, 1)]
    assert contact_sheet(product, 20, 0) == contact_sheet(product, 20, 0)


def test_only_what_is_written_is_shown(tmp_path: Path) -> None:
    product = make(tmp_path, [(50, 60), (90, 90)])
    product.parts["all"].clear()  # a case in no split
    assert choose(product, 9, 0) == []
    assert draw(product).shape[2] == 3


def test_folds_show_each_object_once(tmp_path: Path) -> None:
    product = make(tmp_path, [(50, 60), (90, 90)])
    product.parts.clear()
    product.parts.update({"fold_1/train": {1}, "fold_1/test": set(), "fold_2/test": {1}})
    assert len(choose(product, 9, 0)) == 2
    assert product.parts_of_images() == {1: ["fold_2/test"]}


@pytest.mark.parametrize("name", ["a.tif", "a.jpg", "a.bmp"])
def test_each_kind_of_image_is_read(tmp_path: Path, name: str) -> None:
    tile = crop(draw(make(tmp_path, [(200, 150)], blobs=[(200, 150)], name=name)), 0, 1)
    assert (tile[CROP_PX // 2, CROP_PX // 2] < 40).all()


def test_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    product = make(tmp_path, [(200, 150)])
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with pytest.raises(ValueError, match=r"cannot read .*a\.png for the preview"):
        contact_sheet(product)
