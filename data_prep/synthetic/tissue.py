"""What lies between the nuclei: cytoplasm of nests, fibres of the stroma, glass."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import cKDTree

from data_prep.synthetic.cells import Layers
from data_prep.synthetic.placing import Regions
from data_prep.synthetic.shapes import Rng, smooth_noise


def paint_ground(rng: Rng, regions: Regions, epithelial_xy: np.ndarray) -> Layers:
    """Paint a field without its nuclei.

    Args:
        rng: Source of the draws.
        regions: Of the field.
        epithelial_xy: Centres of the nests' cells, px: each has cytoplasm of its own, (N, 2).

    Returns:
        The layers.
    """
    shape = regions.nest.shape
    stroma = _stroma(rng, shape)
    nest = _cytoplasm(rng, shape, epithelial_xy)
    eosin = nest * regions.nest + stroma * (1 - regions.nest)
    eosin = np.clip(eosin, 0.04, None) * (1 - 0.97 * regions.hole)
    basophilia = 0.05 + 0.09 * regions.nest * np.clip(1 + 0.5 * smooth_noise(rng, shape, 12), 0, 2)
    hematoxylin = basophilia * (1 - regions.hole)
    return Layers(
        hematoxylin.astype(np.float32), eosin.astype(np.float32), np.zeros(shape, np.float32)
    )


def _cytoplasm(rng: Rng, shape: tuple[int, int], centers_xy: np.ndarray) -> np.ndarray:
    """Paint the nests: each cell more or less eosinophilic and foamy, thin borders between them."""
    tone, border = _cells(rng, shape, centers_xy)
    # A web of thin strands with clear vacuoles between, as foamy cytoplasm has it.
    wide, narrow = (np.exp(-((smooth_noise(rng, shape, s) / 0.5) ** 2)) for s in (4.0, 1.8))
    web = 0.6 * wide + 0.5 * narrow
    foam = np.clip(0.42 + 0.3 * smooth_noise(rng, shape, 28), 0.1, 0.9)
    grain = 1 + 0.14 * smooth_noise(rng, shape, 1.3)
    return (tone * (1 - foam * (1 - web)) + 0.22 * border) * grain


def _cells(
    rng: Rng, shape: tuple[int, int], centers_xy: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a field among its cells: each pixel's tone, and how near to a border it lies."""
    if len(centers_xy) < 2:
        return np.full(shape, 0.6, np.float32), np.zeros(shape, np.float32)
    half = tuple((side + 1) // 2 for side in shape)
    rows, cols = np.indices(half, dtype=np.float32) * 2
    cols += 6 * smooth_noise(rng, half, 8)
    rows += 6 * smooth_noise(rng, half, 8)
    pixels = np.stack([cols.ravel(), rows.ravel()], axis=1)
    distances, owners = cKDTree(centers_xy).query(pixels, k=2)
    tones = np.clip(rng.normal(0.78, 0.2, len(centers_xy)), 0.4, 1.4)
    near = np.exp(-(((distances[:, 1] - distances[:, 0]) / 3.0) ** 2))
    tone = cv2.GaussianBlur(tones[owners[:, 0]].reshape(half).astype(np.float32), (0, 0), 1.5)
    return tuple(
        cv2.resize(layer, shape[::-1], interpolation=cv2.INTER_LINEAR)
        for layer in (tone, near.reshape(half).astype(np.float32))
    )


def _stroma(rng: Rng, shape: tuple[int, int]) -> np.ndarray:
    """Paint wavy bundles of fibres: noise drawn out in one direction, then bent."""
    height, width = shape
    side = int(np.hypot(height, width)) + 160
    coarse = 8  # along the fibres nothing is finer
    noise = rng.standard_normal((side, side // coarse), dtype=np.float32)
    strands = cv2.GaussianBlur(noise, (0, 0), 3.5, sigmaY=1.5)
    bundles = cv2.GaussianBlur(noise, (0, 0), 5.0, sigmaY=6.0)
    fibres = strands / strands.std() + 0.9 * bundles / bundles.std()
    angle = rng.uniform(0, np.pi)
    rows, cols = np.indices(shape, dtype=np.float32)
    rows, cols = rows - height / 2, cols - width / 2
    bend = 26 * smooth_noise(rng, shape, 90)
    along = (np.cos(angle) * cols + np.sin(angle) * rows + side / 2) / coarse
    across = np.cos(angle) * rows - np.sin(angle) * cols + bend + side / 2
    fibres = cv2.remap(
        fibres,
        along.astype(np.float32),
        across.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    density = 0.7 + 0.16 * smooth_noise(rng, shape, 60)
    return density + 0.15 * fibres + 0.07 * smooth_noise(rng, shape, 1.5)
