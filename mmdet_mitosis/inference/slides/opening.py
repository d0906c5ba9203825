"""Which reader a file takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from mmdet_mitosis.image_size import TIFF_STARTS
from mmdet_mitosis.inference.slides.openslide_source import (
    SUFFIXES,
    OpenSlideSource,
    has_openslide,
)
from mmdet_mitosis.inference.slides.plain_tiff import open_plain_tiff
from mmdet_mitosis.inference.slides.resolution import check_given, find_mpp
from mmdet_mitosis.inference.slides.slide import Slide
from mmdet_mitosis.inference.slides.source import Source
from mmdet_mitosis.inference.slides.tiff_layout import look_at_tiff
from mmdet_mitosis.inference.slides.whole_image import open_image

HEAD_BYTES = 132
DICOM_START = b"DICM"
"""The last bytes of a DICOM file's head."""


def open_slide(path: str | Path, mpp: float | None = None) -> Slide:
    """Open a slide or a plain image, by what it holds and not by its suffix.

    PNG, JPEG and BMP are decoded whole when they are first read, up to 400 million pixels, and kept
    until the slide is closed; so is a TIFF of one level in strips, up to 100 million pixels if the
    strips of a window can be decoded alone. Of every other file the tiles of a window are: of TIFFs
    of one level by this package, of pyramids, SVS, NDPI, SCN, Philips and OME-TIFF by tiffslide,
    and of MRXS, DICOM, BIF, CZI, VMS and what tiffslide fails to read by OpenSlide, where it is
    installed.

    Args:
        path: The file. Of MRXS the ``.mrxs`` beside its folder, of DICOM any file of the slide.
        mpp: Size of a pixel, µm, for a file that does not say it: one that does is believed. What
            is not between 0.1 and 2 µm is not the resolution of a scan, and counts as unsaid.

    Returns:
        The open slide; a context manager.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no 8-bit RGB image that can be read, too large to be decoded whole, or
            has no resolution and none is given.
    """
    path = Path(path)
    check_given(mpp)
    source = _open_source(path)
    try:
        return Slide(path, source, *find_mpp(path, source.sides_um, mpp))
    except ValueError:
        source.close()
        raise


def _open_source(path: Path) -> Source:
    """Find what reads a file."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a slide (of DICOM, one of its .dcm files)")
    if not path.is_file():
        raise FileNotFoundError(f"no such slide: {path}")
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise ValueError(f"{path} is empty (0 bytes)")
    if path.suffix.lower() in SUFFIXES or head.endswith(DICOM_START):
        return OpenSlideSource(path)
    if head.startswith(TIFF_STARTS):
        return _open_tiff(path)
    image = open_image(path, head)
    if image is None:
        raise ValueError(
            f"{path} is no slide or image: expected TIFF, SVS, NDPI, SCN, MRXS, DICOM, PNG, JPEG "
            "or BMP"
        )
    return image


def _open_tiff(path: Path) -> Source:
    """Find what reads a TIFF."""
    layout = look_at_tiff(path)
    if layout.is_stitched:
        return OpenSlideSource(path)
    if not layout.is_slide:
        plain = open_plain_tiff(path, layout)
        if plain is not None:
            return plain
    from mmdet_mitosis.inference.slides.pyramid import Pyramid  # which takes a second to import

    try:
        return Pyramid(path, layout.sides_um)
    except ValueError as error:
        if has_openslide():
            with suppress(ValueError):  # the first error says more
                return OpenSlideSource(path)
        raise error
