"""The size of a pixel: what is plausible, and what a TIFF says of it."""

from __future__ import annotations

import math
from pathlib import Path

import tifffile

from data_prep.images import TIFF_SUFFIXES
from mmdet_mitosis.inference.slides.resolution import tiff_sides
from mmdet_mitosis.json_file import short

MIN_MPP, MAX_MPP = 0.05, 5.0
MAX_ASPECT = 1.02


def check_mpp(mpp: float, where: str) -> float:
    """Refuse a size of a pixel that no microscope has.

    Args:
        mpp: The size, µm.
        where: Who gives it, for the message.

    Returns:
        The size.

    Raises:
        ValueError: If it is not between 0.05 and 5 µm.
    """
    if not MIN_MPP <= mpp <= MAX_MPP:
        raise ValueError(f"{where}: {mpp} µm a pixel; expected {MIN_MPP} to {MAX_MPP:g}")
    return mpp


def tiff_mpp(path: Path) -> float | None:
    """Read the size of a pixel from a TIFF.

    Args:
        path: The image, of any format.

    Returns:
        The size, µm, or None if it is no TIFF, does not say it, or says what cannot be: the
        72 dpi of most programs, or pixels that are no squares.

    Raises:
        ValueError: If the TIFF cannot be read.
    """
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return None
    try:
        with tifffile.TiffFile(path) as tiff:
            sides = tiff_sides(tiff)
    except Exception as error:  # tifffile raises its own kinds and plain ones
        raise ValueError(f"cannot read {path} as a TIFF: {short(error)}") from error
    if sides is None:
        return None
    mpp = math.sqrt(sides[0] * sides[1])
    plausible = MIN_MPP <= mpp <= MAX_MPP and max(sides) <= MAX_ASPECT * min(sides)
    return round(mpp, 4) if plausible else None
