"""MITOS-ATYPIA-14: centroids with a confidence, x first.

``ROOT/<slide>/frames/x40/<slide>_<frame>.{tiff,bmp,png,jpg}`` with
``ROOT/<slide>/mitosis/<slide>_<frame>_mitosis.csv`` and ``…_not_mitosis.csv``; a line is
``x,y,confidence``. A frame without any has empty files.
"""

from __future__ import annotations

import re
from pathlib import Path

from tqdm import tqdm

from data_prep.images import image_size, only_images, visible
from data_prep.records import Archive, Cell, Field
from data_prep.sources.labels import Remarks, keep_points, mixed_lines
from data_prep.sources.mitos12 import SCANNERS, one_image_each, same_tissue_notes

HELP = "MITOS-ATYPIA-14: x40 frames of two scanners, centroids and look-alikes with a confidence"
DEFAULT_SPLIT = "none"
DEFAULT_SHAPE = "mixed"
OPTIONS: tuple[str, ...] = ()

MAJORITY = 0.5
EXPECTED = "x,y,confidence with x and y in whole pixels"
LABEL_NAME = re.compile(r"(?P<frame>.+?)(?P<kind>_not_mitosis|_mitosis)", re.IGNORECASE)
MAX_NAMED = 5


def read(root: Path) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.

    Returns:
        The fields, one an x40 frame that has labels, sorted by name, and what was left out. A cell
        is a mitosis where its confidence is above one half, whichever file it is in. Of a frame
        with several images the lossless one counts.

    Raises:
        FileNotFoundError: If there is no frame of the layout.
        ValueError: If an image or a label cannot be read.
    """
    remarks = Remarks(row_first=False)
    images = one_image_each(_images(root, remarks), remarks.notes)
    labels = _labels(root, remarks)
    _compare(images, labels, remarks)
    labelled = sorted(name for name in images if "_mitosis" in labels.get(name, {}))
    with tqdm(labelled, "images", unit="image") as names:
        fields = [_field(name, images[name], labels[name], remarks) for name in names]
    cases = {field.case for field in fields}
    notes = (*remarks.notes, *remarks.swap_notes(), *same_tissue_notes(cases))
    return Archive("mitos14", root, tuple(fields), tuple(remarks.left_out), notes)


def _images(root: Path, remarks: Remarks) -> list[Path]:
    """Find the images that bear the name of their slide."""
    found = only_images(p for s in SCANNERS for p in root.glob(f"{s}*/frames/x40/*"))
    if not found:
        raise FileNotFoundError(
            f"{root} has not the layout of MITOS14: looked for A03/frames/x40/A03_03Ab.tiff (or "
            "bmp, png, jpg) with A03/mitosis/A03_03Ab_mitosis.csv"
        )
    images = []
    for path in found:
        slide = path.parents[2].name
        if path.stem.startswith(f"{slide}_"):
            images.append(path)
        else:
            remarks.left_out.append(f"{path}: no frame of {slide} by its name; expected {slide}_…")
    return images


def _labels(root: Path, remarks: Remarks) -> dict[str, dict[str, Path]]:
    """Find the label files, by the name of the frame and ``_mitosis`` or ``_not_mitosis``."""
    labels: dict[str, dict[str, Path]] = {}
    found = (p for s in SCANNERS for p in root.glob(f"{s}*/mitosis/*"))
    for path in visible(p for p in found if p.suffix.lower() == ".csv"):
        slide = path.parents[1].name
        match = LABEL_NAME.fullmatch(path.stem)
        if match is None or not match["frame"].startswith(f"{slide}_"):
            remarks.left_out.append(
                f"{path}: no label file of {slide} by its name; expected {slide}_…_mitosis.csv or "
                f"{slide}_…_not_mitosis.csv"
            )
            continue
        files = labels.setdefault(match["frame"], {})
        first = files.setdefault(match["kind"].lower(), path)
        if first != path:
            raise ValueError(f"labels of {match['frame']} are there twice: {first} and {path}")
    return labels


def _compare(images: dict[str, Path], labels: dict[str, dict[str, Path]], remarks: Remarks) -> None:
    """Say which frames have no labels, or half of them, and which labels have no frame."""
    unlabelled = [name for name in sorted(images) if "_mitosis" not in labels.get(name, {})]
    half = [name for name in sorted(images) if set(labels.get(name, ())) == {"_mitosis"}]
    strays = sorted(set(labels) - set(images))
    remarks.left_out += _say(
        {n: f"{images[n]}: a frame without {n}_mitosis.csv is not labelled" for n in unlabelled},
        f"of {len(images)} frames have no _mitosis.csv, so they are not labelled",
    )
    remarks.left_out += _say(
        {n: f"{images[n]}: its look-alikes are unknown without {n}_not_mitosis.csv" for n in half},
        f"of {len(images)} frames have no _not_mitosis.csv, so their look-alikes are unknown",
    )
    remarks.left_out += _say(
        {n: f"{sorted(labels[n].values())[0]}: labels without a frame" for n in strays},
        f"of {len(labels)} frames with labels have no image in frames/x40",
    )


def _say(sentences: dict[str, str], summary: str) -> list[str]:
    """Say few things one by one, and many in one sentence that names the first."""
    if len(sentences) <= MAX_NAMED:
        return list(sentences.values())
    return [f"{len(sentences)} {summary}: {', '.join([*sentences][:MAX_NAMED])}, …"]


def _field(name: str, image: Path, files: dict[str, Path], remarks: Remarks) -> Field:
    """Read one frame's size and labels."""
    scanner, mpp = SCANNERS[name[0]]
    width, height = image_size(image)
    seen: dict[tuple[float, float], Cell] = {}
    cells = []
    for kind, label in sorted(files.items()):
        found = _cells(label, kind, remarks)
        cells += keep_points(found, width, height, seen, remarks)
    return Field(
        image.parents[2].name,
        name,
        image,
        width,
        height,
        mpp,
        scanner,
        tuple(cell for cell in cells if cell.confidence > MAJORITY),
        look_alikes=tuple(cell for cell in cells if cell.confidence <= MAJORITY),
    )


def _cells(label: Path, kind: str, remarks: Remarks) -> list[Cell]:
    """Read one label file, and say where its lines and its name disagree."""
    cells = []
    for line, (x, y, confidence) in mixed_lines(label, (int, int, float), EXPECTED):
        if not 0 <= confidence <= 1:
            raise ValueError(
                f"{label}, line {line}: a confidence of {confidence} is not between 0 and 1; "
                f"expected {EXPECTED}"
            )
        is_mitosis = confidence > MAJORITY
        if is_mitosis != (kind == "_mitosis"):
            remarks.notes.append(
                f"{label}, line {line}: a confidence of {confidence} makes it a "
                f"{'mitosis' if is_mitosis else 'look-alike'}, whatever the name of the file"
            )
        cells.append(Cell((x, y), label, line, confidence=confidence))
    return cells
