"""A contact sheet: random objects with their polygons, to be judged at a glance."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from data_prep.coco import LOOK_ALIKE, MITOSIS
from data_prep.product import Product

N_OBJECTS = 48
CROP_UM = 64 * 0.25
"""Side of the tissue that a crop shows, µm."""

CROP_PX = 160
CAPTION_PX = 18
CAPTION_CHARS = 26
GAP_PX = 6
HEAD_PX = 30
COLUMNS = 8
MIN_COLUMNS = 4
GROUND = (250, 250, 250)
INK = (40, 40, 40)
OUTSIDE = (190, 190, 190)
COLORS = {MITOSIS["id"]: (0, 225, 60), LOOK_ALIKE["id"]: (255, 196, 0)}
FRAMES = {MITOSIS["id"]: (0, 150, 40), LOOK_ALIKE["id"]: (235, 120, 0)}


def contact_sheet(product: Product, n_objects: int = N_OBJECTS, seed: int = 0) -> bytes:
    """Draw random objects, each in a crop of 16 µm, sorted by split and scanner.

    Where look-alikes are written, half of the objects are look-alikes.

    Args:
        product: What is written.
        n_objects: How many objects, if there are as many.
        seed: Seed of the choice.

    Returns:
        The picture as a PNG file.

    Raises:
        ValueError: If an image cannot be read.
    """
    images = {image["id"]: image for image in product.whole["images"]}
    parts = {image_id: found[0] for image_id, found in product.parts_of_images().items()}
    order = {part: place for place, part in enumerate(product.parts)}

    def key(ann: dict) -> tuple:
        image_id = ann["image_id"]
        scanner = images[image_id]["scanner"]
        return order[parts[image_id]], ann["category_id"], scanner, ann["id"]

    chosen = sorted(choose(product, n_objects, seed), key=key)
    columns = max(1, min(COLUMNS, len(chosen)))
    rows = math.ceil(len(chosen) / columns)
    width = max(columns, MIN_COLUMNS) * (CROP_PX + GAP_PX) + GAP_PX
    height = HEAD_PX + rows * (CROP_PX + CAPTION_PX + GAP_PX)
    sheet = Image.new("RGB", (width, height), GROUND)
    _write_head(sheet, product, chosen)
    for index, tile in _tiles(product, chosen):
        ann = chosen[index]
        row, column = divmod(index, columns)
        x = GAP_PX + column * (CROP_PX + GAP_PX)
        y = HEAD_PX + row * (CROP_PX + CAPTION_PX + GAP_PX)
        sheet.paste(tile, (x, y))
        image_id = ann["image_id"]
        text = f"{parts[image_id]} · {ann['shape']} · {images[image_id]['case']}"
        color = FRAMES[ann["category_id"]]
        _write(sheet, (x, y + CROP_PX + 2), text[:CAPTION_CHARS], 12, color)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _tiles(product: Product, chosen: Sequence[dict]) -> Iterator[tuple[int, Image.Image]]:
    """Draw the crops, with their places among the chosen; each image is read once."""
    places: dict[int, list[int]] = {}
    for index, ann in enumerate(chosen):
        places.setdefault(ann["image_id"], []).append(index)
    neighbours: dict[int, list[dict]] = {}
    for ann in product.whole["annotations"]:
        neighbours.setdefault(ann["image_id"], []).append(ann)
    for image in product.whole["images"]:
        if image["id"] in places:
            field = _read(product.image_path(image))
            for index in places[image["id"]]:
                yield index, _tile(field, chosen[index], neighbours[image["id"]], image["mpp"])


def choose(product: Product, n_objects: int, seed: int) -> list[dict]:
    """Choose objects at random, of each category the same number where there are as many.

    Args:
        product: What is written.
        n_objects: How many.
        seed: Seed of the choice.

    Returns:
        The annotations, in the order of their draw.
    """
    parts = product.parts_of_images()
    pools = []
    for category in product.whole["categories"]:
        pool = [
            ann
            for ann in product.whole["annotations"]
            if ann["category_id"] == category["id"] and ann["image_id"] in parts
        ]
        Random(f"{seed}|{category['name']}").shuffle(pool)
        pools.append(pool)
    chosen: list[dict] = []
    while len(chosen) < n_objects and any(pools):
        for pool in pools:
            if pool and len(chosen) < n_objects:
                chosen.append(pool.pop())
    return chosen


def _read(path: Path) -> Image.Image:
    """Read an image."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot read {path} for the preview: {error}") from error


def _tile(field: Image.Image, ann: dict, neighbours: Sequence[dict], mpp: float) -> Image.Image:
    """Cut the tissue around an object, scaled so that all crops show the same length."""
    side = CROP_UM / mpp
    left, top = (value - side / 2 for value in ann["centroid"])
    x0, y0 = math.floor(left), math.floor(top)
    n_px = math.ceil(side) + 1
    tissue = Image.new("RGB", (n_px, n_px), OUTSIDE)
    seen = (max(x0, 0), max(y0, 0), min(x0 + n_px, field.width), min(y0 + n_px, field.height))
    tissue.paste(field.crop(seen), (seen[0] - x0, seen[1] - y0))
    box = (left - x0, top - y0, left - x0 + side, top - y0 + side)
    tile = tissue.resize((CROP_PX, CROP_PX), Image.Resampling.BICUBIC, box)
    draw = ImageDraw.Draw(tile)
    for other in neighbours:
        color = COLORS[other["category_id"]]
        for flat in other["segmentation"]:
            points = [
                ((x - left) * CROP_PX / side, (y - top) * CROP_PX / side)
                for x, y in zip(flat[::2], flat[1::2], strict=True)
            ]
            draw.line([*points, points[0]], color, 2 if other["id"] == ann["id"] else 1)
    draw.rectangle((0, 0, CROP_PX - 1, CROP_PX - 1), outline=FRAMES[ann["category_id"]], width=3)
    return tile


def _write_head(sheet: Image.Image, product: Product, chosen: Sequence[dict]) -> None:
    """Say what the sheet shows."""
    x = GAP_PX
    for category in product.whole["categories"]:
        ids = [ann["category_id"] for ann in product.whole["annotations"]]
        shown = sum(ann["category_id"] == category["id"] for ann in chosen)
        text = f"{category['name']}: {shown} of {ids.count(category['id'])}"
        x = _write(sheet, (x, 6), text, 15, FRAMES[category["id"]]) + 3 * GAP_PX
    _write(sheet, (x, 6), f"crops {CROP_UM:g} micrometres wide · {product.head['source']}", 15, INK)


def _write(
    sheet: Image.Image, xy: tuple[int, int], text: str, size: int, color: tuple[int, int, int]
) -> int:
    """Write a line, and give where it ends, x."""
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size)
    draw.text(xy, text, color, font)
    return round(draw.textbbox(xy, text, font)[2])
