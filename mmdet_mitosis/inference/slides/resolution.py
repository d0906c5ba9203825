"""The size of a slide's pixels: what the file says, and what to make of it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import tifffile

MIN_MPP, MAX_MPP = 0.1, 2.0
"""What scanners make, µm a pixel; what else a file says is not its resolution (72 dpi, often)."""
MAX_ASPECT = 1.01
"""Of a pixel's longer side to its shorter one, up to which their mean stands for both."""
UM_PER_UNIT = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}
"""By TIFF's ResolutionUnit: inch and centimetre; millimetre and micrometre by custom."""
UM_PER_NAME = {"pm": 1e-6, "nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "mm": 1e3}
"""By the names of OME-XML (the micro sign and the Greek letter) and ImageJ."""


def find_mpp(
    path: Path, sides_um: tuple[float, float] | None, given: float | None
) -> tuple[float, str]:
    """Settle the size of a slide's pixels.

    Args:
        path: The slide, for messages.
        sides_um: What the file says, width and height, µm; None if nothing.
        given: What the user says, µm; it stands in where the file does not say, or says what no
            scanner makes.

    Returns:
        The size, µm, and ``file`` or ``given``.

    Raises:
        ValueError: If neither says it, or what the file says are no squares.
    """
    is_plausible = sides_um is not None and all(MIN_MPP <= s <= MAX_MPP for s in sides_um)
    if is_plausible and max(sides_um) <= MAX_ASPECT * min(sides_um):
        return sum(sides_um) / 2, "file"
    if given is not None:
        return given, "given"
    if is_plausible:
        raise ValueError(
            f"{path} has pixels of {sides_um[0]:.4g} x {sides_um[1]:.4g} µm; expected squares: "
            "give the resolution with --mpp"
        )
    raise ValueError(f"{path} has no resolution: give it with --mpp, in µm a pixel")


def check_given(mpp: float | None) -> None:
    """Refuse a resolution that no scanner makes.

    Args:
        mpp: What the user says, µm a pixel, or None.

    Raises:
        ValueError: If it is not between 0.1 and 2 µm.
    """
    if mpp is not None and not MIN_MPP <= mpp <= MAX_MPP:
        raise ValueError(f"--mpp is {mpp}; expected {MIN_MPP} to {MAX_MPP:g} µm a pixel")


def tiff_sides(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    """Read the size of a pixel from a TIFF: of OME-XML, of ImageJ, else of the resolution tags.

    Args:
        tiff: The open file.

    Returns:
        Width and height, µm, plausible or not; None if it does not say.
    """
    if tiff.ome_metadata:
        sides = _ome_sides(tiff.ome_metadata)
        if sides:
            return sides
    tags = tiff.pages[0].tags
    across, down, unit = (tags.valueof(n) for n in ("XResolution", "YResolution", "ResolutionUnit"))
    if not across or not down or not all((*across, *down)):
        return None
    um = UM_PER_UNIT.get(unit)
    if tiff.is_imagej:
        name = str((tiff.imagej_metadata or {}).get("unit", ""))
        um = UM_PER_NAME.get(name.replace("\\u00B5", "µ"), um)
    return None if um is None else tuple(um * per / dots for dots, per in (across, down))


def _ome_sides(xml: str) -> tuple[float, float] | None:
    """Read the size of a pixel of the first image of OME-XML."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    pixels = next((e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    sides = []
    for axis in "XY":
        size = pixels.get(f"PhysicalSize{axis}")
        um = UM_PER_NAME.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        if size is None or um is None:
            return None
        sides.append(float(size) * um)
    return sides[0], sides[1]
