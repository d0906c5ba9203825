"""A sheet of images as they are and as each method normalises them, to be judged at a glance."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.fits import Fit, StainFit

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
MIN_CELL_PX = 240
"""Width of a column, px, that its caption needs; smaller pictures get no narrower ones."""
GAP_PX = 10
LINE_PX = 20
FONT_PX = 14
PATCH_PX = (26, 14)
GROUND, FRAME, INK = (250, 250, 250), (170, 170, 170), (30, 30, 30)
WARNING = (190, 30, 20)


@dataclass(frozen=True)
class Caption:
    """A line of text, and the stains whose colours come before it."""

    text: str
    fit: Fit | None = None
    color: tuple[int, int, int] = INK


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
    heights = [max(picture.height for picture, _ in row) + 2 * LINE_PX + GAP_PX for row in rows]
    width = GAP_PX + (cell + GAP_PX) * (1 + len(normalizers))
    top = 2 * LINE_PX + 2 * GAP_PX
    sheet = Image.new("RGB", (width, top + sum(heights)), GROUND)
    columns = range(GAP_PX, width, cell + GAP_PX)
    heads = [[Caption("original")], *(_head(normalizer) for normalizer in normalizers)]
    for x, captions in zip(columns, heads, strict=True):
        _write(sheet, (x, GAP_PX), captions, cell)
    for row, height in zip(rows, heights, strict=True):
        for x, (picture, captions) in zip(columns, row, strict=True):
            sheet.paste(picture, (x, top))
            frame = (x - 1, top - 1, x + picture.width, top + picture.height)
            ImageDraw.Draw(sheet).rectangle(frame, outline=FRAME)
            _write(sheet, (x, top + picture.height + 3), captions, cell)
        top += height
    return sheet


def encode(sheet: Image.Image, suffix: str) -> bytes:
    """Give the bytes of an image file.

    Args:
        sheet: The picture.
        suffix: One of ``FORMATS``, as ``.png``.

    Returns:
        The bytes.
    """
    buffer = io.BytesIO()
    sheet.save(buffer, FORMATS[suffix.lower()])
    return buffer.getvalue()


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


def _row(
    path: Path, normalizers: Sequence[StainNormalizer], size: int
) -> list[tuple[Image.Image, list[Caption]]]:
    """Give the pictures of one image, and what is to be written below each."""
    rgb = decode_field(path)
    height, width = rgb.shape[:2]
    row = [(_shrink(rgb, size), [Caption(path.name), Caption(f"{width} x {height} px")])]
    for normalizer in normalizers:
        fit = normalizer.estimate(rgb)
        if fit is None:
            caption = Caption("too little tissue: as it was", None, WARNING)
            row.append((_shrink(rgb, size), [caption]))
            continue
        picture = _shrink(normalizer.normalize(rgb, fit), size)
        row.append((picture, [_describe(fit), Caption(f"{fit.n_tissue:,} pixels of tissue")]))
    return row


def _head(normalizer: StainNormalizer) -> list[Caption]:
    """Name a method, and describe its target."""
    target = _describe(normalizer.target)
    return [Caption(normalizer.method), Caption(f"target: {target.text}", target.fit)]


def _describe(fit: Fit) -> Caption:
    """Describe a fit in few words."""
    if isinstance(fit, StainFit):
        return Caption(f"H and E, {angle_deg(fit):.1f}° apart", fit)
    lightness, a, b = fit.mean_lab
    return Caption(f"mean L {lightness:.0f}, a {a:.0f}, b {b:.0f}")


def _shrink(rgb: np.ndarray, size: int) -> Image.Image:
    """Make an image fit into a square, if it is larger."""
    scale = size / max(rgb.shape[:2])
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in rgb.shape[1::-1])
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    return Image.fromarray(rgb)


def _write(
    sheet: Image.Image, xy: tuple[int, int], captions: Sequence[Caption], width: int
) -> None:
    """Write lines, cut to a width, behind the colours of their stains."""
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    left, y = xy
    for caption in captions:
        x = left
        for color in stain_colors(caption.fit) if isinstance(caption.fit, StainFit) else ():
            place = (x, y + 2, x + PATCH_PX[0] - 1, y + 1 + PATCH_PX[1])
            draw.rectangle(place, fill=color, outline=INK)
            x += PATCH_PX[0] + 4
        text = caption.text
        while text and draw.textlength(text, font) > left + width - x:
            text = f"{text[:-2]}…" if len(text) > 2 else ""
        draw.text((x, y), text, caption.color, font)
        y += LINE_PX
