"""What the header of an image claims, judged before memory is taken for it."""

from __future__ import annotations

from pathlib import Path

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

READERS: dict[bytes, type[ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"BM": BmpImageFile,
}
"""By how a file begins. Made directly they tell a size that ``Image.open`` refuses to."""
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""TIFF and BigTIFF of either order of bytes."""
MAX_PX = 400_000_000
"""Pixels of an image that is decoded whole: 1.2 GB."""
SMALL_BYTES = 2**28
MAX_RATIO = 10_000
"""Decoded bytes for one of the file, above ``SMALL_BYTES``: of white images deflate reaches 1032,
LZW 1300, JPEG 700."""


def reader_of(head: bytes) -> type[ImageFile] | None:
    """Find what reads a PNG, JPEG or BMP.

    Args:
        head: How the file begins.

    Returns:
        The reader; None if it is none of these.
    """
    return next((reader for start, reader in READERS.items() if head.startswith(start)), None)


def check_claim(path: Path, width: int, height: int, max_px: int = MAX_PX) -> None:
    """Refuse to decode an image of a size that is too large, or that its bytes cannot hold.

    Args:
        path: The file.
        width: Its width by its header, px.
        height: Its height by its header, px.
        max_px: Most pixels that are decoded whole.

    Raises:
        ValueError: If it is so.
    """
    if width * height > max_px:
        raise ValueError(
            f"{path} is {width} x {height} px and can only be decoded whole, which is done up to "
            f"{max_px / 1e6:.0f} million pixels; convert it to a TIFF in tiles"
        )
    n_bytes = path.stat().st_size
    if 3 * width * height > max(SMALL_BYTES, MAX_RATIO * n_bytes):
        raise ValueError(
            f"cannot read {path} as an image: it is damaged, {width} x {height} px in {n_bytes} "
            "bytes"
        )
