"""A slide of any size, mostly glass, written tile by tile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile

from data_prep.synthetic.field import paint_field

MPP, TILE, PATCH_PX, STEP = 0.25, 256, 1024, 4
"""µm a pixel; sides of a tile and of the painted patch that repeats; from level to level."""
GLASS = 242
SMALLEST_PX = 2000
TIFF = {
    "dtype": np.uint8,
    "tile": (TILE, TILE),
    "compression": "jpeg",
    "compressionargs": {"level": 80},
    "photometric": "rgb",
    "metadata": None,
    "resolution": (1e4 / MPP, 1e4 / MPP),
    "resolutionunit": "CENTIMETER",
}


def write_slide(path: str | Path, side: int, tissue: float) -> None:
    """Write a pyramid of glass with a disc of tissue in its middle.

    Tiles of one kind are compressed once, so that it takes seconds and a few hundred MB.

    Args:
        path: The TIFF.
        side: Of the full resolution, px.
        tissue: Area of the disc, as a share of the slide's.
    """
    patch = paint_field(0, 24, 1, PATCH_PX).image_rgb
    radius = side * np.sqrt(tissue / np.pi)
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        scale = 1
        while scale == 1 or side // scale >= SMALLEST_PX // STEP:
            small = max(1, PATCH_PX // scale)
            texture = cv2.resize(patch, (small, small), interpolation=cv2.INTER_AREA)
            level = side // scale
            tiff.write(
                _tiles(level, radius / scale, texture),
                shape=(level, level, 3),
                subfiletype=int(scale > 1),
                **TIFF,
            )
            scale *= STEP


def _tiles(side: int, radius: float, texture: np.ndarray) -> Iterator[bytes]:
    """Give the compressed tiles of a level, row by row; those that are alike are made once."""
    middle, count = side / 2, -(-side // TILE)
    period = max(1, len(texture) // TILE)
    known: dict[tuple[int, int] | None, bytes] = {}
    for row in range(count):
        for column in range(count):
            gaps = [_gaps(k * TILE, middle) for k in (row, column)]
            kind = None  # glass
            if np.hypot(*(far for _, far in gaps)) < radius:
                kind = (row % period, column % period)
            elif np.hypot(*(near for near, _ in gaps)) < radius:
                yield _encoded(_paint(row, column, middle, radius, texture))
                continue
            if kind not in known:
                known[kind] = _encoded(_paint(row, column, middle, radius, texture))
            yield known[kind]


def _gaps(start: int, middle: float) -> tuple[float, float]:
    """Give how near a tile comes to the middle along an axis, and how far it goes from there."""
    ends = (start - middle, start + TILE - middle)
    return max(0.0, ends[0], -ends[1]), max(map(abs, ends))


def _paint(row: int, column: int, middle: float, radius: float, texture: np.ndarray) -> np.ndarray:
    """Paint a tile, (TILE, TILE, 3) uint8."""
    ys, xs = (k * TILE + np.arange(TILE) for k in (row, column))
    tile = texture[np.ix_(ys % len(texture), xs % len(texture))]
    outside = np.hypot(ys[:, None] + 0.5 - middle, xs[None] + 0.5 - middle) >= radius
    tile[outside] = GLASS
    return tile


def _encoded(tile: np.ndarray) -> bytes:
    """Compress a tile as tifffile does."""
    file = io.BytesIO()
    tifffile.imwrite(file, tile, **TIFF)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        start, size = page.dataoffsets[0], page.databytecounts[0]
    return file.getvalue()[start : start + size]
