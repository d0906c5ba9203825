"""TUPAC16's auxiliary set: centroids in CSV files, row first.

``ROOT/mitoses_image_data_part_{1,2,3}/<case>/<image>.tif`` with
``ROOT/mitoses_ground_truth/<case>/<image>.csv``; an image without mitoses has no CSV.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from data_prep.images import image_size
from data_prep.records import Archive, Field, Mitosis
from data_prep.sources.labels import number_lines, outside

MPP = 0.25
LAST_APERIO_CASE = 23
LABELS = "mitoses_ground_truth"
IMAGES = "mitoses_image_data*"


def scanner(case: str) -> str:
    """Name the scanner of a case (Veta et al., 2019: cases 1 to 23 are of another centre).

    Args:
        case: Number of the case.

    Returns:
        The scanner.

    Raises:
        ValueError: If the case is no number.
    """
    if not case.isdigit():
        raise ValueError(f"case {case!r} is no number: TUPAC16's cases are 01 to 73")
    return "Aperio ScanScope XT" if int(case) <= LAST_APERIO_CASE else "Leica SCN400"


def read(root: Path) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.

    Returns:
        The fields, one an image, and what was left out.

    Raises:
        FileNotFoundError: If a folder of the layout is missing.
        ValueError: If an image or a label cannot be read.
    """
    folders = sorted(p for p in root.glob(IMAGES) if p.is_dir())
    if not folders:
        raise FileNotFoundError(
            f"{root} has not the layout of TUPAC16: looked for folders {IMAGES}/<case>/<image>.tif"
        )
    if not (root / LABELS).is_dir():
        raise FileNotFoundError(
            f"{root} has not the layout of TUPAC16: looked for {LABELS}/<case>/<image>.csv"
        )
    images = [p for folder in folders for p in sorted(folder.glob("*/*.tif"))]
    if not images:
        raise FileNotFoundError(f"no image in {root}: looked for {IMAGES}/<case>/<image>.tif")
    left_out: list[str] = []
    fields = [_field(root, p, left_out) for p in tqdm(images, "images", unit="image")]
    known = {field.name for field in fields}
    for label in sorted((root / LABELS).glob("*/*.csv")):
        if f"{label.parent.name}/{label.stem}" not in known:
            left_out.append(f"{label}: labels without an image")
    return Archive("tupac16", root, tuple(fields), tuple(left_out))


def _field(root: Path, image: Path, left_out: list[str]) -> Field:
    """Read one image's size and labels."""
    case, name = image.parent.name, f"{image.parent.name}/{image.stem}"
    width, height = image_size(image)
    label = root / LABELS / f"{name}.csv"
    mitoses = []
    for line, values in number_lines(label) if label.exists() else ():
        if len(values) != 2:
            raise ValueError(f"{label}, line {line}: {len(values)} values, expected row,column")
        row, column = values
        if outside((column, row), width, height):
            left_out.append(
                f"{label}, line {line}: row {row}, column {column} lies outside the image "
                f"({width}×{height})"
            )
            continue
        mitoses.append(Mitosis((column, row), label, line))
    return Field(case, name, image, width, height, MPP, scanner(case), tuple(mitoses))
