"""Cells that are no mitoses: ordinary nuclei, and the dark ones that look alike."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from data_prep.synthetic.cells import Cell
from data_prep.synthetic.shapes import PATCH_PX, Rng, disc, filled, outline, smooth_noise

_SHAPE = (PATCH_PX, PATCH_PX)


def interphase(rng: Rng, size: float) -> Cell:
    """Paint an ordinary nucleus: vesicular, with a membrane, chromatin clumps and nucleoli.

    Args:
        rng: Source of the draws.
        size: Size relative to the usual 25 to 45 px across.

    Returns:
        The cell.
    """
    long_px = size * rng.triangular(12.5, 15, 22)
    axes = (long_px, long_px * rng.uniform(0.62, 0.98))
    border = outline(rng, axes, 0.09)
    body = filled(border)
    rim = body - filled(border * (1 - rng.uniform(1.3, 2.2) / axes[1]))
    if rng.random() < 0.25:
        ground, clumps, membrane = rng.uniform((0.5, 0.15, 0.2), (0.95, 0.35, 0.5))
    else:
        ground, clumps, membrane = rng.uniform((0.12, 0.2, 0.35), (0.45, 0.5, 0.8))
    grain = np.clip(smooth_noise(rng, _SHAPE, rng.uniform(1.2, 2.2)), -0.6, 2.2)
    chromatin = body * np.clip(ground + clumps * grain, 0.05, None) + rim * membrane
    eosin = np.zeros_like(body)
    for _ in range(rng.choice(4, p=(0.25, 0.4, 0.25, 0.1))):
        radius, at = rng.uniform(1.8, 3.6), rng.normal(0, 0.28, 2) * axes[1]
        spot = filled(outline(rng, (radius, radius), 0.08, at)) * body
        chromatin += spot * rng.uniform(0.4, 0.9)
        eosin += spot * rng.uniform(0.2, 0.6)
    cleared = body * rng.uniform(0.4, 0.8)
    if rng.random() < 0.15:
        cleared = np.maximum(cleared, disc(rng, long_px + rng.uniform(4, 10)) * 0.5)
    return Cell(chromatin=chromatin, cleared=cleared, eosin=eosin)


def hyperchromatic(rng: Rng) -> Cell:
    """Paint a dark ordinary nucleus: smooth border, a membrane, even chromatin."""
    long_px = rng.uniform(9.5, 16)
    border = outline(rng, (long_px, long_px * rng.uniform(0.75, 0.98)), 0.05)
    body = filled(border)
    rim = body - filled(border * 0.84)
    even = np.clip(1 + 0.12 * smooth_noise(rng, _SHAPE, 2.0), 0.6, 1.4)
    chromatin = body * rng.uniform(1.25, 2.1) * even + rim * rng.uniform(0.25, 0.5)
    return Cell(chromatin=chromatin, cleared=body * 0.6)


def lymphocyte(rng: Rng) -> Cell:
    """Paint a lymphocyte: small, round, dark, its chromatin in coarse blocks, a narrow halo."""
    radius = rng.uniform(8, 11)
    body = filled(outline(rng, (radius, radius * rng.uniform(0.85, 1)), 0.04))
    blocks = 1 + 0.22 * np.tanh(1.5 * smooth_noise(rng, _SHAPE, 2.2))
    halo = disc(rng, radius + 3) * rng.uniform(0.3, 0.7)
    return Cell(chromatin=body * rng.uniform(1.2, 2.0) * blocks, cleared=halo, erased=halo)


def pyknotic(rng: Rng) -> Cell:
    """Paint a dying cell: very dark, smooth and round, its cytoplasm shrunken and red, a halo."""
    radius = rng.uniform(5.5, 12.5)
    chromatin = filled(outline(rng, (radius, radius * rng.uniform(0.88, 1)), 0.02))
    return _dying(rng, chromatin, radius)


def apoptotic(rng: Rng) -> Cell:
    """Paint apoptotic bodies: several dark, smooth, round globules in a shrunken red cell."""
    turns = rng.uniform(0, 2 * np.pi) + np.arange(6) * rng.uniform(1.3, 2.2)
    globules = []
    for turn in turns[: rng.integers(2, 6)]:
        radius = rng.uniform(2.5, 6)
        at = rng.uniform(5.5, 9.5) * np.array([np.cos(turn), np.sin(turn)])
        globules.append(outline(rng, (radius, radius), 0.02, at))
    return _dying(rng, filled(*globules), 11.0)


def _dying(rng: Rng, chromatin: np.ndarray, radius_px: float) -> Cell:
    """Put shrunken cytoplasm and a halo around condensed chromatin."""
    cell_px = radius_px + rng.uniform(3, 7)
    body = disc(rng, cell_px)
    halo = disc(rng, cell_px + rng.uniform(1, 7), rng.uniform(3, 7))
    return Cell(
        chromatin=chromatin * rng.uniform(1.6, 2.5),
        cleared=halo * rng.uniform(0.2, 0.85),
        erased=halo,
        eosin=body * rng.uniform(0.15, 0.8),
    )


def spindle(rng: Rng) -> Cell:
    """Paint a fibroblast or endothelial nucleus: long, thin, dark, with smooth ends."""
    body = filled(outline(rng, (rng.uniform(16, 25), rng.uniform(4, 6.5)), 0.05))
    grain = 1 + 0.12 * smooth_noise(rng, _SHAPE, 2.0)
    return Cell(chromatin=body * rng.uniform(1.2, 2.0) * grain, cleared=body * 0.5)


def pale_spindle(rng: Rng) -> Cell:
    """Paint an ordinary nucleus of the stroma: long and thin, not dark."""
    body = filled(outline(rng, (rng.uniform(14, 24), rng.uniform(3.5, 6)), 0.06))
    grain = 1 + 0.25 * smooth_noise(rng, _SHAPE, 1.8)
    return Cell(chromatin=body * rng.uniform(0.45, 1.0) * grain, cleared=body * 0.5)


def smudge(rng: Rng) -> Cell:
    """Paint a dark nucleus out of focus or crushed."""
    body = filled(outline(rng, (rng.uniform(9, 16), rng.uniform(7, 12)), 0.16))
    soft = cv2.GaussianBlur(body, (0, 0), rng.uniform(2.5, 4.5))
    return Cell(chromatin=soft * rng.uniform(1.5, 2.3), cleared=soft * 0.4)


def speck(rng: Rng) -> Cell:
    """Paint grains of pigment or ink: brown or black, sharp."""
    grains = []
    for _ in range(rng.integers(1, 7)):
        axes = rng.uniform(1.2, 4.5, 2)
        grains.append(outline(rng, (axes[0], axes[1]), 0.2, rng.normal(0, 4.5, 2)))
    return Cell(pigment=filled(*grains) * rng.uniform(1.4, 2.4))


LOOK_ALIKES: dict[Callable[[Rng], Cell], float] = {
    hyperchromatic: 0.27,
    pyknotic: 0.18,
    apoptotic: 0.14,
    lymphocyte: 0.12,
    spindle: 0.13,
    smudge: 0.1,
    speck: 0.06,
}
"""The dark cells that are no mitoses, and how often each is drawn."""


def look_alike(rng: Rng) -> Cell:
    """Paint a dark cell that is no mitosis.

    Args:
        rng: Source of the draws.

    Returns:
        The cell.
    """
    return list(LOOK_ALIKES)[rng.choice(len(LOOK_ALIKES), p=list(LOOK_ALIKES.values()))](rng)
