"""What of an image is needed before it is read: where it is, and its size."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import tifffile
from PIL import Image, UnidentifiedImageError

TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = (*TIFF_SUFFIXES, ".bmp", ".png", ".jpg", ".jpeg")
"""Of images, the lossless ones first."""

TAIL_BYTES = 4096

# What tifffile would log of a broken file is in the error already.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def only_images(paths: Iterable[Path]) -> list[Path]:
    """Pick the images among some paths by their suffix, in any case of letters.

    Args:
        paths: The paths. Hidden files (a leading dot, as macOS's ``._01.tif``) are no images.

    Returns:
        The images, sorted.
    """
    visible = (path for path in paths if not path.name.startswith("."))
    return sorted(path for path in visible if path.suffix.lower() in SUFFIXES)


def image_size(path: Path) -> tuple[int, int]:
    """Read an image's size from its header, and refuse what is no 8-bit RGB image.

    Args:
        path: TIFF, PNG, JPEG or BMP file.

    Returns:
        Width and height, px.

    Raises:
        ValueError: If the file cannot be read, is truncated, or is of another kind.
    """
    if not path.is_file():
        raise ValueError(f"{path} is no image file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes)")
    if path.suffix.lower() in TIFF_SUFFIXES:
        return _tiff_size(path)
    try:
        with Image.open(path) as image:
            mode, size = image.mode, image.size
            if not _ends_as_whole(path, image):
                image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise ValueError(f"cannot read {path} as an image: {error}") from error
    if mode not in {"RGB", "RGBA"}:
        raise ValueError(f"{path} is of mode {mode}; expected 8-bit RGB")
    return size


def _ends_as_whole(path: Path, image: Image.Image) -> bool:
    """Tell without decoding whether a file is certainly not cut off; if not, decoding tells."""
    n_bytes = path.stat().st_size
    if image.format == "BMP":
        return n_bytes > 3 * image.width * image.height
    with path.open("rb") as file:
        file.seek(max(0, n_bytes - TAIL_BYTES))
        tail = file.read()
    if image.format == "JPEG":
        return b"\xff\xd9" in tail  # the marker of its end, which compressed data never holds
    return image.format == "PNG" and b"IEND" in tail


def _tiff_size(path: Path) -> tuple[int, int]:
    """Read a TIFF's size, and see that its pixels lie inside the file."""
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            shape, bits = page.shape, page.bitspersample
            offsets, lengths = page.dataoffsets, page.databytecounts
    except Exception as error:  # tifffile raises its own kinds and plain ones
        raise ValueError(f"cannot read {path} as a TIFF: {error}") from error
    if len(offsets) != len(lengths):
        raise ValueError(f"cannot read {path} as a TIFF: its directory is damaged")
    if max(map(sum, zip(offsets, lengths, strict=True)), default=0) > path.stat().st_size:
        raise ValueError(f"{path} is truncated: its last pixels lie beyond the end of the file")
    if len(shape) != 3 or shape[2] not in (3, 4) or bits != 8:
        raise ValueError(f"{path} has shape {shape} and {bits} bits; expected 8-bit RGB")
    return shape[1], shape[0]
