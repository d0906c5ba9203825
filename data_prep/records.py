"""What every source reads its archive into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Cell:
    """One labelled cell, a mitosis or a look-alike.

    Attributes:
        centroid_xy: Its centroid, px of the field, x first.
        label_file: Where it was read.
        line: Line of that file, or number of the record in it, from 1.
        pixels_xy: All its pixels, (N, 2), where the archive has them.
        confidence: Share of the readers that called it a mitosis, 0 to 1, where the archive has it.
    """

    centroid_xy: tuple[float, float]
    label_file: Path
    line: int
    pixels_xy: np.ndarray | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Field:
    """One image of an archive.

    ``name`` is unique in the archive; ``mpp`` is the size of a pixel, µm; ``look_alikes`` are cells
    that were labelled as no mitoses; ``tumour`` is what the archive says of the tissue.
    """

    case: str
    name: str
    image_path: Path
    width: int
    height: int
    mpp: float
    scanner: str
    mitoses: tuple[Cell, ...]
    labelled: bool = True
    look_alikes: tuple[Cell, ...] = ()
    tumour: str | None = None


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
