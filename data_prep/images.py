"""What of an image is needed before it is read: its size."""

from __future__ import annotations

from pathlib import Path

import tifffile
from PIL import Image, UnidentifiedImageError


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
        raise ValueError(f"{path} is no file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes)")
    if path.suffix.lower() in {".tif", ".tiff"}:
        return _tiff_size(path)
    try:
        with Image.open(path) as image:
            mode, size = image.mode, image.size
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"cannot read {path} as an image: {error}") from error
    if mode not in {"RGB", "RGBA"}:
        raise ValueError(f"{path} is of mode {mode}; expected 8-bit RGB")
    return size


def _tiff_size(path: Path) -> tuple[int, int]:
    """Read a TIFF's size, and see that its pixels lie inside the file."""
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            shape, bits = page.shape, page.bitspersample
            ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
    except Exception as error:  # tifffile raises its own kinds and plain ones
        raise ValueError(f"cannot read {path} as a TIFF: {error}") from error
    if max(ends, default=0) > path.stat().st_size:
        raise ValueError(f"{path} is truncated: its last pixels lie beyond the end of the file")
    if len(shape) != 3 or shape[2] not in (3, 4) or bits != 8:
        raise ValueError(f"{path} has shape {shape} and {bits} bits; expected 8-bit RGB")
    return shape[1], shape[0]
