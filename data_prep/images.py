"""What of an image is needed before it is read: where it is, and its size."""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from mmdet_mitosis.json_file import short

TIFF_SUFFIXES = (".tif", ".tiff")
SUFFIXES = (*TIFF_SUFFIXES, ".bmp", ".png", ".jpg", ".jpeg")
"""Of images, the lossless ones first."""

TAIL_BYTES = 4096
PNG_START = 8
PNG_DEPTH_AT = 24
"""Bytes of a PNG before its first chunk, and before its bits a channel."""

NO_RGB = {5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
"""Colour spaces of TIFF with as many channels as RGB or RGBA."""
PIXEL_TAGS = (258, 273, 279, 324, 325, 339, 347)
"""Tags that pixels cannot be read without: bits, offsets, lengths, format, JPEG tables."""
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4, 16: 8, 18: 8}

# What tifffile would log of a broken file is in the error already.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def visible(paths: Iterable[Path]) -> list[Path]:
    """Drop hidden files (a leading dot, as macOS's ``._01.tif``), and refuse unreadable names.

    Args:
        paths: The files.

    Returns:
        The others, sorted.

    Raises:
        ValueError: If the name of one is no UTF-8, so that it cannot be written into json.
    """
    kept = sorted(path for path in paths if not path.name.startswith("."))
    for path in kept:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(path).decode(errors="backslashreplace")
            raise ValueError(f"the name of {shown} is no UTF-8; rename the file") from error
    return kept


def only_images(paths: Iterable[Path]) -> list[Path]:
    """Pick the images among some paths by their suffix, in any case of letters.

    Args:
        paths: The paths. Hidden files are no images.

    Returns:
        The images, sorted.

    Raises:
        ValueError: If the name of one is no UTF-8.
    """
    return visible(path for path in paths if path.suffix.lower() in SUFFIXES)


def what_is(path: Path) -> str:
    """Say what is in the place of a file where there is no file.

    Args:
        path: The place.

    Returns:
        A few words, as ``a folder``.
    """
    if path.is_dir():
        return "a folder"
    if path.exists():
        return "a pipe or a device"
    return "a link that leads nowhere" if path.is_symlink() else "missing"


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
        raise ValueError(f"{path} is no image file: it is {what_is(path)}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes)")
    if path.suffix.lower() in TIFF_SUFFIXES:
        return _tiff_size(path)
    try:
        with Image.open(path) as image:
            kind, mode, size = image.format, image.mode, image.size
            is_whole = _is_whole(path, image)
            if not is_whole and kind != "PNG":  # of a PNG its chunks tell for certain
                image.load()
    except Exception as error:  # Pillow's formats raise their own kinds and plain ones
        raise ValueError(f"cannot read {path} as an image: {short(error)}") from error
    if kind == "PNG" and not is_whole:
        raise ValueError(f"{path} is truncated: the end of the image is missing")
    if mode not in {"RGB", "RGBA"}:
        raise ValueError(f"{path} is of mode {mode}; expected 8-bit RGB")
    if kind == "PNG" and (bits := _png_bits(path)) != 8:
        raise ValueError(f"{path} has {bits} bits a channel; expected 8-bit RGB")
    return size


def _is_whole(path: Path, image: Image.Image) -> bool:
    """Tell without decoding whether a file is certainly not cut off."""
    if image.format == "PNG":
        return _png_is_whole(path)
    n_bytes = path.stat().st_size
    if image.format == "BMP" and image.tile[0][0] == "raw":
        _, _, offset, (_, row_bytes, *_) = image.tile[0]
        return n_bytes >= offset + image.height * row_bytes
    if image.format != "JPEG":
        return False
    with path.open("rb") as file:  # past the header, where a thumbnail may end
        file.seek(max(image.fp.tell(), n_bytes - TAIL_BYTES))
        return b"\xff\xd9" in file.read()  # the end's marker, which compressed data never holds


def _png_is_whole(path: Path) -> bool:
    """Follow the chunks of a PNG to its last one."""
    n_bytes, start = path.stat().st_size, PNG_START
    with path.open("rb") as file:
        while start + 12 <= n_bytes:
            file.seek(start)
            length, kind = struct.unpack(">I4s", file.read(8))
            start += 12 + length
            if kind == b"IEND":
                return start <= n_bytes
    return False


def _png_bits(path: Path) -> int:
    """Read how many bits a channel of a PNG has; Pillow cuts 16 of them down to 8 unsaid."""
    with path.open("rb") as file:
        return file.read(PNG_DEPTH_AT + 1)[PNG_DEPTH_AT]


def _tiff_size(path: Path) -> tuple[int, int]:
    """Read a TIFF's size, and see that its pixels lie inside the file."""
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            shape, bits, dtype = page.shape, page.bitspersample, page.dtype
            offsets, lengths = page.dataoffsets, page.databytecounts
            colours = NO_RGB.get(page.photometric)
            is_cut = _directory_is_cut(tiff, page.offset)
    except Exception as error:  # tifffile raises its own kinds and plain ones
        raise ValueError(f"cannot read {path} as a TIFF: {short(error)}") from error
    if len(offsets) != len(lengths):
        raise ValueError(f"cannot read {path} as a TIFF: its directory is damaged")
    if max(map(sum, zip(offsets, lengths, strict=True)), default=0) > path.stat().st_size:
        raise ValueError(f"{path} is truncated: its last pixels lie beyond the end of the file")
    if is_cut:
        raise ValueError(f"{path} is truncated: its directory goes beyond the end of the file")
    if len(shape) != 3 or shape[2] not in (3, 4) or bits != 8:
        raise ValueError(f"{path} has shape {shape} and {bits} bits; expected 8-bit RGB")
    if colours or dtype != np.uint8:
        raise ValueError(f"{path} has {colours or dtype} values; expected 8-bit RGB")
    return shape[1], shape[0]


def _directory_is_cut(tiff: tifffile.TiffFile, offset: int) -> bool:
    """Tell whether a tag that is needed lies beyond the end of the file; tifffile drops it unsaid.

    Source: TIFF 6.0, section 2; BigTIFF with its longer numbers alike.
    """
    head, entry = ("Q", "HHQQ") if tiff.is_bigtiff else ("H", "HHII")
    entry, file = tiff.byteorder + entry, tiff.filehandle
    file.seek(offset)
    (number,) = struct.unpack(tiff.byteorder + head, file.read(struct.calcsize("=" + head)))
    inline = 8 if tiff.is_bigtiff else 4
    for code, kind, count, value in struct.iter_unpack(
        entry, file.read(number * struct.calcsize(entry))
    ):
        n_bytes = count * TYPE_BYTES.get(kind, 0)
        if code in PIXEL_TAGS and n_bytes > inline and value + n_bytes > file.size:
            return True
    return False
