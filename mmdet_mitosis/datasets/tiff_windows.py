"""Windows of a TIFF, of which only the tiles or strips that they touch are decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import tifffile

from mmdet_mitosis.json_file import short

LZW = 5
COMPRESSIONS = (1, LZW, 7, 8, 32946, 50000)
"""None, LZW, JPEG, deflate (under two numbers) and Zstandard; of others the field is read whole."""
SIDE = 512
"""Side of the window that layouts are judged by, px."""


class TiffWindows:
    """The layout of a TIFF's first page, and its windows.

    No file stays open, so that forked workers share one.

    Attributes:
        path: The file.
        width: Width, px.
        height: Height, px.
        is_fast: Whether a window of 512 px comes within 10 ms from disk too: tiles of which it
            takes decoding at most four times its pixels, and not by LZW, which is too slow.
        is_partial: Whether it takes decoding at most half of the image.
        description: The page's ImageDescription.
    """

    def __init__(self, path: Path, page: tifffile.TiffPage) -> None:
        """Take what is needed of a page that ``open_tiff`` has found fit."""
        _, _, self.height, self.width, self._samples = page.shaped
        self.path, self.description = path, page.description
        self._offsets, self._lengths = page.dataoffsets, page.databytecounts
        self._decode: Callable = page.decode
        self._options = {"jpegtables": page.jpegtables} if page.compression == 7 else {}
        self._side_xy = _segment_side(page)
        self._columns = -(-self.width // self._side_xy[0])
        self._is_plain = _is_plain(page)
        side_x, side_y = self._side_xy
        decoded = min(SIDE + side_x, self.width) * min(SIDE + side_y, self.height)
        self.is_fast = page.is_tiled and page.compression != LZW and decoded <= 4 * SIDE**2
        self.is_partial = self._is_plain or 2 * decoded <= self.width * self.height

    def read(self, window_xyxy: Sequence[int]) -> np.ndarray:
        """Read a window.

        Args:
            window_xyxy: x1, y1, x2, y2 inside the image, px.

        Returns:
            RGB, uint8, (h, w, 3).

        Raises:
            ValueError: If the file is damaged there.
        """
        x1, y1, x2, y2 = window_xyxy
        if self._is_plain:
            return self._map()[y1:y2, x1:x2, :3].copy()
        image = np.zeros((y2 - y1, x2 - x1, 3), np.uint8)
        side_x, side_y = self._side_xy
        with self.path.open("rb") as file:
            for row in range(y1 // side_y, -(-y2 // side_y)):
                for column in range(x1 // side_x, -(-x2 // side_x)):
                    left, top = column * side_x, row * side_y
                    segment = self._read_segment(file.fileno(), row * self._columns + column)
                    if segment is None:
                        continue
                    xs = slice(max(x1, left), min(x2, left + side_x))
                    ys = slice(max(y1, top), min(y2, top + side_y))
                    part = segment[ys.start - top : ys.stop - top, xs.start - left : xs.stop - left]
                    image[ys.start - y1 : ys.stop - y1, xs.start - x1 : xs.stop - x1] = part
        return image

    def _map(self) -> np.ndarray:
        """Map the pixels of a file that has them row after row."""
        shape = (self.height, self.width, self._samples)
        return np.memmap(self.path, np.uint8, "r", self._offsets[0], shape)

    def _read_segment(self, descriptor: int, index: int) -> np.ndarray | None:
        """Decode a tile or a strip; None for one that the file leaves out, which is black."""
        offset, length = self._offsets[index], self._lengths[index]
        if not (offset and length):
            return None
        data = os.pread(descriptor, length, offset)
        if len(data) < length:
            raise ValueError(f"{self.path} is truncated: pixels lie beyond the end of the file")
        try:
            return self._decode(data, index, **self._options)[0][0, :, :, :3]
        except Exception as error:  # tifffile and its codecs raise their own kinds
            raise ValueError(f"cannot read {self.path} as a TIFF: {short(error)}") from error


def open_tiff(path: Path) -> TiffWindows | None:
    """Look at the layout of a TIFF.

    Args:
        path: The file.

    Returns:
        What reads its windows; None if it is none that is read in parts (of another compression
        or kind of pixels, or of segments that are no grid of its own size).

    Raises:
        ValueError: If it is no TIFF, or truncated.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages[0]
            if not _is_readable_in_parts(page):
                return None
            windows = TiffWindows(path, page)
            ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=True))
            end = max(ends, default=0)
            is_whole = max(end, page.dataoffsets[0] + page.nbytes * windows._is_plain) <= (
                path.stat().st_size
            )
    except Exception as error:  # tifffile raises its own kinds and plain ones
        raise ValueError(f"cannot read {path} as a TIFF: {short(error)}") from error
    if not is_whole:
        raise ValueError(f"{path} is truncated: its last pixels lie beyond the end of the file")
    return windows


def _is_readable_in_parts(page: tifffile.TiffPage) -> bool:
    """Tell whether a page is 8-bit RGB or RGBA in a plain grid of segments of a known kind."""
    planes, depth, height, width, samples = page.shaped
    if page.dtype != np.uint8 or page.bitspersample != 8 or samples not in (3, 4):
        return False
    if (planes, depth) != (1, 1) or page.compression not in COMPRESSIONS or page.jpegheader:
        return False
    side_x, side_y = _segment_side(page)
    n_segments = -(-width // side_x) * -(-height // side_y)
    return len(page.dataoffsets) == len(page.databytecounts) == n_segments


def _is_plain(page: tifffile.TiffPage) -> bool:
    """Tell whether the pixels lie in the file row after row as they are."""
    raw = page.compression == 1 and page.predictor == 1 and page.fillorder == 1
    return raw and not page.is_tiled and page.is_contiguous and page.dataoffsets[0] > 0


def _segment_side(page: tifffile.TiffPage) -> tuple[int, int]:
    """Give width and height of a tile or a strip, px."""
    if page.is_tiled:
        return page.tilewidth, page.tilelength
    return page.imagewidth, min(page.rowsperstrip, page.imagelength)
