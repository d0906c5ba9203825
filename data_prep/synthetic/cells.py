"""A painted cell, and the field's layers that it is laid on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from data_prep.synthetic.shapes import PATCH_PX


def blank() -> np.ndarray:
    """Give an empty patch."""
    return np.zeros((PATCH_PX, PATCH_PX), np.float32)


@dataclass(frozen=True)
class Cell:
    """One cell on its patch, all (112, 112) float32.

    Attributes:
        chromatin: Hematoxylin that it brings.
        cleared: How much of the eosin around it is gone, 0 to 1.
        erased: How much of the hematoxylin below it is gone, 0 to 1.
        eosin: Eosin that it brings.
        pigment: Brown or black matter that it brings.
    """

    chromatin: np.ndarray = field(default_factory=blank)
    cleared: np.ndarray = field(default_factory=blank)
    erased: np.ndarray = field(default_factory=blank)
    eosin: np.ndarray = field(default_factory=blank)
    pigment: np.ndarray = field(default_factory=blank)


@dataclass(frozen=True)
class Layers:
    """What a field holds of each colouring matter, optical density, all (H, W) float32."""

    hematoxylin: np.ndarray
    eosin: np.ndarray
    pigment: np.ndarray

    def lay(self, cell: Cell, at_xy: np.ndarray) -> None:
        """Lay a cell over the field, clipped at its border.

        Args:
            cell: The cell.
            at_xy: Where its patch's centre comes, px, x first.
        """
        there, part = _overlap(self.hematoxylin.shape, at_xy)
        below = self.hematoxylin[there] * (1 - cell.erased[part])
        above = cell.chromatin[part]
        # Two nuclei above one another are darker than each, but a section cuts both.
        together = np.maximum(below, above) + 0.3 * np.minimum(below, above)
        self.hematoxylin[there] = together
        self.eosin[there] *= 1 - cell.cleared[part]
        self.eosin[there] += cell.eosin[part]
        self.pigment[there] += cell.pigment[part]

    def centroid_xy(self, cell: Cell, at_xy: np.ndarray) -> tuple[float, float]:
        """Find the centroid of a cell's chromatin as far as the field shows it.

        Args:
            cell: The cell.
            at_xy: Where it was laid, px, x first.

        Returns:
            x and y as pixel indices of the field.
        """
        (rows, cols), part = _overlap(self.hematoxylin.shape, at_xy)
        weight = cell.chromatin[part].astype(float)
        y, x = np.indices(weight.shape)
        total = weight.sum()
        return (
            float((x * weight).sum() / total) + cols.start,
            float((y * weight).sum() / total) + rows.start,
        )


def _overlap(
    shape: tuple[int, int], at_xy: np.ndarray
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give the part of a field and the part of a patch that lie on one another."""
    left, top = (round(float(v)) - PATCH_PX // 2 for v in at_xy)
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + PATCH_PX, shape[1]), min(top + PATCH_PX, shape[0])
    return (
        (slice(y1, y2), slice(x1, x2)),
        (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left)),
    )
