"""Stored copies of fields, in a form of which a window is read fast.

The copy is a TIFF of 256 px tiles, Zstandard level 1 with the horizontal predictor: of real tissue,
5657 x 5657 px, it takes 73 MB and 0.2 s to write (plain pixels: 96 MB), and a window of 512 px
comes from memory in 2 ms and from disk in 7 ms. Plain pixels in rows come from memory in 0.2 ms
but from disk in 14 ms, for each row of a window is a read of its own; deflate takes twice as long
to read and four times as long to write for the same bytes, and LZW more of all three. A TIFF that
is tiled already, and not by LZW, gains little by a copy and gets none.

Below a root as ``data_prep/prepare.py`` writes it, ``images/a/b.jpg`` has its copy in
``.fields/a/b.jpg.tif``, which says what size and time of change the image had: an image that was
changed since is read itself.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import tifffile

from mmdet_mitosis.datasets.tiff_windows import TiffWindows, open_tiff
from mmdet_mitosis.fileio import write_bytes_atomic

FOLDER = ".fields"
TIFF_SUFFIXES = (".tif", ".tiff")
TILE = 256


def stored_path(path: Path) -> Path | None:
    """Tell where the copy of an image belongs.

    Args:
        path: The image, below a folder ``images``; links are not followed.

    Returns:
        The path of its copy, there or not; None if no folder above is called ``images``.
    """
    place = beside_images(path, FOLDER)
    return place and place[0] / place[1].with_name(f"{path.name}.tif")


def beside_images(path: Path, folder: str) -> tuple[Path, Path] | None:
    """Tell where a folder is that is kept beside ``images``, and an image's place in it.

    Args:
        path: The image, below a folder ``images``; links are not followed.
        folder: Name of the folder.

    Returns:
        The folder, there or not, and the image's path below ``images``; None if no folder above
        is called ``images``.
    """
    parts = path.absolute().parts
    if "images" not in parts[:-1]:
        return None
    # The links of ``images`` carry the names of sources, and what an archive has below can be
    # called images too: so the outermost folder of what was prepared, else the innermost of those
    # that are there. (While a folder is prepared, its links are not there yet.)
    places = [i for i, part in enumerate(parts[:-1]) if part == "images"]
    there = [i for i in places if Path(*parts[:i]).is_dir()]
    marks = (folder, "annotations")
    prepared = [i for i in places if any(Path(*parts[:i], mark).is_dir() for mark in marks)]
    place = (prepared or there[-1:] or places[-1:])[0]
    return Path(*parts[:place], folder), Path(*parts[place + 1 :])


def find_stored(path: Path) -> TiffWindows | None:
    """Open the copy of an image.

    Args:
        path: The image, which is there.

    Returns:
        What reads windows of the copy; None if there is none of the image as it is now.

    Raises:
        ValueError: If the copy is damaged.
    """
    stored = stored_path(path)
    if stored is None or not stored.is_file():
        return None
    layout = open_tiff(stored)
    return layout if layout is not None and layout.description == version(path) else None


def needs_store(path: Path) -> bool:
    """Tell whether windows of an image are read much faster from a copy.

    Args:
        path: The image.

    Returns:
        False for a TIFF of small tiles, unless they are compressed by LZW.

    Raises:
        ValueError: If it is a TIFF that cannot be read.
    """
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return True
    layout = open_tiff(path)
    return layout is None or not layout.is_fast


def write_stored(path: Path, stored: Path, image_rgb: np.ndarray) -> None:
    """Write the copy of an image; it appears whole or not at all.

    Args:
        path: The image.
        stored: Where the copy belongs.
        image_rgb: What was decoded from the image, (H, W, 3) uint8.

    Raises:
        OSError: If it cannot be written.
    """
    write_tiled(stored, image_rgb, version(path))


def write_tiled(path: Path, image_rgb: np.ndarray, description: str) -> None:
    """Write a TIFF of small tiles, without loss; it appears whole or not at all.

    Args:
        path: The file.
        image_rgb: (H, W, 3) uint8.
        description: Its ImageDescription, ASCII.

    Raises:
        OSError: If it cannot be written.
    """
    buffer = io.BytesIO()
    tifffile.imwrite(
        buffer,
        image_rgb,
        photometric="rgb",
        tile=(TILE, TILE),
        compression="zstd",
        compressionargs={"level": 1},
        predictor=True,
        description=description,
        metadata=None,
        software=False,
        maxworkers=1,
    )
    write_bytes_atomic(path, buffer.getvalue())


def version(path: Path) -> str:
    """Name the state of an image, which a copy of it carries.

    Args:
        path: The image.

    Returns:
        Its size and its time of change, as json.
    """
    status = path.stat()
    return json.dumps({"bytes": status.st_size, "changed_ns": status.st_mtime_ns})
