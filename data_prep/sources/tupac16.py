"""TUPAC16's auxiliary set: centroids in CSV files, row first.

``ROOT/mitoses_image_data_part_{1,2,3}/<case>/<image>.tif`` with
``ROOT/mitoses_ground_truth/<case>/<image>.csv``; an image without mitoses has no CSV.

The alternative labels (Bertram et al., arXiv 2007.05351) are in a folder of the same name, with the
look-alikes in ``nonmitoses_ground_truth`` beside it; there each image has both CSVs, empty or not.
"""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path

from tqdm import tqdm

from data_prep.images import image_size, only_images, visible
from data_prep.records import Archive, Cell, Field
from data_prep.sources.labels import Remarks, keep_points, mixed_lines

HELP = "TUPAC16's auxiliary set: 73 cases of two scanners, centroids with the row first"
DEFAULT_SPLIT = "paper"
DEFAULT_SHAPE = "mixed"
OPTIONS: tuple[str, ...] = ("labels", "labels_root")

MPP = 0.25
LAST_APERIO_CASE = 23
LABEL_SETS = ("original", "alternative")
LABELS = "mitoses_ground_truth"
LOOK_ALIKES = "nonmitoses_ground_truth"
IMAGES = "mitoses_image_data*"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this source.

    Args:
        parser: Parser of its sub-command.
    """
    parser.add_argument(
        "--labels",
        choices=LABEL_SETS,
        default=LABEL_SETS[0],
        help=f"the contest's labels, or those of Bertram et al. (2020) with their look-alikes: "
        f"{LABELS} and {LOOK_ALIKES} (default: %(default)s)",
    )
    parser.add_argument(
        "--labels-root",
        type=Path,
        metavar="FOLDER",
        help=f"folder that {LABELS} is in (default: the archive's own)",
    )


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


def read(root: Path, labels: str = "original", labels_root: Path | None = None) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.
        labels: ``original``, where an image without a CSV has no mitosis, or ``alternative``,
            where it is not labelled.
        labels_root: Folder of the labels' folders, where they are not in ``root``.

    Returns:
        The fields, one an image, sorted by case and name, and what was left out.

    Raises:
        FileNotFoundError: If a folder of the layout is missing.
        ValueError: If ``labels`` is unknown, an image or a label cannot be read, or a field is
            there twice.
    """
    if labels not in LABEL_SETS:
        raise ValueError(f"unknown labels {labels!r}; choose {' or '.join(LABEL_SETS)}")
    if labels_root is not None and not labels_root.is_dir():
        raise FileNotFoundError(f"no such folder of labels: {labels_root}")
    images = _images(root)
    remarks = Remarks(row_first=True)
    folder = root if labels_root is None else labels_root
    mitoses = _labels(folder, LABELS)
    if labels == "alternative":
        look_alikes = _labels(folder, LOOK_ALIKES)
        images = _labelled(images, mitoses, look_alikes, remarks)
    else:
        look_alikes = {}
        _check_original(folder, remarks)
    fields = []
    with tqdm(sorted(images), "images", unit="image") as names:
        for name in names:
            found = mitoses.pop(name, None), look_alikes.pop(name, None)
            fields.append(_field(name, images[name], *found, remarks))
    strays = sorted([*mitoses.values(), *look_alikes.values()])
    left_out = [*remarks.left_out, *(f"{label}: labels without an image" for label in strays)]
    notes = [*remarks.notes, *remarks.swap_notes()]
    return Archive("tupac16", root, tuple(fields), tuple(left_out), tuple(notes))


def _images(root: Path) -> dict[str, Path]:
    """Find the images, by ``<case>/<image>``."""
    folders = sorted(p for p in root.glob(IMAGES) if p.is_dir())
    if not folders:
        raise FileNotFoundError(
            f"{root} has not the layout of TUPAC16: looked for folders {IMAGES}/<case>/<image>.tif"
        )
    images: dict[str, Path] = {}
    for path in (p for folder in folders for p in only_images(folder.glob("*/*"))):
        name = _name(path)
        if name in images:
            raise ValueError(f"field {name} is there twice: {images[name]} and {path}")
        images[name] = path
    if not images:
        raise FileNotFoundError(f"no image in {root}: looked for {IMAGES}/<case>/<image>.tif")
    return images


def _labels(root: Path, kind: str) -> dict[str, Path]:
    """Find the label files of one kind, by ``<case>/<image>``."""
    folder = root / kind
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{root} has not the layout of TUPAC16: looked for {kind}/<case>/<image>.csv there; "
            "--labels-root names another folder"
        )
    labels: dict[str, Path] = {}
    for path in visible(p for p in folder.glob("*/*") if p.suffix.lower() == ".csv"):
        name = _name(path)
        if labels.setdefault(name, path) != path:
            raise ValueError(f"labels of {name} are there twice: {labels[name]} and {path}")
    return labels


def _name(path: Path) -> str:
    """Name the field of a file; the form of accents, which macOS changes, does not count."""
    return unicodedata.normalize("NFC", f"{path.parent.name}/{path.stem}")


def _check_original(folder: Path, remarks: Remarks) -> None:
    """Say where what is read as the original labels lies beside the alternative ones."""
    if (folder / LOOK_ALIKES).is_dir():
        remarks.left_out.append(
            f"{folder / LOOK_ALIKES}: look-alikes of the alternative labels are not read with the "
            f"original ones; if {LABELS} beside them is of that set, take --labels alternative"
        )


def _labelled(
    images: dict[str, Path],
    mitoses: dict[str, Path],
    look_alikes: dict[str, Path],
    remarks: Remarks,
) -> dict[str, Path]:
    """Pick the images that have alternative labels: an absent CSV means nothing there."""
    for name, image in sorted(images.items()):
        if name not in mitoses:
            look_alikes.pop(name, None)
            remarks.left_out.append(
                f"{image}: an image without {LABELS}/{name}.csv is not labelled in the "
                "alternative set"
            )
        elif name not in look_alikes:
            remarks.left_out.append(
                f"{image}: its look-alikes are unknown, {LOOK_ALIKES}/{name}.csv is missing"
            )
    return {name: image for name, image in images.items() if name in mitoses}


def _field(
    name: str, image: Path, mitoses: Path | None, look_alikes: Path | None, remarks: Remarks
) -> Field:
    """Read one image's size and labels."""
    width, height = image_size(image)
    seen: dict[tuple[float, float], Cell] = {}
    kept = [
        tuple(keep_points(_cells(label), width, height, seen, remarks)) if label else ()
        for label in (mitoses, look_alikes)
    ]
    case = image.parent.name
    return Field(case, name, image, width, height, MPP, scanner(case), kept[0], look_alikes=kept[1])


def _cells(label: Path) -> list[Cell]:
    """Read one label file."""
    lines = mixed_lines(label, (int, int), "row,column in whole pixels")
    return [Cell((column, row), label, line) for line, (row, column) in lines]
