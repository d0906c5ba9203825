"""Windows as files, with a COCO json that has one image a window: for tools that know no fields.

``tiles/<split>/<archive>/<image>/<x1>_<y1>_<x2>_<y2>.png`` holds the pixels x1 to x2 and y1 to y2
of an image. A tile has the time of change of its image, and that is how a second run knows it:
tiles that are there are not written again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

from data_prep.output import walk_own
from data_prep.parallel import run_all
from data_prep.tiled_part import Box, TiledPart, tile_folder, tile_name
from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.fileio import check_writable

FOLDER = "tiles"
JPEG_QUALITY = 95
OURS = re.compile(r"[0-9]+(_[0-9]+){3}\.(png|jpg)|\..+\.tmp")


@dataclass(frozen=True)
class FieldTiles:
    """The tiles of one image, 16 bytes each until they are named.

    Attributes:
        image_path: The image.
        size: Its width and height, px.
        folder: Where they belong.
        boxes: Their windows, (N, 4) int32 x1, y1, x2, y2, px of the image.
        tile_format: ``png`` or ``jpg``.
    """

    image_path: Path
    size: tuple[int, int]
    folder: Path
    boxes: np.ndarray
    tile_format: str

    def named(self) -> Iterator[tuple[str, Box]]:
        """Name the tiles.

        Yields:
            The name of each file, and its window.
        """
        for box in self.boxes.tolist():
            yield tile_name(box, self.tile_format), box


def plan(
    tiled: TiledPart, folder: Path, paths: dict[str, Path], sizes: dict[str, tuple[int, int]]
) -> list[FieldTiles]:
    """List the tiles of a part by field.

    Args:
        tiled: The part, expanded.
        folder: Where they belong.
        paths: The image files, by the file name of a field.
        sizes: Width and height of the fields, px, by the same.

    Returns:
        One task a field, in order.
    """
    tile_format = tiled.options.tile_format
    return [
        FieldTiles(paths[name], sizes[name], folder / tile_folder(name), boxes, tile_format)
        for name, boxes in tiled.boxes.items()
    ]


def write_tiles(tasks: list[FieldTiles], out: Path, workers: int, parts: Sequence[float]) -> None:
    """Write the tiles that are not there yet; the same files for any number of workers.

    Args:
        tasks: What to write.
        out: The folder ``tiles``.
        workers: Number of processes.
        parts: What each task takes of the memory.

    Raises:
        OSError: If one cannot be written; a second run goes on from there.
        ValueError: If an image cannot be read, or is not of the size that it should be.
    """
    check_writable(out)
    n_tiles = sum(len(task.boxes) for task in tasks)
    run_all(write_field, tasks, workers, "tile", n_tiles, parts)


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
    tiles = [(task.folder / name, box) for name, box in task.named()]
    waiting = [(path, box) for path, box in tiles if not _is_there(path, changed_ns)]
    if not waiting:
        return len(tiles)
    image = decode_field(task.image_path)
    size = (image.shape[1], image.shape[0])
    if size != task.size:
        raise ValueError(
            f"{task.image_path} is {size[0]} x {size[1]} px, its annotations say "
            f"{task.size[0]} x {task.size[1]}"
        )
    task.folder.mkdir(parents=True, exist_ok=True)
    for path, (x1, y1, x2, y2) in waiting:
        _write(path, encode(np.ascontiguousarray(image[y1:y2, x1:x2]), path.suffix), changed_ns)
    return len(tiles)


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
    task_of = {str(task.folder): task for task in tasks}
    for parent, names in walk_own(out):
        task = task_of.get(str(parent))
        kept = {name for name, _ in task.named()} if task else set()
        for name in names:
            if OURS.fullmatch(name) and name not in kept:
                (parent / name).unlink()
        with suppress(OSError):  # something is in it
            parent.rmdir()
