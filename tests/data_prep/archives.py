"""Tiny archives that the tests of data preparation make, and where the real one is."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

REAL_DATA = Path(os.environ.get("MITOSIS_REAL_DATA", ""))
needs_real_data = pytest.mark.skipif(
    not os.environ.get("MITOSIS_REAL_DATA"), reason="MITOSIS_REAL_DATA is not set"
)

SIDE = 100
CASES = {"01": 1, "04": 1, "27": 2}
"""One case of each of the paper's splits, with its part of the archive."""


def write_image(path: Path, width: int = SIDE, height: int = SIDE) -> Path:
    """Write a white image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), 255, np.uint8)
    if path.suffix.lower() in {".tif", ".tiff"}:
        tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib")
    else:
        Image.fromarray(pixels).save(path)
    return path


def write_label(path: Path, text: str | bytes) -> Path:
    """Write a label file as it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def make_tupac16(root: Path, labels: dict[str, str] | None = None) -> Path:
    """Make an archive in TUPAC16's layout: an image 01 for each of three cases, and one without
    mitoses, 01/02."""
    for case, part in CASES.items():
        write_image(root / f"mitoses_image_data_part_{part}" / case / "01.tif", SIDE, SIDE + 20)
    write_image(root / "mitoses_image_data_part_1" / "01" / "02.tif")
    default = {"01/01": "110,40\n", "04/01": "30,70\n20,20\n", "27/01": "50,60\n"}
    for name, text in (default if labels is None else labels).items():
        write_label(root / "mitoses_ground_truth" / f"{name}.csv", text)
    return root


def square(x: int, y: int, side: int = 6) -> str:
    """Write a square of pixels as MITOS12 does: x,y,x,y,…"""
    return ",".join(f"{x + i},{y + j}" for j in range(side) for i in range(side))


def make_mitos12(root: Path, labels: dict[str, str] | None = None) -> Path:
    """Make an archive in MITOS12's layout: a field for each of four slides."""
    default = {name: square(10, 60) + "\n" for name in ("A00_01", "A01_00", "A02_02", "A03_02")}
    for name, text in (default if labels is None else labels).items():
        folder = root / f"{name[:3]}_v2"
        write_image(folder / f"{name}.png", SIDE, SIDE + 20)
        write_label(folder / f"{name}.csv", text)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder, by their relative path; links are not followed."""
    found: dict[str, bytes] = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = str(path.readlink()).encode()
            elif path.is_file():
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def centroids(fields: Sequence) -> dict[str, list[tuple[float, float]]]:
    """Give the centroids of fields by their names."""
    return {field.name: [m.centroid_xy for m in field.mitoses] for field in fields}
