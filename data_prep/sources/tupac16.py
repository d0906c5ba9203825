"""TUPAC16's auxiliary set: centroids in CSV files, row first.

``ROOT/mitoses_image_data_part_{1,2,3}/<case>/<image>.tif`` with
``ROOT/mitoses_ground_truth/<case>/<image>.csv``; an image without mitoses has no CSV.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from data_prep.images import image_size, only_images
from data_prep.records import Archive, Cell, Field
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
    if not (case.isascii() and case.isdigit()):
        raise ValueError(f"case {case!r} is no number: TUPAC16's cases are 01 to 73")
    return "Aperio ScanScope XT" if int(case) <= LAST_APERIO_CASE else "Leica SCN400"


def read(root: Path) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.

    Returns:
        The fields, one an image, sorted by case and name, and what was left out.

    Raises:
        FileNotFoundError: If a folder of the layout is missing.
        ValueError: If an image or a label cannot be read, or a field is there twice.
    """
    images = _images(root)
    labels = _labels(root)
    left_out: list[str] = []
    with tqdm(sorted(images), "images", unit="image") as names:
        fields = [_field(name, images[name], labels.pop(name, None), left_out) for name in names]
    left_out += [f"{label}: labels without an image" for _, label in sorted(labels.items())]
    return Archive("tupac16", root, tuple(fields), tuple(left_out))


def _images(root: Path) -> dict[str, Path]:
    """Find the images, by ``<case>/<image>``."""
    folders = sorted(p for p in root.glob(IMAGES) if p.is_dir())
    if not folders:
        raise FileNotFoundError(
            f"{root} has not the layout of TUPAC16: looked for folders {IMAGES}/<case>/<image>.tif"
        )
    images: dict[str, Path] = {}
    for path in (p for folder in folders for p in only_images(folder.glob("*/*"))):
        name = f"{path.parent.name}/{path.stem}"
        if name in images:
            raise ValueError(f"field {name} is there twice: {images[name]} and {path}")
        images[name] = path
    if not images:
        raise FileNotFoundError(f"no image in {root}: looked for {IMAGES}/<case>/<image>.tif")
    return images


def _labels(root: Path) -> dict[str, Path]:
    """Find the label files, by ``<case>/<image>``."""
    folder = root / LABELS
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{root} has not the layout of TUPAC16: looked for {LABELS}/<case>/<image>.csv"
        )
    visible = (p for p in folder.glob("*/*") if not p.name.startswith("."))
    return {f"{p.parent.name}/{p.stem}": p for p in visible if p.suffix.lower() == ".csv"}


def _field(name: str, image: Path, label: Path | None, left_out: list[str]) -> Field:
    """Read one image's size and labels."""
    case = image.parent.name
    width, height = image_size(image)
    mitoses = []
    for line, values in number_lines(label, "row,column in whole pixels") if label else ():
        if len(values) != 2:
            raise ValueError(
                f"{label}, line {line}: {len(values)} values ({','.join(map(str, values[:4]))}"
                f"{',…' if len(values) > 4 else ''}); expected row,column"
            )
        row, column = values
        if outside((column, row), width, height):
            left_out.append(
                f"{label}, line {line}: row {row}, column {column} lies outside the image "
                f"({width} x {height} px)"
            )
            continue
        mitoses.append(Cell((column, row), label, line))
    return Field(case, name, image, width, height, MPP, scanner(case), tuple(mitoses))
