"""Windows as files, with a COCO json that has one image a window: for tools that know no fields.

``tiles/<split>/<archive>/<image>/<x1>_<y1>_<x2>_<y2>.png`` holds the pixels x1 to x2 and y1 to y2
of an image. A tile has the time of change of its image, and that is how a second run knows it:
tiles that are there are not written again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import shapely

from data_prep.coco import MITOSIS
from data_prep.parallel import run_all
from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.fileio import check_writable
from mmdet_mitosis.geometry.expansion import Outline, Window, expand_field
from mmdet_mitosis.geometry.windows import polygons_bbox

FOLDER = "tiles"
FORMATS = ("png", "jpg")
JPEG_QUALITY = 95
OURS = re.compile(r"[0-9]+(_[0-9]+){3}\.(png|jpg)|\..+\.tmp")
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class TileOptions:
    """How fields are cut up: side of a tile (px), overlap (fraction of it), and file format."""

    window_size: int = 512
    overlap: float = 0.6
    tile_format: str = "png"

    def check(self) -> None:
        """Refuse what no tiles can be made with.

        Raises:
            ValueError: Naming the option and its value.
        """
        if self.window_size < 16:
            raise ValueError(f"--window must be at least 16 px, got {self.window_size}")
        if not 0 <= self.overlap < 1:
            raise ValueError(f"--overlap must be in [0, 1), got {self.overlap}")
        if self.tile_format not in FORMATS:
            raise ValueError(
                f"unknown tile format {self.tile_format!r}; choose one of {', '.join(FORMATS)}"
            )


@dataclass(frozen=True)
class FieldTiles:
    """The tiles of one image: where they belong, and their windows x1, y1, x2, y2, px of it."""

    image_path: Path
    size: tuple[int, int]
    tiles: tuple[tuple[Path, Box], ...]


def tile_coco(coco: dict, part: str, options: TileOptions) -> tuple[dict, str]:
    """Expand the fields of a COCO dictionary into windows, by the rules of ``MitosisDataset``.

    A cell is in each tile that its centroid lies inside. Of ``train`` are left out: tiles that show
    more than a quarter of a mitosis centred outside, and fields that nobody has labelled.

    Args:
        coco: The dictionary of a part.
        part: Its name.
        options: How fields are cut up.

    Returns:
        The dictionary of the tiles, and a sentence that counts them. File names are relative to
        ``tiles/<part>``; an image has ``field`` (the file name of its field) and ``window``
        (x1, y1, x2, y2, px of it) beside what its field has.
    """
    training = part.rpartition("/")[2] == "train"
    cells: dict[int, list[dict]] = {}
    for ann in coco["annotations"]:
        cells.setdefault(ann["image_id"], []).append(ann)
    images, annotations, n_windows, n_unlabelled = [], [], 0, 0
    for field in coco["images"]:
        if training and not field["labelled"]:
            n_unlabelled += 1
            continue
        for box, shown, shows_foreign in _windows(field, cells.get(field["id"], []), options):
            n_windows += 1
            if training and shows_foreign:
                continue
            images.append(_image(field, box, len(images) + 1, options.tile_format))
            for ann, polygons in shown:
                numbers = {"id": len(annotations) + 1, "image_id": len(images)}
                annotations.append({**numbers, **_annotation(ann, polygons, box)})
    sentence = f"{len(images)} tiles of {part}"
    if n_windows > len(images):
        sentence += (
            f"; {n_windows - len(images)} left out that show part of a mitosis centred outside"
        )
    if n_unlabelled:
        sentence += f"; {n_unlabelled} fields left out that nobody has labelled"
    info = {**coco["info"], "window": options.window_size, "overlap": options.overlap}
    return {**coco, "info": info, "images": images, "annotations": annotations}, sentence


def _windows(
    field: dict, anns: list[dict], options: TileOptions
) -> Iterable[tuple[Box, list[tuple[dict, list[list[float]]]], bool]]:
    """Give the windows of a field, what each shows, and whether it shows a foreign mitosis."""
    mitoses = [ann for ann in anns if ann["category_id"] == MITOSIS["id"]]
    others = [ann for ann in anns if ann["category_id"] != MITOSIS["id"]]
    expanded: list[list[Window]] = []
    for group in (mitoses, others):
        outlines = [Outline(tuple(ann["centroid"]), ann["segmentation"]) for ann in group]
        size = (field["width"], field["height"])
        expanded.append(expand_field(*size, outlines, options.window_size, options.overlap))
    for of_mitoses, of_others in zip(*expanded, strict=True):
        shown = [(mitoses[index], polygons) for index, polygons in of_mitoses.objects]
        shown += [(others[index], polygons) for index, polygons in of_others.objects]
        yield of_mitoses.xyxy, shown, of_mitoses.shows_foreign


def _image(field: dict, box: Box, image_id: int, tile_format: str) -> dict:
    """Describe a tile."""
    stem, _, suffix = field["file_name"].rpartition(".")
    x1, y1, x2, y2 = box
    return {
        **field,
        "id": image_id,
        "file_name": f"{stem}_{suffix}/{x1}_{y1}_{x2}_{y2}.{tile_format}",
        "width": x2 - x1,
        "height": y2 - y1,
        "field": field["file_name"],
        "window": list(box),
    }


def _annotation(ann: dict, polygons: list[list[float]], box: Box) -> dict:
    """Describe what a tile shows of a cell, px of the tile."""
    x1, y1, x2, y2 = polygons_bbox(polygons)
    own = {key: ann[key] for key in ann if key not in ("id", "image_id")}
    return {
        **own,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": sum(shapely.Polygon(np.reshape(flat, (-1, 2))).area for flat in polygons),
        "segmentation": polygons,
        "centroid": [round(v - low, 2) for v, low in zip(ann["centroid"], box[:2], strict=True)],
    }


def plan(coco: dict, folder: Path, paths: dict[str, Path], sizes: dict) -> list[FieldTiles]:
    """List the tiles of a part by field.

    Args:
        coco: The dictionary of its tiles.
        folder: Where they belong.
        paths: The image files, by the file name of a field.
        sizes: Width and height of the fields, px, by the same.

    Returns:
        One task a field, in order.
    """
    groups: dict[str, list[tuple[Path, Box]]] = {}
    for image in coco["images"]:
        tile = (folder / image["file_name"], tuple(image["window"]))
        groups.setdefault(image["field"], []).append(tile)
    return [FieldTiles(paths[name], sizes[name], tuple(tiles)) for name, tiles in groups.items()]


def write_tiles(tasks: list[FieldTiles], out: Path, workers: int) -> None:
    """Write the tiles that are not there yet; the same files for any number of workers.

    Args:
        tasks: What to write.
        out: The folder ``tiles``.
        workers: Number of processes.

    Raises:
        OSError: If one cannot be written; a second run goes on from there.
        ValueError: If an image cannot be read, or is not of the size that it should be.
    """
    check_writable(out)
    run_all(write_field, tasks, workers, "tile", sum(len(task.tiles) for task in tasks))


def write_field(task: FieldTiles) -> int:
    """Write the tiles of one image that are not there yet.

    Args:
        task: The tiles.

    Returns:
        How many there are now.

    Raises:
        OSError: If one cannot be written.
        ValueError: If the image cannot be read, or is not of the size that it should be.
    """
    changed_ns = task.image_path.stat().st_mtime_ns
    waiting = [(path, box) for path, box in task.tiles if not _is_there(path, changed_ns)]
    if not waiting:
        return len(task.tiles)
    image = decode_field(task.image_path)
    size = (image.shape[1], image.shape[0])
    if size != task.size:
        raise ValueError(
            f"{task.image_path} is {size[0]} x {size[1]} px, its annotations say "
            f"{task.size[0]} x {task.size[1]}"
        )
    for folder in sorted({path.parent for path, _ in waiting}):
        folder.mkdir(parents=True, exist_ok=True)
    for path, (x1, y1, x2, y2) in waiting:
        _write(path, encode(np.ascontiguousarray(image[y1:y2, x1:x2]), path.suffix), changed_ns)
    return len(task.tiles)


def encode(image_rgb: np.ndarray, suffix: str) -> bytes:
    """Encode a tile, fast.

    Args:
        image_rgb: (h, w, 3) uint8, contiguous.
        suffix: ``.png`` (lossless) or ``.jpg``.

    Returns:
        The file's content. A PNG of tissue gets as small by Huffman coding of the Paeth filter
        alone as at Pillow's default settings, seven times as fast.
    """
    if suffix == ".jpg":
        return imagecodecs.jpeg_encode(image_rgb, level=JPEG_QUALITY, subsampling="444")
    return imagecodecs.png_encode(
        image_rgb,
        level=1,
        strategy=imagecodecs.PNG.STRATEGY.HUFFMAN_ONLY,
        filter=imagecodecs.PNG.FILTER.PAETH,
    )


def _is_there(path: Path, changed_ns: int) -> bool:
    """Tell whether a tile of an image of this time of change is there."""
    try:
        status = path.stat()
        return status.st_mtime_ns == changed_ns and status.st_size > 0
    except FileNotFoundError:
        return False


def _write(path: Path, data: bytes, changed_ns: int) -> None:
    """Write a tile beside its place, give it its image's time, and move it there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        os.utime(beside, ns=(changed_ns, changed_ns))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OSError(
            f"cannot write {path}: {error.strerror}; the same command goes on from here"
        ) from error


def clear_others(out: Path, tasks: list[FieldTiles]) -> None:
    """Remove tiles that belong to no task, and what killed runs left; other files stay.

    Args:
        out: The folder ``tiles``.
        tasks: What belongs there.

    Raises:
        OSError: If something cannot be removed.
    """
    kept = {str(path) for task in tasks for path, _ in task.tiles}
    for parent, _, names in os.walk(out, topdown=False):
        for name in names:
            path = os.path.join(parent, name)  # noqa: PTH118 (half a million Paths take seconds)
            if OURS.fullmatch(name) and path not in kept:
                Path(path).unlink()
        with suppress(OSError):  # something is in it
            Path(parent).rmdir()
