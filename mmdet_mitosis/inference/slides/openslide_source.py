"""Slides by OpenSlide, where it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from mmdet_mitosis.inference.slides.source import over_white

SUFFIXES = (".mrxs", ".dcm", ".bif", ".vms", ".vmu", ".svslide", ".czi")
"""Of slides that OpenSlide alone reads right."""
INSTALL = "pip install openslide-python openslide-bin"


def has_openslide() -> bool:
    """Tell whether OpenSlide's Python package is installed.

    Returns:
        Whether it is.
    """
    return find_spec("openslide") is not None


class OpenSlideSource:
    """A slide that OpenSlide reads; what is transparent becomes white."""

    backend = "openslide"

    def __init__(self, path: Path) -> None:
        """Open a slide.

        Args:
            path: The file; of a DICOM slide any of its files.

        Raises:
            ValueError: If OpenSlide is missing, or cannot read it.
        """
        self.path = path
        if not has_openslide():
            raise ValueError(f"{path} is read by OpenSlide, which is not installed: {INSTALL}")
        try:
            self._slide = import_module("openslide").OpenSlide(str(path))
            self.level_sizes = tuple(self._slide.level_dimensions)
            self._downsamples = tuple(self._slide.level_downsamples)
            self.sides_um = _sides(self._slide.properties)
        except Exception as error:  # OpenSlide's own kinds; a library that is not found
            raise ValueError(f"cannot read {path} as a slide: {error or 'damaged'}") from error

    def read(self, level: int, window_xyxy: tuple[int, int, int, int]) -> np.ndarray:
        """Read a window of a level, px of the level: (h, w, 3) uint8 RGB.

        OpenSlide takes places in px of the full resolution: on a level whose downsampling is no
        whole number they are off by up to half of such a pixel.
        """
        x1, y1, x2, y2 = window_xyxy
        place = (round(x1 * self._downsamples[level]), round(y1 * self._downsamples[level]))
        try:
            image = self._slide.read_region(place, level, (x2 - x1, y2 - y1))
        except Exception as error:  # as above
            raise ValueError(f"cannot read {self.path} as a slide: {error}") from error
        return over_white(np.asarray(image))

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


def _sides(properties: Mapping[str, str]) -> tuple[float, float] | None:
    """Read the size of a pixel, µm."""
    sides = properties.get("openslide.mpp-x"), properties.get("openslide.mpp-y")
    return None if None in sides else (float(sides[0]), float(sides[1]))
