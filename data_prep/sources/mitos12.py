"""The ICPR 2012 contest: all pixels of each mitosis, x first.

``ROOT/<slide>_v2/<slide>_<field>.{bmp,jpg,tif,png}`` with a CSV beside each image; a line is one
mitosis, ``x,y,x,y,…``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.images import image_size
from data_prep.records import Archive, Field, Mitosis
from data_prep.sources.labels import number_lines, outside

SCANNERS = {"A": ("Aperio ScanScope XT", 0.2456), "H": ("Hamamatsu NanoZoomer", 0.2275)}
SUFFIXES = {".bmp", ".jpg", ".jpeg", ".png", ".tif", ".tiff"}


def read(root: Path) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.

    Returns:
        The fields, one an image, and what was left out.

    Raises:
        FileNotFoundError: If there is no image of the layout.
        ValueError: If an image or a label cannot be read.
    """
    images = sorted(
        p for s in SCANNERS for p in root.glob(f"{s}*/{s}*") if p.suffix.lower() in SUFFIXES
    )
    if not images:
        raise FileNotFoundError(
            f"{root} has not the layout of MITOS12: looked for A00_v2/A00_01.jpg (or bmp, tif, "
            "png) with A00_01.csv beside it"
        )
    left_out: list[str] = []
    fields = []
    for image in tqdm(images, "images", unit="image"):
        if image.with_suffix(".csv").is_file():
            fields.append(_field(image, left_out))
        else:
            left_out.append(f"{image}: an image without its CSV is not labelled")
    known = {field.image_path.with_suffix(".csv") for field in fields}
    for label in sorted(p for s in SCANNERS for p in root.glob(f"{s}*/{s}*.csv")):
        if label not in known:
            left_out.append(f"{label}: labels without an image")
    return Archive("mitos12", root, tuple(fields), tuple(left_out))


def _field(image: Path, left_out: list[str]) -> Field:
    """Read one image's size and labels."""
    scanner, mpp = SCANNERS[image.name[0]]
    width, height = image_size(image)
    label = image.with_suffix(".csv")
    mitoses = []
    for line, values in number_lines(label):
        if len(values) % 2:
            raise ValueError(
                f"{label}, line {line}: {len(values)} values, expected pairs x,y,x,y,…"
            )
        pixels = np.array(values).reshape(-1, 2)
        beyond = [tuple(p) for p in pixels.tolist() if outside(p, width - 1, height - 1)]
        if beyond:
            left_out.append(
                f"{label}, line {line}: {len(beyond)} of {len(pixels)} pixels lie outside the "
                f"image ({width}×{height}), {beyond[0]} first"
            )
            pixels = np.array([p for p in pixels.tolist() if tuple(p) not in set(beyond)])
        if len(pixels):
            center = (pixels.mean(axis=0) + 0.5).round(2)
            mitoses.append(Mitosis((center[0].item(), center[1].item()), label, line, pixels))
    case = image.stem.split("_")[0]
    return Field(case, image.stem, image, width, height, mpp, scanner, tuple(mitoses))
