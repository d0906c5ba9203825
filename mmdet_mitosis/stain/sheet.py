"""A sheet of images as they are and as each method normalises them, to be judged at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.sheets import (
    GAP_PX,
    GROUND,
    LINE_PX,
    WARNING,
    Caption,
    Cell,
    place_picture,
    write,
)
from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.fits import Fit, StainFit

MIN_CELL_PX = 240
"""Width of a column, px, that its caption needs; smaller pictures get no narrower ones."""


def stain_sheet(
    paths: Sequence[Path], normalizers: Sequence[StainNormalizer], size: int
) -> Image.Image:
    """Draw a row for each image: the image, and what each normaliser makes of it.

    Above a column stand the method and its target's stains, below a picture the stains that were
    found in the image, hematoxylin before eosin, and the angle between them. Everything is
    estimated on the whole image, and a large one is made smaller only when it is shown.

    Args:
        paths: The image files, at least one.
        normalizers: With their targets.
        size: Most that a picture is wide or high, px.

    Returns:
        The sheet.

    Raises:
        FileNotFoundError: If an image is not there.
        ValueError: If one cannot be read.
    """
    rows = [_row(path, normalizers, size) for path in paths]
    cell = max(size, MIN_CELL_PX)
    heights = [max(one.picture.height for one in row) + 2 * LINE_PX + GAP_PX for row in rows]
    width = GAP_PX + (cell + GAP_PX) * (1 + len(normalizers))
    top = 2 * LINE_PX + 2 * GAP_PX
    sheet = Image.new("RGB", (width, top + sum(heights)), GROUND)
    columns = range(GAP_PX, width, cell + GAP_PX)
    heads = [[Caption("original")], *(_head(normalizer) for normalizer in normalizers)]
    for x, captions in zip(columns, heads, strict=True):
        write(sheet, (x, GAP_PX), captions, cell)
    for row, height in zip(rows, heights, strict=True):
        for x, one in zip(columns, row, strict=True):
            place_picture(sheet, (x, top), one, cell)
        top += height
    return sheet


def angle_deg(fit: StainFit) -> float:
    """Give the angle between two stains.

    Args:
        fit: The stains.

    Returns:
        Degrees.
    """
    first, second = (fit.stain_matrix / np.linalg.norm(fit.stain_matrix, axis=0)).T
    return float(np.degrees(np.arccos(np.clip(first @ second, -1, 1))))


def stain_colors(fit: StainFit) -> list[tuple[int, ...]]:
    """Give the colour of each stain where it is of optical density 1.

    Args:
        fit: The stains.

    Returns:
        R, G and B of hematoxylin and of eosin, 0 to 255.
    """
    units = fit.stain_matrix / np.linalg.norm(fit.stain_matrix, axis=0)
    colors = np.clip(np.round(255 * np.exp(-units.T)), 0, 255).astype(int)
    return [tuple(color) for color in colors.tolist()]


def _row(path: Path, normalizers: Sequence[StainNormalizer], size: int) -> list[Cell]:
    """Give the pictures of one image, and what is to be written below each."""
    rgb = decode_field(path)
    height, width = rgb.shape[:2]
    row = [Cell(_shrink(rgb, size), [Caption(path.name), Caption(f"{width} x {height} px")])]
    for normalizer in normalizers:
        fit = normalizer.estimate(rgb)
        if fit is None:
            caption = Caption("too little tissue: as it was", WARNING)
            row.append(Cell(_shrink(rgb, size), [caption]))
            continue
        picture = _shrink(normalizer.normalize(rgb, fit), size)
        row.append(Cell(picture, [_describe(fit), Caption(f"{fit.n_tissue:,} pixels of tissue")]))
    return row


def _head(normalizer: StainNormalizer) -> list[Caption]:
    """Name a method, and describe its target."""
    target = _describe(normalizer.target)
    return [Caption(normalizer.method), Caption(f"target: {target.text}", patches=target.patches)]


def _describe(fit: Fit) -> Caption:
    """Describe a fit in few words."""
    if isinstance(fit, StainFit):
        text = f"H and E, {angle_deg(fit):.1f}° apart"
        return Caption(text, patches=tuple(stain_colors(fit)))
    lightness, a, b = fit.mean_lab
    return Caption(f"mean L {lightness:.0f}, a {a:.0f}, b {b:.0f}")


def _shrink(rgb: np.ndarray, size: int) -> Image.Image:
    """Make an image fit into a square, if it is larger."""
    scale = size / max(rgb.shape[:2])
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in rgb.shape[1::-1])
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return Image.fromarray(rgb)
