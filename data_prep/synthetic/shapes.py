"""What all painting draws with: noise, soft outlines and rods on a small patch."""

from __future__ import annotations

import cv2
import numpy as np

PATCH_PX = 112
"""Side of the patch that one cell is painted on, px; the cell lies around its centre."""
FINE = 4
"""Outlines are drawn so many times finer and then averaged: soft edges."""

Rng = np.random.Generator


def smooth_noise(rng: Rng, shape: tuple[int, int], sigma_px: float) -> np.ndarray:
    """Draw noise of one scale.

    Args:
        rng: Source of the draw.
        shape: Height and width, px.
        sigma_px: Scale, px.

    Returns:
        Float32 of that shape, mean 0 and deviation 1.
    """
    step = max(1, int(sigma_px / 2))
    coarse = (shape[0] // step + 3, shape[1] // step + 3)
    small = rng.standard_normal(coarse, dtype=np.float32)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / step)
    noise = cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return (noise - noise.mean()) / (noise.std() + 1e-6)


def outline(
    rng: Rng,
    axes_px: tuple[float, float],
    roughness: float,
    center_px: tuple[float, float] | np.ndarray = (0.0, 0.0),
) -> np.ndarray:
    """Draw the outline of a nucleus: an ellipse at a random angle, bent by slow waves.

    Args:
        rng: Source of the draws.
        axes_px: Semi-axes, px.
        roughness: Size of the waves, relative to the radius; 0.02 is smooth, 0.15 lobed.
        center_px: Where it lies, px from the patch's centre, x first.

    Returns:
        (90, 2) points, px from the patch's centre, x first.
    """
    turns = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = np.ones_like(turns)
    for wave in range(2, 6):
        radius += rng.normal(0, roughness / wave) * np.cos(wave * turns + rng.uniform(0, 7))
    points = np.stack([axes_px[0] * np.cos(turns), axes_px[1] * np.sin(turns)], axis=1)
    return rotate(points * radius[:, None], rng.uniform(0, np.pi)) + center_px


def rotate(points_xy: np.ndarray, angle_rad: float) -> np.ndarray:
    """Turn points around the origin.

    Args:
        points_xy: (N, 2).
        angle_rad: Angle, from x towards y.

    Returns:
        (N, 2).
    """
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return points_xy @ np.array([[cos, sin], [-sin, cos]])


def filled(*outlines: np.ndarray) -> np.ndarray:
    """Fill outlines.

    Args:
        outlines: (N, 2) points each, px from the patch's centre, x first.

    Returns:
        (112, 112) float32, 0 outside to 1 inside, with soft edges.
    """
    fine = np.zeros((PATCH_PX * FINE, PATCH_PX * FINE), np.uint8)
    for points in outlines:
        cv2.fillPoly(fine, [np.rint((points + PATCH_PX / 2) * FINE).astype(np.int32)], 255)
    return _averaged(fine.astype(np.float32) / 255)


def ragged(rng: Rng, centers_xy: np.ndarray, angles: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Fuse chromosome arms, short thick rods, into a clump with a ragged border.

    Args:
        rng: Source of the draws.
        centers_xy: Middles of the rods, px from the patch's centre, (N, 2).
        angles: Their directions, radians, (N,).
        lengths: Their lengths, px, (N,).

    Returns:
        (112, 112) float32, 0 to 1.
    """
    fine = np.zeros((PATCH_PX * FINE, PATCH_PX * FINE), np.uint8)
    half = np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths[:, None] / 2
    ends = np.stack([centers_xy - half, centers_xy + half], axis=1)
    ends = np.rint((ends + PATCH_PX / 2) * FINE).astype(int).tolist()
    widths = rng.uniform(2.2, 3.6, len(ends)) * FINE
    for (start, end), width in zip(ends, widths.astype(int).tolist(), strict=True):
        cv2.line(fine, start, end, 255, width)
    fused = cv2.GaussianBlur(fine.astype(np.float32) / 255, (0, 0), 0.6 * FINE)
    fused += 0.16 * smooth_noise(rng, fine.shape, 0.7 * FINE) * (fused > 0.02)
    return _averaged(np.clip((fused - 0.45) * 4 + 0.5, 0, 1))


def disc(rng: Rng, radius_px: float, soft_px: float = 3.0) -> np.ndarray:
    """Paint a disc, somewhat irregular, as a cell's body is.

    Args:
        rng: Source of the draws.
        radius_px: Radius, px.
        soft_px: Width of its edge, px.

    Returns:
        (112, 112) float32, 0 outside to 1 inside.
    """
    rows, cols = np.indices((PATCH_PX, PATCH_PX), dtype=np.float32) - (PATCH_PX - 1) / 2
    distance = np.hypot(rows, cols) * (1 + 0.07 * smooth_noise(rng, (PATCH_PX, PATCH_PX), 14))
    return np.clip((radius_px - distance) / soft_px + 0.5, 0, 1)


def _averaged(fine: np.ndarray) -> np.ndarray:
    """Bring a finely drawn patch to its size."""
    return cv2.resize(fine, (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA)
