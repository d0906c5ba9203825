"""What every source reads its archive into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Mitosis:
    """One mitosis: its centroid, px of the field, x first, and where it was read.

    ``pixels_xy`` are all its pixels, (N, 2), where the archive has them.
    """

    centroid_xy: tuple[float, float]
    label_file: Path
    line: int
    pixels_xy: np.ndarray | None = None


@dataclass(frozen=True)
class Field:
    """One image of an archive.

    ``name`` is unique in the archive; ``mpp`` is the size of a pixel, µm.
    """

    case: str
    name: str
    image_path: Path
    width: int
    height: int
    mpp: float
    scanner: str
    mitoses: tuple[Mitosis, ...]
    labelled: bool = True


@dataclass(frozen=True)
class Archive:
    """What a source read.

    ``left_out`` holds one sentence for each thing that belongs to the archive and is not among
    the fields, or not whole: an error where the user asks for strictness. ``notes`` holds what is
    worth saying and no fault.
    """

    source: str
    root: Path
    fields: tuple[Field, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
