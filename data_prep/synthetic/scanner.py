"""How a laboratory stains and a scanner shows what a field holds (Beer-Lambert)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.synthetic.cells import Layers
from data_prep.synthetic.shapes import Rng, smooth_noise


@dataclass(frozen=True)
class Scanner:
    """A scanner and the laboratory before it.

    Attributes:
        name: As it is printed.
        hematoxylin: Optical density of red, green and blue for a unit of hematoxylin.
        eosin: The same for eosin.
        light: Red, green and blue of bare glass.
        blur_px: Deviation of its point spread, px.
        noise: Deviation of its noise, grey levels.
    """

    name: str
    hematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    light: tuple[float, float, float]
    blur_px: float
    noise: float


APERIO = Scanner("Aperio", (0.53, 0.74, 0.42), (0.13, 0.86, 0.49), (247, 245, 246), 0.8, 2.0)
LEICA = Scanner("Leica", (0.69, 0.68, 0.26), (0.22, 0.93, 0.30), (240, 239, 243), 0.95, 2.6)
PIGMENT = (0.45, 0.58, 0.68)


@dataclass(frozen=True)
class Staining:
    """What all fields of a case share: stains (3, 3) by row, and their strengths (3,)."""

    stains: np.ndarray
    strengths: np.ndarray


def draw_staining(rng: Rng, scanner: Scanner) -> Staining:
    """Draw how a case was stained.

    Args:
        rng: Source of the case's draws.
        scanner: Its scanner.

    Returns:
        The staining.
    """
    stains = np.array([scanner.hematoxylin, scanner.eosin, PIGMENT])
    stains[:2] += rng.normal(0, 0.02, (2, 3))
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    return Staining(stains, np.array([*rng.uniform((1.0, 0.85), (1.3, 1.2)), 1.0]))


def scan(rng: Rng, layers: Layers, scanner: Scanner, staining: Staining) -> np.ndarray:
    """Turn colouring matter into a picture, with blur, uneven light and noise.

    Args:
        rng: Source of the draws.
        layers: What the field holds.
        scanner: The scanner.
        staining: Of the case.

    Returns:
        RGB, (H, W, 3) uint8.
    """
    amounts = np.stack([layers.hematoxylin, layers.eosin, layers.pigment], axis=-1)
    optics = (staining.stains * staining.strengths[:, None]).astype(np.float32)
    shading = 1 + 0.01 * smooth_noise(rng, layers.eosin.shape, 200)
    image = np.exp(-(amounts @ optics)) * np.float32(scanner.light) * shading[..., None]
    image = cv2.GaussianBlur(image, (0, 0), scanner.blur_px * rng.uniform(0.9, 1.15))
    image += scanner.noise * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
