"""TIFFs of one level, in windows or whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmdet_mitosis.datasets.tiff_windows import TiffWindows, open_tiff
from mmdet_mitosis.inference.slides.source import check_whole_image, over_white
from mmdet_mitosis.inference.slides.tiff_layout import TiffLayout, open_tifffile
from mmdet_mitosis.inference.slides.whole_image import WholeImage
from mmdet_mitosis.json_file import short

WHOLE_STRIPS_PX = 100_000_000
"""Up to this size strips are decoded once and kept: a window takes all of the strips that it
touches, so those of a row of windows would be decoded once for each."""
ASSOCIATED, UNASSOCIATED = 1, 2
"""TIFF's ExtraSamples that are opacity, with colours multiplied by it and without."""


class PlainTiff:
    """A TIFF of one level, of which only the tiles or strips of a window are decoded."""

    backend = "tiff"

    def __init__(self, windows: TiffWindows, sides_um: tuple[float, float] | None) -> None:
        """Take what reads its windows.

        Args:
            windows: The file's layout.
            sides_um: Width and height of a pixel, µm, or None.
        """
        self.level_sizes = ((windows.width, windows.height),)
        self.sides_um = sides_um
        self._windows = windows

    def read(self, level: int, window_xyxy: tuple[int, int, int, int]) -> np.ndarray:
        """Read a window, px: (h, w, 3) uint8 RGB."""
        return self._windows.read(window_xyxy)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def open_plain_tiff(path: Path, layout: TiffLayout) -> PlainTiff | WholeImage | None:
    """Open a TIFF of one level.

    Args:
        path: The file.
        layout: What it holds.

    Returns:
        What reads it; None if it is in tiles that take another reader.

    Raises:
        ValueError: If it cannot be read in parts and is too large to be decoded whole.
    """
    is_plain = layout.samples == 3 and not layout.has_gaps
    windows = open_tiff(path) if is_plain else None
    is_large = layout.size[0] * layout.size[1] > WHOLE_STRIPS_PX
    if windows is not None and (layout.is_tiled or (is_large and windows.is_partial)):
        return PlainTiff(windows, layout.sides_um)
    if layout.is_tiled:
        return None
    check_whole_image(path, *layout.size)
    return WholeImage(layout.size, lambda: _decode(path), layout.sides_um)


def _decode(path: Path) -> np.ndarray:
    """Decode a TIFF's first image."""
    with open_tifffile(path) as tiff:
        try:
            planes = tiff.series[0].axes in {"CYX", "SYX"}
            image = tiff.series[0].asarray() if planes else tiff.pages[0].asarray()
            extra = tiff.pages[0].extrasamples
        except Exception as error:  # tifffile and its codecs raise their own kinds
            raise ValueError(f"cannot read {path} as a TIFF: {short(error)}") from error
    if planes:
        image = np.moveaxis(image, 0, -1)
    if image.ndim != 3 or image.shape[2] not in (3, 4):
        raise ValueError(f"{path} has shape {image.shape}; expected 8-bit RGB")
    return without_alpha(image, extra)


def without_alpha(image: np.ndarray, extra: tuple[int, ...]) -> np.ndarray:
    """Make an image of three channels of one of three or four.

    Args:
        image: (H, W, 3 or 4) uint8.
        extra: TIFF's ExtraSamples. A fourth channel that is no opacity is dropped.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if image.shape[2] == 4 and extra and extra[0] in (ASSOCIATED, UNASSOCIATED):
        return over_white(image, is_premultiplied=extra[0] == ASSOCIATED)
    return np.ascontiguousarray(image[..., :3])
