"""The ICPR 2012 contest: all pixels of each mitosis, x first.

``ROOT/<slide>_v2/<slide>_<field>.{bmp,jpg,tif,png}`` with a CSV beside each image; a line is one
mitosis, ``x,y,x,y,…``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.images import SUFFIXES, image_size, only_images
from data_prep.records import Archive, Cell, Field
from data_prep.sources.labels import number_lines, outside

SCANNERS = {"A": ("Aperio ScanScope XT", 0.2456), "H": ("Hamamatsu NanoZoomer", 0.2275)}


def read(root: Path) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.

    Returns:
        The fields, one an image that has a CSV, sorted by name, and what was left out. Of a field
        with several images the lossless one counts.

    Raises:
        FileNotFoundError: If there is no image of the layout.
        ValueError: If an image or a label cannot be read, or a field is there twice.
    """
    notes: list[str] = []
    images = _images(root, notes)
    left_out: list[str] = []
    labelled = {}
    for name, image in sorted(images.items()):
        if image.with_suffix(".csv").is_file():
            labelled[name] = image
        else:
            left_out.append(f"{image}: an image without its CSV is not labelled")
    with tqdm(labelled.items(), "images", unit="image") as items:
        fields = [_field(name, image, left_out) for name, image in items]
    known = {image.with_suffix(".csv") for image in images.values()}
    for label in sorted(p for s in SCANNERS for p in root.glob(f"{s}*/{s}*.csv")):
        if label not in known:
            left_out.append(f"{label}: labels without an image")
    return Archive("mitos12", root, tuple(fields), tuple(left_out), tuple(notes))


def _images(root: Path, notes: list[str]) -> dict[str, Path]:
    """Find the images, one for each field, by its name."""
    found = only_images(p for s in SCANNERS for p in root.glob(f"{s}*/{s}*"))
    if not found:
        raise FileNotFoundError(
            f"{root} has not the layout of MITOS12: looked for A00_v2/A00_01.jpg (or bmp, tif, "
            "png) with A00_01.csv beside it"
        )
    images: dict[str, Path] = {}
    for path in sorted(found, key=lambda p: SUFFIXES.index(p.suffix.lower())):
        first = images.setdefault(path.stem, path)
        if first.parent != path.parent:
            raise ValueError(f"field {path.stem} is there twice: {first} and {path}")
        if first != path:
            notes.append(f"{path}: {first.name} of the same field is read instead")
    return images


def _field(name: str, image: Path, left_out: list[str]) -> Field:
    """Read one image's size and labels."""
    scanner, mpp = SCANNERS[name[0]]
    width, height = image_size(image)
    label = image.with_suffix(".csv")
    mitoses = []
    for line, values in number_lines(label, "x,y,x,y,… in whole pixels"):
        if len(values) % 2:
            raise ValueError(
                f"{label}, line {line}: {len(values)} values, the last of them {values[-1]}; "
                "expected pairs x,y,x,y,…"
            )
        pixels = list(zip(values[::2], values[1::2], strict=True))
        inside = [xy for xy in pixels if not outside(xy, width - 1, height - 1)]
        if len(inside) < len(pixels):
            first = next(xy for xy in pixels if outside(xy, width - 1, height - 1))
            left_out.append(
                f"{label}, line {line}: {len(pixels) - len(inside)} of {len(pixels)} pixels lie "
                f"outside the image ({width} x {height} px), x {first[0]}, y {first[1]} the first"
                + ("" if inside else ": the mitosis is left out")
            )
        if inside:
            mitoses.append(_mitosis(np.array(inside), label, line))
    case = name.split("_")[0]
    return Field(case, name, image, width, height, mpp, scanner, tuple(mitoses))


def _mitosis(pixels_xy: np.ndarray, label: Path, line: int) -> Cell:
    """Make a mitosis of its pixels; the centre of pixel (x, y) is (x + 0.5, y + 0.5)."""
    pixels_xy = np.unique(pixels_xy, axis=0)
    x, y = (pixels_xy.mean(axis=0) + 0.5).round(2).tolist()
    return Cell((x, y), label, line, pixels_xy)
