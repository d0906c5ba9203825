"""What of a TIFF is looked at before it is read: its kind, its levels and its pixels."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from mmdet_mitosis.inference.slides.resolution import tiff_sides
from mmdet_mitosis.json_file import short

VENDORS = ("svs", "ndpi", "scn", "philips")
"""Of slides that tiffslide knows; each is read by it, whatever its levels."""
NO_RGB = {3: "palette", 5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
YCBCR = 6
RAW = (1, 5, 8, 32946, 32773, 50000)
"""Compressions of plain bytes: tifffile leaves YCbCr among them as it is."""
NOT_SCANNED = 0
SEPARATE = 2
"""TIFF's PlanarConfiguration of channels that are apart."""

# What tifffile would log of a broken file is in the error already.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class TiffLayout:
    """What a TIFF holds.

    Attributes:
        size: Width and height of the full resolution, px.
        is_slide: Whether it has levels, or is of a vendor that tiffslide knows.
        is_stitched: Whether its tiles overlap (Ventana BIF), so that none of them is a place.
        is_tiled: Whether the full resolution is in tiles.
        has_gaps: Whether some of its tiles or strips are left out of the file.
        samples: Channels.
        sides_um: Width and height of a pixel, µm; None if it does not say.
    """

    size: tuple[int, int]
    is_slide: bool
    is_stitched: bool
    is_tiled: bool
    has_gaps: bool
    samples: int
    sides_um: tuple[float, float] | None


def look_at_tiff(path: Path) -> TiffLayout:
    """Look at a TIFF without reading its pixels.

    Args:
        path: The file.

    Returns:
        What it holds.

    Raises:
        ValueError: If it is no TIFF, truncated, or no 8-bit RGB image.
    """
    with open_tifffile(path) as tiff:
        try:
            page, levels = tiff.pages[0], tiff.series[0].levels
            layout = TiffLayout(
                size=(page.imagewidth, page.imagelength),
                is_slide=len(levels) > 1 or any(getattr(tiff, f"is_{v}") for v in VENDORS),
                is_stitched=tiff.is_bif,
                is_tiled=page.is_tiled,
                has_gaps=bool(gaps(page).any()),
                samples=page.samplesperpixel,
                sides_um=tiff_sides(tiff),
            )
        except Exception as error:  # tifffile raises its own kinds and plain ones
            raise ValueError(f"cannot read {path} as a TIFF: {short(error)}") from error
        if not tiff.is_scn:  # of which the first series is a picture of the glass
            check_page(path, page)
        for level in levels:
            check_whole(path, level.pages[0])
        return layout


def open_tifffile(path: Path) -> tifffile.TiffFile:
    """Open a TIFF.

    Args:
        path: The file.

    Returns:
        The open file.

    Raises:
        ValueError: If it is none.
    """
    try:
        return tifffile.TiffFile(path)
    except Exception as error:  # as above
        raise ValueError(f"cannot read {path} as a TIFF: {short(error)}") from error


def check_page(path: Path, page: tifffile.TiffPage) -> None:
    """Refuse pixels that are no 8-bit colours.

    Args:
        path: The file, for messages.
        page: Its page.

    Raises:
        ValueError: If they are not.
    """
    shape, bits, samples = page.shape, page.bitspersample, page.samplesperpixel
    colours = NO_RGB.get(page.photometric)
    if page.photometric == YCBCR and page.compression in RAW:
        colours = "uncompressed YCbCr"
    if colours or bits != 8 or page.dtype != np.uint8:
        kind = colours or page.dtype
        raise ValueError(f"{path} has {kind} values of {bits} bits; expected 8-bit RGB")
    is_grey_page_of_rgb = samples == 1 and page.parent.series[0].axes in {"CYX", "SYX"}
    if samples not in (3, 4) and not is_grey_page_of_rgb:
        raise ValueError(f"{path} has shape {shape}: {samples} channels; expected 8-bit RGB")


def check_whole(path: Path, page: tifffile.TiffPage) -> None:
    """Refuse a file that ends before its pixels do.

    Args:
        path: The file.
        page: A page of it.

    Raises:
        ValueError: If a tile or strip lies beyond the end of the file, or it has not as many tiles
            as its size takes, or no pixels.
    """
    sides = [page.imagewidth, page.imagelength]
    sides += [page.tilewidth, page.tilelength] if page.is_tiled else []
    if min(sides) < 1:
        raise ValueError(f"cannot read {path} as a TIFF: it is damaged, a side of it has 0 px")
    if page.is_tiled:
        across = -(-page.imagewidth // page.tilewidth)
        down = -(-page.imagelength // page.tilelength)
        planes = page.samplesperpixel if page.planarconfig == SEPARATE else 1
        n_tiles = across * down * planes * page.imagedepth
        if len(page.dataoffsets) != n_tiles:
            raise ValueError(
                f"cannot read {path} as a TIFF: it is damaged, {len(page.dataoffsets)} tiles for "
                f"{page.imagewidth} x {page.imagelength} px"
            )
    ends = np.asarray(page.dataoffsets, np.int64) + np.asarray(page.databytecounts, np.int64)
    if ends.max(initial=0) > path.stat().st_size:
        raise ValueError(f"{path} is truncated: its last pixels lie beyond the end of the file")


def gaps(page: tifffile.TiffPage) -> np.ndarray:
    """Find the tiles or strips that a file leaves out.

    Args:
        page: A page of it.

    Returns:
        (N,) bool, in the file's order.
    """
    offsets, lengths = np.asarray(page.dataoffsets), np.asarray(page.databytecounts)
    return (offsets == NOT_SCANNED) | (lengths == NOT_SCANNED)
