"""The ICPR 2012 contest: all pixels of each mitosis, x first.

``ROOT/<slide>_v2/<slide>_<field>.{bmp,jpg,tif,png}`` with a CSV beside each image; a line is one
mitosis, ``x,y,x,y,…``.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.images import SUFFIXES, image_size, only_images, visible
from data_prep.records import Archive, Cell, Field
from data_prep.sources.labels import Remarks, number_lines, outside

HELP = "the ICPR 2012 contest: slides of two scanners, all pixels of each mitosis with x first"
DEFAULT_SPLIT = "mitos12"
DEFAULT_SHAPE = "contour"
OPTIONS: tuple[str, ...] = ()

SCANNERS = {"A": ("Aperio ScanScope XT", 0.2456), "H": ("Hamamatsu NanoZoomer", 0.2275)}
"""Scanner and µm a pixel, by the first letter of a slide; the same in MITOS-ATYPIA-14."""


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
    remarks = Remarks(row_first=False)
    found = only_images(p for s in SCANNERS for p in root.glob(f"{s}*/{s}*"))
    if not found:
        raise FileNotFoundError(
            f"{root} has not the layout of MITOS12: looked for A00_v2/A00_01.jpg (or bmp, tif, "
            "png) with A00_01.csv beside it"
        )
    images = one_image_each(found, remarks.notes)
    labels = _labels(root)
    labelled = {}
    for name, image in sorted(images.items()):
        label = labels.pop(image.with_suffix(""), None)
        if label is not None:
            labelled[name] = image, label
        else:
            remarks.left_out.append(f"{image}: an image without its CSV is not labelled")
    with tqdm(labelled.items(), "images", unit="image") as items:
        fields = [_field(name, *files, remarks) for name, files in items]
    strays = [f"{label}: labels without an image" for label in sorted(labels.values())]
    notes = [
        *remarks.notes,
        *remarks.swap_notes(),
        *same_tissue_notes({field.case for field in fields}),
    ]
    return Archive("mitos12", root, tuple(fields), (*remarks.left_out, *strays), tuple(notes))


def one_image_each(paths: Iterable[Path], notes: list[str]) -> dict[str, Path]:
    """Choose one image for each field, a lossless one before a JPEG.

    Args:
        paths: The images; the name of one without its suffix is that of its field.
        notes: Gets a sentence for each image that is not chosen.

    Returns:
        The images, by the name of the field.

    Raises:
        ValueError: If a field has images in two folders.
    """
    images: dict[str, Path] = {}
    for path in sorted(paths, key=lambda p: SUFFIXES.index(p.suffix.lower())):
        first = images.setdefault(path.stem, path)
        if first.parent != path.parent:
            raise ValueError(f"field {path.stem} is there twice: {first} and {path}")
        if first != path:
            notes.append(f"{path}: {first.name} of the same field is read instead")
    return images


def same_tissue_notes(cases: Iterable[str]) -> list[str]:
    """Say which slides are there from both scanners: no split may part them.

    Args:
        cases: Names of slides, as A00 and H00.

    Returns:
        One sentence, or none.
    """
    numbers = [{case[1:] for case in cases if case[0] == letter} for letter in SCANNERS]
    both = sorted(set.intersection(*numbers))
    if not both:
        return []
    pairs = ", ".join(f"A{number} and H{number}" for number in both)
    return [f"{pairs} are the same tissue on two scanners: keep such slides in one split"]


def _labels(root: Path) -> dict[Path, Path]:
    """Find the label files, by their path without the suffix."""
    labels: dict[Path, Path] = {}
    found = (p for s in SCANNERS for p in root.glob(f"{s}*/{s}*"))
    for path in visible(p for p in found if p.suffix.lower() == ".csv"):
        key = path.with_suffix("")
        if labels.setdefault(key, path) != path:
            raise ValueError(f"labels of {path.stem} are there twice: {labels[key]} and {path}")
    return labels


def _field(name: str, image: Path, label: Path, remarks: Remarks) -> Field:
    """Read one image's size and labels."""
    scanner, mpp = SCANNERS[name[0]]
    width, height = image_size(image)
    objects = _objects(label)
    pixels = [xy for pixels in objects.values() for xy in pixels]
    swapped = remarks.fits_swapped(pixels, width - 1, height - 1)
    mitoses: dict[bytes, Cell] = {}
    for line, pixels in objects.items():
        inside = [xy for xy in pixels if not outside(xy, width - 1, height - 1)]
        if len(inside) < len(pixels):
            remarks.left_out.append(
                f"{label}, line {line}: {_describe_outside(pixels, width, height, swapped)}"
                + ("" if inside else ": the mitosis is left out")
            )
        if not inside:
            continue
        mitosis = _mitosis(np.array(inside), label, line)
        first = mitoses.setdefault(mitosis.pixels_xy.tobytes(), mitosis)
        if first is not mitosis:
            remarks.left_out.append(
                f"{label}, line {line}: its pixels repeat those of line {first.line}, which counts"
            )
    case = name.split("_")[0]
    return Field(case, name, image, width, height, mpp, scanner, tuple(mitoses.values()))


def _objects(label: Path) -> dict[int, list[tuple[int, int]]]:
    """Read the pixels of each line, x first."""
    objects = {}
    for line, values in number_lines(label, "x,y,x,y,… in whole pixels"):
        if len(values) % 2:
            raise ValueError(
                f"{label}, line {line}: {len(values)} values, the last of them {values[-1]}; "
                "expected pairs x,y,x,y,…"
            )
        objects[line] = list(zip(values[::2], values[1::2], strict=True))
    return objects


def _describe_outside(pixels: list[tuple[int, int]], width: int, height: int, swapped: bool) -> str:
    """Say how many pixels of a mitosis lie outside, and if the file looks so, that x and y are
    swapped."""
    beyond = [xy for xy in pixels if outside(xy, width - 1, height - 1)]
    if swapped:
        n_swapped = sum(outside(xy[::-1], width - 1, height - 1) for xy in pixels)
        hint = f", {n_swapped} of them if x and y were swapped"
    else:
        hint = ""
    return (
        f"{len(beyond)} of {len(pixels)} pixels lie outside the image ({width} x {height} px)"
        f"{hint}, x {beyond[0][0]}, y {beyond[0][1]} the first"
    )


def _mitosis(pixels_xy: np.ndarray, label: Path, line: int) -> Cell:
    """Make a mitosis of its pixels; the centre of pixel (x, y) is (x + 0.5, y + 0.5)."""
    pixels_xy = np.unique(pixels_xy, axis=0)
    x, y = (pixels_xy.mean(axis=0) + 0.5).round(2).tolist()
    return Cell((x, y), label, line, pixels_xy)
