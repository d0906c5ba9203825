"""Where a field's nests of cells, its holes and its cells lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_prep.synthetic.shapes import Rng, smooth_noise

MPP = 0.25
MITOSES_PER_MM2 = 150
LOOK_ALIKES_PER_MM2 = 340
NUCLEI_PER_MM2 = 2500
MIN_GAP_MITOSES_PX = 70
MIN_GAP_LOOK_ALIKES_PX = 46
MARGIN_PX = 14
_BIN_PX = 70  # at least the largest gap: neighbours lie in the bins around


@dataclass(frozen=True)
class Regions:
    """What a field is made of, all (H, W) float32.

    Attributes:
        nest: Epithelial nests, 0 (stroma) to 1.
        hole: Lumina, fat and clefts, 0 to 1 (glass).
    """

    nest: np.ndarray
    hole: np.ndarray

    def allows(self, at_xy: np.ndarray, in_nest: bool | None) -> bool:
        """Tell whether a cell may lie there: on tissue, and in the region that it is of."""
        x, y = int(at_xy[0]), int(at_xy[1])
        if self.hole[y, x] > 0.25:
            return False
        return in_nest is None or (self.nest[y, x] > 0.5) == in_nest


@dataclass(frozen=True)
class Places:
    """Centres of a field's cells, (N, 2) px each, x first."""

    mitoses: np.ndarray
    look_alikes: np.ndarray
    epithelial: np.ndarray
    stromal: np.ndarray
    lymphocytes: np.ndarray


class Crowd:
    """Cells placed so far; tells whether another one keeps its distance."""

    def __init__(self) -> None:
        self._bins: dict[tuple[int, int], list[tuple[float, float, float]]] = {}

    def admits(self, at_xy: np.ndarray, gap_px: float) -> bool:
        """Tell whether a place is free.

        Args:
            at_xy: The place, px.
            gap_px: Least distance to every cell; a cell that keeps others further off counts more.
        """
        x, y = float(at_xy[0]), float(at_xy[1])
        column, row = int(x // _BIN_PX), int(y // _BIN_PX)
        return all(
            (x - other_x) ** 2 + (y - other_y) ** 2 >= max(gap_px, keeps_px) ** 2
            for i in (column - 1, column, column + 1)
            for j in (row - 1, row, row + 1)
            for other_x, other_y, keeps_px in self._bins.get((i, j), ())
        )

    def add(self, at_xy: np.ndarray, keeps_px: float) -> None:
        """Add a cell that keeps later ones at that distance, px."""
        x, y = float(at_xy[0]), float(at_xy[1])
        self._bins.setdefault((int(x // _BIN_PX), int(y // _BIN_PX)), []).append((x, y, keeps_px))


def draw_regions(rng: Rng, size_px: int) -> Regions:
    """Draw nests, and holes in and between them.

    Args:
        rng: Source of the draws.
        size_px: Side of the field, px.

    Returns:
        The regions.
    """
    shape = (size_px, size_px)
    bent = smooth_noise(rng, shape, 75) + 0.25 * smooth_noise(rng, shape, 18)
    level = bent + rng.uniform(0.2, 0.8)
    nest = np.clip(level * 6 + 0.5, 0, 1)
    # Nests shrink away from the stroma here and there: clefts along their border.
    cleft = np.exp(-((level / 0.06) ** 2)) * (smooth_noise(rng, shape, 30) - 0.3)
    lumen = (smooth_noise(rng, shape, 32) - 2.1) * 3
    vacuoles = (smooth_noise(rng, shape, 6) - 2.5) * 2.5
    hole = np.maximum.reduce([cleft * 3, lumen, vacuoles])
    return Regions(nest.astype(np.float32), np.clip(hole, 0, 1).astype(np.float32))


def draw_places(rng: Rng, regions: Regions, crowding: float, with_mitoses: bool) -> Places:
    """Choose where cells lie: mitoses first, then dark cells, then the others.

    Args:
        rng: Source of the draws.
        regions: Of the field.
        crowding: Number of ordinary nuclei relative to the usual one.
        with_mitoses: Whether the field has any.

    Returns:
        The centres.
    """
    size_px = len(regions.hole)
    area_mm2 = (size_px * MPP / 1000) ** 2
    crowd = Crowd()

    def place(mean: float, gap_px: float, keeps_px: float, in_nest: bool | None) -> np.ndarray:
        count = rng.poisson(mean * area_mm2)
        chosen = []
        for at in rng.uniform(MARGIN_PX, size_px - MARGIN_PX, (count * 6, 2)):
            if len(chosen) == count:
                break
            if regions.allows(at, in_nest) and crowd.admits(at, gap_px):
                crowd.add(at, keeps_px)
                chosen.append(at)
        return np.array(chosen).reshape(-1, 2)

    mitoses = np.empty((0, 2))
    while with_mitoses and not len(mitoses):
        mitoses = place(MITOSES_PER_MM2, MIN_GAP_MITOSES_PX, MIN_GAP_LOOK_ALIKES_PX, None)
    return Places(
        mitoses=mitoses,
        look_alikes=place(LOOK_ALIKES_PER_MM2, MIN_GAP_LOOK_ALIKES_PX, 34, None),
        lymphocytes=_cluster(rng, regions, crowd),
        epithelial=place(NUCLEI_PER_MM2 * 0.85 * crowding, 24, 24, True),
        stromal=place(NUCLEI_PER_MM2 * 0.3 * crowding, 26, 24, False),
    )


def _cluster(rng: Rng, regions: Regions, crowd: Crowd) -> np.ndarray:
    """Choose where a cluster of lymphocytes lies, if the field has one."""
    size_px = len(regions.hole)
    chosen = []
    if rng.random() < 0.6:
        center = rng.uniform(0.1, 0.9, 2) * size_px
        for at in np.clip(rng.normal(center, 34, (24, 2)), MARGIN_PX, size_px - MARGIN_PX):
            if regions.allows(at, None) and crowd.admits(at, 19):
                crowd.add(at, 19)
                chosen.append(at)
    return np.array(chosen[:9]).reshape(-1, 2)
