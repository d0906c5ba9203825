"""Polygons for mitoses: synthetic ones from a centroid, real ones from pixels."""

from __future__ import annotations

import hashlib

import numpy as np
import shapely

REFERENCE_MPP = 0.25
CIRCLE_RADIUS_UM = (10 * REFERENCE_MPP, 16 * REFERENCE_MPP)
ELLIPSE_AXIS_UM = (5 * REFERENCE_MPP, 13 * REFERENCE_MPP)
ELLIPSE_ANGLES_DEG = (60, 90)
SHAPES = ("circle", "ellipse", "mixed")
N_VERTICES = 32


def synthetic_polygon(
    centroid_xy: tuple[float, float], mpp: float, key: str, shape: str = "mixed", seed: int = 0
) -> tuple[str, np.ndarray]:
    """Draw a circle or an ellipse around a centroid, the same one for the same key.

    Source: Sohail et al., arXiv 2003.08803: circles of radius 10 to 16 px; ellipses with both
    semi-axes from 5 to 13 px at 60° or 90°; px at 0.25 µm/px.

    Args:
        centroid_xy: Centroid, px of the field.
        mpp: Size of a pixel, µm.
        key: What names the object's field; with centroid and seed it decides the draw.
        shape: ``circle``, ``ellipse``, or ``mixed`` (either, at random).
        seed: Seed of the data set.

    Returns:
        The kind that was drawn, and its (32, 2) vertices, px of the field.

    Raises:
        ValueError: If the shape is unknown or ``mpp`` is not positive.
    """
    if shape not in SHAPES:
        raise ValueError(f"unknown shape {shape!r}; choose one of {', '.join(SHAPES)}")
    if not mpp > 0:
        raise ValueError(f"mpp must be positive, got {mpp}")
    x, y = (float(v) for v in centroid_xy)
    digest = hashlib.sha256(f"{seed}|{key}|{x:.3f}|{y:.3f}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    kind = shape if shape != "mixed" else ("circle", "ellipse")[rng.integers(2)]
    if kind == "circle":
        axes_um, angle_deg = np.repeat(rng.uniform(*CIRCLE_RADIUS_UM), 2), 0
    else:
        axes_um = rng.uniform(*ELLIPSE_AXIS_UM, size=2)
        angle_deg = ELLIPSE_ANGLES_DEG[rng.integers(len(ELLIPSE_ANGLES_DEG))]
    turns = np.linspace(0, 2 * np.pi, N_VERTICES, endpoint=False)
    outline = np.stack([np.cos(turns), np.sin(turns)], axis=1) * (axes_um / mpp)
    angle = np.deg2rad(angle_deg)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return kind, outline @ rotation.T + (x, y)


def pixel_polygons(pixels_xy: np.ndarray) -> list[np.ndarray]:
    """Outline a set of pixels; the pixel (x, y) covers x to x + 1 and y to y + 1.

    Args:
        pixels_xy: (N, 2) integers, px of the field.

    Returns:
        One (M, 2) outline a connected part (pixels that share a side), without holes, the largest
        part first.

    Raises:
        ValueError: If there is no pixel.
    """
    pixels = np.asarray(pixels_xy, dtype=np.int64).reshape(-1, 2)
    if not len(pixels):
        raise ValueError("an object needs at least one pixel")
    runs = _row_runs(pixels)
    union = shapely.union_all(shapely.box(runs[:, 0], runs[:, 2], runs[:, 1], runs[:, 2] + 1))
    parts = sorted(shapely.get_parts(union), key=lambda part: -part.area)
    return [np.asarray(part.exterior.simplify(0).coords)[:-1] for part in parts]


def _row_runs(pixels: np.ndarray) -> np.ndarray:
    """Join pixels into runs of a row: (R, 3) of start, end (exclusive) and y."""
    pixels = pixels[np.lexsort((pixels[:, 0], pixels[:, 1]))]
    step = np.diff(pixels, axis=0)
    # A pixel that is listed twice, a step of 0, breaks no run.
    breaks = np.flatnonzero((step[:, 1] != 0) | (step[:, 0] > 1)) + 1
    starts = np.concatenate([[0], breaks])
    ends = np.concatenate([breaks, [len(pixels)]]) - 1
    return np.stack([pixels[starts, 0], pixels[ends, 0] + 1, pixels[starts, 1]], axis=1)


def clip_to_field(polygons: list[np.ndarray], width: int, height: int) -> list[list[float]]:
    """Cut an object's polygons to its field.

    Args:
        polygons: (M, 2) outlines, px of the field.
        width: Width of the field, px.
        height: Height of the field, px.

    Returns:
        Flat COCO polygons, rounded to 0.01 px; empty if nothing lies inside.
    """
    flat = []
    for outline in polygons:
        clipped = shapely.clip_by_rect(shapely.Polygon(outline), 0, 0, width, height)
        for part in shapely.get_parts(clipped):
            if isinstance(part, shapely.Polygon) and part.area > 0:
                flat.append(np.round(np.asarray(part.exterior.coords)[:-1], 2).ravel().tolist())
    return flat
