"""Reading fields, whole or in windows, with caches that all transforms of a process share.

A window comes from the tiles or strips of a TIFF that it touches, of the field's stored copy
(``stored_fields``) where there is one; only what has neither is decoded whole, and kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from mmdet_mitosis.datasets.stored_fields import TIFF_SUFFIXES, find_stored
from mmdet_mitosis.datasets.tiff_windows import TiffWindows, open_tiff
from mmdet_mitosis.image_size import TIFF_STARTS, check_claim, reader_of
from mmdet_mitosis.json_file import short

CACHE_BYTES = 2 * 1024**3
"""Decoded fields that one process keeps, in bytes; the field used longest ago goes first."""

MAX_LAYOUTS = 1024
"""TIFFs whose layout one process keeps: a few kB each."""

_cache: OrderedDict[str, np.ndarray] = OrderedDict()
_layouts: OrderedDict[str, tuple[tuple[int, int], TiffWindows]] = OrderedDict()


def read_field(path: str | Path) -> np.ndarray:
    """Read a whole field, from memory if this process has read it lately.

    Args:
        path: TIFF, PNG, JPEG or BMP file.

    Returns:
        RGB, uint8, (H, W, 3); read-only, shared between callers.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read as an 8-bit RGB image.
    """
    key = str(path)
    if key in _cache:
        _cache.move_to_end(key)
        return _cache[key]
    image = decode_field(Path(path))
    image.setflags(write=False)
    _cache[key] = image
    while len(_cache) > 1 and sum(kept.nbytes for kept in _cache.values()) > CACHE_BYTES:
        _cache.popitem(last=False)
    return image


def field_size(path: str | Path) -> tuple[int, int]:
    """Tell the size of a field, as far as possible without decoding it.

    Args:
        path: TIFF, PNG, JPEG or BMP file.

    Returns:
        Width and height, px.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read as an 8-bit RGB image.
    """
    layout = _layout(path)
    if layout is not None:
        return layout.width, layout.height
    height, width = read_field(path).shape[:2]
    return width, height


def read_window(path: str | Path, window_xyxy: Sequence[int]) -> np.ndarray:
    """Read a window of a field, as far as possible without decoding the rest.

    Args:
        path: TIFF, PNG, JPEG or BMP file.
        window_xyxy: x1, y1, x2, y2 inside the field, px.

    Returns:
        RGB, uint8, (h, w, 3): the same pixels as of the whole field; the caller's own.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read as an 8-bit RGB image, or is too small.
    """
    x1, y1, x2, y2 = window_xyxy
    width, height = field_size(path)
    if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
        raise ValueError(
            f"{path} is {width} x {height} px: the window {tuple(window_xyxy)} is not inside"
        )
    layout = _layout(path)
    if layout is not None:
        return layout.read(window_xyxy)
    return read_field(path)[y1:y2, x1:x2].copy()


def _layout(path: str | Path) -> TiffWindows | None:
    """Find what reads windows of a file in parts: None if nothing does, or it is in memory."""
    key, path = str(path), Path(path)
    if key in _cache:
        return None
    if not path.is_file():
        raise FileNotFoundError(f"no such image: {path}")
    status = path.stat()
    version = (status.st_size, status.st_mtime_ns)
    if key in _layouts and _layouts[key][0] == version:
        _layouts.move_to_end(key)
        return _layouts[key][1]
    layout = find_stored(path)
    if layout is None and path.suffix.lower() in TIFF_SUFFIXES:
        layout = open_tiff(path)
        if layout is not None and not layout.is_partial:
            layout = None
    if layout is not None:
        _layouts[key] = (version, layout)
        while len(_layouts) > MAX_LAYOUTS:
            _layouts.popitem(last=False)
    return layout


def decode_field(path: Path) -> np.ndarray:
    """Decode a whole field, past the cache.

    Args:
        path: TIFF, PNG, JPEG or BMP file.

    Returns:
        RGB, uint8, (H, W, 3), contiguous.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read as an 8-bit RGB image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such image: {path}")
    with path.open("rb") as file:
        head = file.read(8)
    reader = reader_of(head)
    if head.startswith(TIFF_STARTS):
        image = _decode_tiff(path)
    elif reader is JpegImageFile:
        image = _decode_jpeg(path)
    elif reader is not None:
        image = _decode_lossless(path, reader)
    else:
        raise ValueError(f"cannot read {path} as an image: expected TIFF, PNG, JPEG or BMP")
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
        raise ValueError(
            f"{path} holds {image.dtype} values of shape {image.shape}; "
            "expected 8-bit RGB, (height, width, 3)"
        )
    return np.ascontiguousarray(image[..., :3])


def _decode_tiff(path: Path) -> np.ndarray:
    """Decode the first image of a TIFF."""
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            check_claim(path, page.imagewidth, page.imagelength)
            return page.asarray()
    except Exception as error:  # tifffile and its codecs raise their own kinds
        reason = str(error).removeprefix(f"cannot read {path} as an image: ")
        raise ValueError(f"cannot read {path} as a TIFF: {reason}") from error


def _decode_lossless(path: Path, reader: type[ImageFile]) -> np.ndarray:
    """Decode a PNG or BMP."""
    _check_header(path, reader)
    try:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"cannot read {path} as an image: {short(error)}") from error
    if image is None:
        raise ValueError(f"cannot read {path} as an image")
    return image[..., [2, 1, 0]] if image.ndim == 3 else image


def _decode_jpeg(path: Path) -> np.ndarray:
    """Decode a JPEG with Pillow, which refuses a truncated one; OpenCV fills it up with gray."""
    mode = _check_header(path, JpegImageFile)
    if mode != "RGB":
        raise ValueError(f"{path} is of mode {mode}; expected 8-bit RGB")
    try:
        with JpegImageFile(path) as image:
            return np.array(image)
    except Exception as error:  # Pillow's formats raise their own kinds and plain ones
        raise ValueError(f"cannot read {path} as an image: {short(error)}") from error


def _check_header(path: Path, reader: type[ImageFile]) -> str:
    """Refuse a size that cannot be decoded, and give the mode."""
    try:
        with reader(path) as image:
            size, mode = image.size, image.mode
    except Exception as error:  # as above
        raise ValueError(f"cannot read {path} as an image: {short(error)}") from error
    check_claim(path, *size)
    return mode
