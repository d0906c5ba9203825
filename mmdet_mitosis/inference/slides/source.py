"""What a slide's pixels come from: the interface of all readers, and what they share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from mmdet_mitosis.image_size import MAX_PX, check_claim

WHITE = 255
"""Grey level of what has no pixels: beyond the border, transparent, or not scanned."""
MAX_WHOLE_PX = MAX_PX
"""Pixels of an image, or of a strip of one, that is decoded whole: 1.2 GB, and thrice that while it
is decoded."""


class Source(Protocol):
    """A reader of one file; several threads may read at once, but no forked process.

    Attributes:
        backend: What reads it, in a word.
        level_sizes: Width and height of each level, px, the full resolution first.
        sides_um: Width and height of a pixel of the full resolution as the file has it, µm;
            None if it does not say.
    """

    backend: str
    level_sizes: tuple[tuple[int, int], ...]
    sides_um: tuple[float, float] | None

    def read(self, level: int, window_xyxy: tuple[int, int, int, int]) -> np.ndarray:
        """Read a window inside a level, px of the level: (h, w, 3) uint8 RGB."""

    def close(self) -> None:
        """Close the file."""


def over_white(rgba: np.ndarray, is_premultiplied: bool = False) -> np.ndarray:
    """Lay an image with transparency over white.

    Args:
        rgba: (H, W, 4) uint8.
        is_premultiplied: Whether the colours are multiplied by the opacity already.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    if alpha.size == 0 or alpha.min() == WHITE:
        return np.ascontiguousarray(rgb)
    opacity = alpha.astype(np.float32) / 255
    colour = rgb.astype(np.float32)
    if not is_premultiplied:
        colour *= opacity
    return np.rint(colour + WHITE * (1 - opacity)).clip(0, 255).astype(np.uint8)


def check_decodable(what: str, width: int, height: int) -> None:
    """Refuse what is too large to be decoded whole.

    Args:
        what: The file, and the part of it, for the message.
        width: Its width, px.
        height: Its height, px.

    Raises:
        ValueError: If it has more than 400 million pixels.
    """
    if width * height > MAX_WHOLE_PX:
        raise ValueError(
            f"{what} is {width} x {height} px and can only be decoded whole, which is done up to "
            f"{MAX_WHOLE_PX / 1e6:.0f} million pixels; convert it to a TIFF in tiles"
        )


def check_whole_image(path: Path, width: int, height: int) -> None:
    """Refuse an image that is too large to be decoded whole, or larger than its bytes can hold.

    Args:
        path: The file.
        width: Its width, px.
        height: Its height, px.

    Raises:
        ValueError: If it is so.
    """
    check_claim(path, width, height, MAX_WHOLE_PX)
