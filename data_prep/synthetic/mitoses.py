"""Mitoses in their phases: condensed chromatin without a membrane, in a swollen, clear cell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_prep.synthetic.cells import Cell
from data_prep.synthetic.shapes import PATCH_PX, Rng, disc, ragged, rotate, smooth_noise

Rods = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Chromosome arms: middles (N, 2) px, directions (N,) radians, lengths (N,) px."""


def prometaphase(rng: Rng) -> Rods:
    """Arrange arms as a clump with hairs, here and there a gap."""
    count = int(rng.integers(34, 52))
    centers = rng.normal(0, rng.uniform(4.4, 6.2), (count, 2)) * (1, rng.uniform(0.65, 1))
    angles = np.arctan2(centers[:, 1], centers[:, 0]) + rng.normal(0, 0.9, count)
    return centers, angles, rng.uniform(4, 9.5, count)


def metaphase(rng: Rng) -> Rods:
    """Arrange arms as a plate seen from the side: a ragged bar, some arms sticking out."""
    return _plate(rng, rng.uniform(21, 31), rng.uniform(7, 11), 0.0)


def polar_metaphase(rng: Rng) -> Rods:
    """Arrange arms as a plate seen from a pole: a rosette, often with a hole."""
    count = int(rng.integers(34, 46))
    turns = np.sort(rng.uniform(0, 2 * np.pi, count))
    radius = rng.uniform(7.5, 10) + rng.normal(0, 1.1, count)
    centers = np.stack([np.cos(turns), np.sin(turns)], axis=1) * radius[:, None]
    return centers, turns + rng.normal(0, 0.45, count), rng.uniform(4, 9, count)


def anaphase(rng: Rng) -> Rods:
    """Arrange arms as two plates that part."""
    return _pair(rng, rng.uniform(12, 18), rng.uniform(18, 26), rng.uniform(5.5, 8))


def telophase(rng: Rng) -> Rods:
    """Arrange arms as two plates far apart, at the poles of one cell."""
    return _pair(rng, rng.uniform(21, 30), rng.uniform(15, 22), rng.uniform(5, 7))


PHASES: dict[Callable[[Rng], Rods], float] = {
    prometaphase: 0.28,
    metaphase: 0.32,
    polar_metaphase: 0.12,
    anaphase: 0.14,
    telophase: 0.14,
}
"""The phases, and how often each is drawn."""


def mitosis(rng: Rng) -> Cell:
    """Paint a mitosis in any phase.

    Args:
        rng: Source of the draws.

    Returns:
        The cell.
    """
    phase = list(PHASES)[rng.choice(len(PHASES), p=list(PHASES.values()))]
    centers, angles, lengths = phase(rng)
    turn = rng.uniform(0, np.pi)
    size = rng.uniform(0.8, 1.25)
    centers, lengths = centers * size, lengths * size
    shape = ragged(rng, rotate(centers, turn), angles + turn, lengths)
    grain = np.clip(1 + 0.1 * smooth_noise(rng, (PATCH_PX, PATCH_PX), 1.5), 0.7, 1.3)
    reach_px = float(np.abs(centers).max()) + rng.uniform(9, 14)
    body = disc(rng, max(21.0, reach_px), 4.0)
    membrane = np.clip(1 - np.abs(body - 0.5) * 3, 0, 1)
    return Cell(
        chromatin=shape * rng.uniform(1.1, 1.95) * grain,
        cleared=body * rng.uniform(0.1, 0.55),
        erased=body * 0.85,
        eosin=membrane * rng.uniform(0.0, 0.2),
    )


def _plate(rng: Rng, length_px: float, width_px: float, bend_px: float) -> Rods:
    """Arrange arms across a plate that lies along x."""
    count = int(length_px * 1.9)
    along = rng.uniform(-length_px / 2, length_px / 2, count)
    across = rng.normal(0, width_px * 0.17, count) + bend_px * (2 * along / length_px) ** 2
    lengths = rng.uniform(0.45, 1.05, count) * width_px
    sticking = rng.random(count) < 0.1
    lengths = np.where(sticking, lengths * rng.uniform(1.3, 1.9, count), lengths)
    angles = np.pi / 2 + rng.normal(0, 0.6, count)
    return np.stack([along, across], axis=1), angles, lengths


def _pair(rng: Rng, gap_px: float, length_px: float, width_px: float) -> Rods:
    """Arrange two plates that face each other; their ends trail behind, towards the middle."""
    plates = []
    for side in (-1, 1):
        size = length_px * rng.uniform(0.9, 1.1)
        centers, angles, lengths = _plate(rng, size, width_px, -side * rng.uniform(1, 4))
        tilt = rng.normal(0, 0.1)
        pole = np.array([0, side * gap_px / 2])
        plates.append((rotate(centers, tilt) + pole, angles + tilt, lengths))
    return tuple(np.concatenate(parts) for parts in zip(*plates, strict=True))
