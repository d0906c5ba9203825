"""Reading whole fields, with a cache that all transforms of a process share."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

CACHE_BYTES = 2 * 1024**3
"""Decoded fields that one process keeps, in bytes; the field used longest ago goes first."""

_cache: OrderedDict[str, np.ndarray] = OrderedDict()


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
    image = _decode(Path(path))
    image.setflags(write=False)
    _cache[key] = image
    while len(_cache) > 1 and sum(kept.nbytes for kept in _cache.values()) > CACHE_BYTES:
        _cache.popitem(last=False)
    return image


def _decode(path: Path) -> np.ndarray:
    """Decode one file to contiguous RGB."""
    if not path.is_file():
        raise FileNotFoundError(f"no such image: {path}")
    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff"}:
        try:
            image = tifffile.imread(path, key=0)
        except Exception as error:  # tifffile and its codecs raise their own kinds
            raise ValueError(f"cannot read {path} as a TIFF: {error}") from error
    elif suffix in {".jpg", ".jpeg"}:
        image = _decode_jpeg(path)
    else:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise ValueError(f"cannot read {path} as an image")
        if image.ndim == 3:
            image = image[..., [2, 1, 0]]
    if image.ndim != 3 or image.shape[2] not in (3, 4) or image.dtype != np.uint8:
        raise ValueError(
            f"{path} holds {image.dtype} values of shape {image.shape}; "
            "expected 8-bit RGB, (height, width, 3)"
        )
    return np.ascontiguousarray(image[..., :3])


def _decode_jpeg(path: Path) -> np.ndarray:
    """Decode a JPEG with Pillow, which refuses a truncated one; OpenCV fills it up with gray."""
    try:
        with Image.open(path) as image:
            mode, pixels = image.mode, np.array(image)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot read {path} as an image: {error}") from error
    if mode != "RGB":
        raise ValueError(f"{path} is of mode {mode}; expected 8-bit RGB")
    return pixels
