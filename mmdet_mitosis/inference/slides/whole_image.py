"""Plain images that are decoded whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from mmdet_mitosis.image_size import reader_of
from mmdet_mitosis.inference.slides.source import check_whole_image, over_white
from mmdet_mitosis.json_file import short

PNG_DEPTH_AT = 24
"""Bytes of a PNG before its bits a channel, of which Pillow cuts 16 down to 8 unsaid."""


class WholeImage:
    """An image that is decoded when it is first read, and kept until it is closed."""

    backend = "image"

    def __init__(
        self,
        size: tuple[int, int],
        decode: Callable[[], np.ndarray],
        sides_um: tuple[float, float] | None = None,
    ) -> None:
        """Take what decodes it.

        Args:
            size: Width and height, px.
            decode: Gives the image, (H, W, 3) uint8 RGB.
            sides_um: Width and height of a pixel, µm, or None.
        """
        self.level_sizes, self.sides_um = (size,), sides_um
        self._decode = decode
        self._image: np.ndarray | None = None
        self._lock = threading.Lock()

    def read(self, level: int, window_xyxy: tuple[int, int, int, int]) -> np.ndarray:
        """Read a window, px: (h, w, 3) uint8 RGB, the caller's own."""
        with self._lock:
            if self._image is None:
                self._image = self._decode()
        x1, y1, x2, y2 = window_xyxy
        return self._image[y1:y2, x1:x2].copy()

    def close(self) -> None:
        """Forget the pixels."""
        self._image = None


def open_image(path: Path, head: bytes) -> WholeImage | None:
    """Open a PNG, JPEG or BMP.

    Args:
        path: The file.
        head: How it begins.

    Returns:
        What reads it; None if it is none of these.

    Raises:
        ValueError: If it cannot be read, is no 8-bit colour image, or is too large.
    """
    reader = reader_of(head)
    if reader is None:
        return None
    with _open(reader, path) as image:
        size, mode = image.size, image.mode
    bits = head[PNG_DEPTH_AT] if reader is PngImageFile and len(head) > PNG_DEPTH_AT else 8
    if mode not in {"RGB", "RGBA", "P"} or bits > 8:
        raise ValueError(f"{path} is of mode {mode} with {bits} bits a channel; expected 8-bit RGB")
    check_whole_image(path, *size)
    return WholeImage(size, lambda: _decode(reader, path))


def _open(reader: type[ImageFile], path: Path) -> ImageFile:
    """Read the header of an image."""
    try:
        return reader(path)
    except Exception as error:  # Pillow's formats raise their own kinds and plain ones
        raise ValueError(f"cannot read {path} as an image: {short(error)}") from error


def _decode(reader: type[ImageFile], path: Path) -> np.ndarray:
    """Decode an image; what is transparent becomes white."""
    with _open(reader, path) as image:
        try:
            image.load()
            if image.mode == "RGB" and "transparency" not in image.info:
                return np.asarray(image)
            return over_white(np.asarray(image.convert("RGBA")))
        except Exception as error:  # as above
            raise ValueError(f"cannot read {path} as an image: {short(error)}") from error
