"""What sheets of pictures share: captions, a grid, and the file."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
GAP_PX = 10
LINE_PX = 20
FONT_PX = 14
PATCH_PX = (26, 14)
GROUND, FRAME, INK = (250, 250, 250), (170, 170, 170), (30, 30, 30)
WARNING = (190, 30, 20)
Color = tuple[int, int, int]


@dataclass(frozen=True)
class Caption:
    """A line of text, its colour, and colours that are shown in patches before it."""

    text: str
    color: Color = INK
    patches: tuple[Color, ...] = ()


@dataclass(frozen=True)
class Cell:
    """A picture with the lines below it."""

    picture: Image.Image
    captions: Sequence[Caption]


def contact_sheet(head: Caption, cells: Sequence[Cell], columns: int) -> Image.Image:
    """Draw pictures in rows, each as wide as the widest.

    Args:
        head: The line above all.
        cells: The pictures, at least one.
        columns: Most pictures in a row.

    Returns:
        The sheet.
    """
    columns = min(columns, len(cells))
    width = max(cell.picture.width for cell in cells)
    n_lines = max(len(cell.captions) for cell in cells)
    height = max(cell.picture.height for cell in cells) + n_lines * LINE_PX + GAP_PX
    rows = math.ceil(len(cells) / columns)
    top = LINE_PX + 2 * GAP_PX
    size = (GAP_PX + columns * (width + GAP_PX), top + rows * height)
    sheet = Image.new("RGB", size, GROUND)
    write(sheet, (GAP_PX, GAP_PX), [head], size[0] - 2 * GAP_PX)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        place = (GAP_PX + column * (width + GAP_PX), top + row * height)
        place_picture(sheet, place, cell, width)
    return sheet


def place_picture(sheet: Image.Image, xy: tuple[int, int], cell: Cell, width: int) -> None:
    """Put a picture onto a sheet, in a thin frame, with its lines below.

    Args:
        sheet: The sheet; changed in place.
        xy: Upper left corner of the picture, px.
        cell: The picture and its lines.
        width: Most that a line is wide, px.
    """
    x, y = xy
    right, bottom = x + cell.picture.width, y + cell.picture.height
    sheet.paste(cell.picture, xy)
    ImageDraw.Draw(sheet).rectangle((x - 1, y - 1, right, bottom), outline=FRAME)
    write(sheet, (x, bottom + 3), cell.captions, width)


def write(sheet: Image.Image, xy: tuple[int, int], captions: Sequence[Caption], width: int) -> None:
    """Write lines, cut to a width, behind their patches.

    Args:
        sheet: The sheet; changed in place.
        xy: Where they begin, px.
        captions: The lines.
        width: Most that one is wide, px.
    """
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(FONT_PX)
    left, y = xy
    for caption in captions:
        x = left
        for color in caption.patches:
            place = (x, y + 2, x + PATCH_PX[0] - 1, y + 1 + PATCH_PX[1])
            draw.rectangle(place, fill=color, outline=INK)
            x += PATCH_PX[0] + 4
        text = caption.text
        while text and draw.textlength(text, font) > left + width - x:
            text = f"{text[:-2]}…" if len(text) > 2 else ""
        draw.text((x, y), text, caption.color, font)
        y += LINE_PX


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
