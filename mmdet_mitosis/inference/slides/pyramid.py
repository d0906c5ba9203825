"""Slides in TIFF (SVS, NDPI, SCN, Philips, OME, plain pyramids), by tiffslide."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from tiffslide import TiffSlide

from mmdet_mitosis.inference.slides.plain_tiff import without_alpha
from mmdet_mitosis.inference.slides.source import WHITE, check_decodable
from mmdet_mitosis.inference.slides.tiff_layout import check_page, check_whole, gaps
from mmdet_mitosis.json_file import short

APERIO_YCBCR = 33003
"""TIFF's compression of JPEG 2000 with YCbCr in it, of which tifffile makes no RGB."""


class _LevelSlide(TiffSlide):
    """A slide whose places are in px of the level that is read."""

    def _read_region_loc_transform(self, location: tuple[int, int], level: int) -> tuple[int, int]:
        """Take a place as it is; tiffslide leaves this to subclasses."""
        return location


class Pyramid:
    """A slide in TIFF; of a window only the tiles of one level are decoded."""

    backend = "tiffslide"

    def __init__(self, path: Path, tiff_sides_um: tuple[float, float] | None) -> None:
        """Open a slide.

        Args:
            path: The file.
            tiff_sides_um: Size of a pixel by what the TIFF itself says, µm, where the vendor's
                metadata do not say it.

        Raises:
            ValueError: If it cannot be read, is truncated, or no 8-bit RGB image.
        """
        self.path = path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tiffslide's, of metadata that it does not read
            try:
                self._slide = _LevelSlide(path)
                properties = self._slide.properties
                self.level_sizes = self._slide.level_dimensions
                series = self._slide.ts_tifffile.series[properties["tiffslide.series-index"]]
                pages = [level.pages[0] for level in series.levels]
            except Exception as error:  # tiffslide, tifffile and XML raise their own kinds
                raise ValueError(f"cannot read {path} as a slide: {short(error)}") from error
        self._is_composed = "tiffslide.series-composition" in properties
        try:
            self._look_at(pages)
        except ValueError:
            self.close()
            raise
        has_places = properties["tiffslide.series-axes"] == "YXS" and not self._is_composed
        self._gaps = [_find_gaps(page) if has_places else None for page in pages]
        self.sides_um = _vendor_sides(properties) or tiff_sides_um

    def _look_at(self, pages: list[tifffile.TiffPage]) -> None:
        """Check the levels' pixels, and note how they are stored."""
        for page in pages:
            check_page(self.path, page)
            check_whole(self.path, page)
            side = (page.tilewidth, page.tilelength)
            if not page.is_tiled:
                side = (page.imagewidth, min(page.rowsperstrip, page.imagelength))
            check_decodable(f"{self.path}: a strip", *side)
        self._is_ycbcr = [page.compression == APERIO_YCBCR for page in pages]
        self._extra = pages[0].extrasamples

    def read(self, level: int, window_xyxy: tuple[int, int, int, int]) -> np.ndarray:
        """Read a window of a level, px of the level: (h, w, 3) uint8 RGB."""
        x1, y1, x2, y2 = window_xyxy
        try:
            image = self._slide.read_region(
                (x1, y1), level, (x2 - x1, y2 - y1), as_array=True, padding=False
            )
        except Exception as error:  # tifffile and its codecs raise their own kinds
            raise ValueError(f"cannot read {self.path} as a slide: {short(error)}") from error
        if self._is_ycbcr[level]:
            image = cv2.cvtColor(np.ascontiguousarray(image[..., [0, 2, 1]]), cv2.COLOR_YCrCb2RGB)
        image = without_alpha(image, self._extra)
        if self._is_composed:  # of several scans, and black between them
            image[~image.any(axis=-1)] = WHITE
        if self._gaps[level] is not None:
            _paint_gaps(image, (x1, y1), *self._gaps[level])
        return image

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


def _vendor_sides(properties: Mapping[str, Any]) -> tuple[float, float] | None:
    """Read the size of a pixel from a vendor's metadata, µm."""
    if properties["tiffslide.vendor"] is None:
        return None  # what tiffslide has is of the resolution tags
    sides = properties["tiffslide.mpp-x"], properties["tiffslide.mpp-y"]
    return None if None in sides else (float(sides[0]), float(sides[1]))


def _find_gaps(page: tifffile.TiffPage) -> tuple[np.ndarray, tuple[int, int]] | None:
    """Find the tiles that a level leaves out: which, (rows, columns) bool, and a tile's size."""
    if not page.is_tiled or not (missing := gaps(page)).any():
        return None
    columns = -(-page.imagewidth // page.tilewidth)
    return missing.reshape(-1, columns), (page.tilewidth, page.tilelength)


def _paint_gaps(
    image: np.ndarray, origin_xy: tuple[int, int], missing: np.ndarray, side_xy: tuple[int, int]
) -> None:
    """Paint what lies in tiles that are left out white; tifffile gives black."""
    rows, columns = (
        (origin + np.arange(count)) // side
        for origin, count, side in zip(origin_xy[::-1], image.shape[:2], side_xy[::-1], strict=True)
    )
    image[missing[np.ix_(rows, columns)]] = WHITE
