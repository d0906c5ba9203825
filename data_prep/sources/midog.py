"""MIDOG 2021, MIDOG 2022 and MIDOG++: boxes around mitoses and look-alikes.

``ROOT/images/001.tiff`` or ``ROOT/001.tiff`` with ``ROOT/MIDOG++.json`` (or the like) or the
database of the same labels. An image that nobody annotated has no annotation of either kind: in
MIDOG++ 50 of 553, the very ones that its ``datasets_xvalidation.csv`` does not name. They are no
negatives, and left out.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from data_prep.images import image_size, only_images
from data_prep.records import Archive, Cell, Field
from data_prep.sources.domains import MPP, Domain, by_number, load_domains
from data_prep.sources.finding import ImageIndex
from data_prep.sources.labels import Remarks, outside
from data_prep.sources.midog_labels import Annotation, LabelledImage, Labels, read_json
from data_prep.sources.resolution import check_mpp, tiff_mpp
from data_prep.sources.slide_runner import read_sqlite

HELP = "MIDOG 2021, MIDOG 2022 or MIDOG++, json or sqlite"
DEFAULT_SPLIT = "none"
DEFAULT_SHAPE = "mixed"
OPTIONS = ("labels", "domains", "mpp")

SQLITE = (".sqlite", ".sqlite3", ".db")
DOMAINS = "datasets_xvalidation.csv"
UNKNOWN = "unknown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this source.

    Args:
        parser: The sub-command's parser.
    """
    parser.add_argument("--labels", type=Path, help="label file (default: the only one in ROOT)")
    parser.add_argument(
        "--domains",
        type=Path,
        help=f"CSV with Slide, Scanner, Tumor, mpp (default: {DOMAINS} beside the labels)",
    )
    parser.add_argument(
        "--mpp", type=float, help="size of a pixel, µm, of all images (default: by their scanner)"
    )


def read(
    root: Path, *, labels: Path | None = None, domains: Path | None = None, mpp: float | None = None
) -> Archive:
    """Read the archive.

    Args:
        root: Its folder.
        labels: The label file, json or sqlite; by default the only one in the folder.
        domains: A table of the images' scanners; by default the one beside the labels, if any.
        mpp: Size of a pixel of all images, µm; by default that of each image's scanner.

    Returns:
        The annotated fields, one an image and each a case, sorted by name, and what was left out.

    Raises:
        FileNotFoundError: If there is no label file, or no image of those that it names.
        ValueError: If labels or images cannot be read or do not fit each other.
    """
    found = read_labels(find_labels(root, labels))
    remarks = Remarks(row_first=False, left_out=[*found.left_out], notes=[*found.notes])
    known = _domains(found, domains, remarks.notes)
    index = ImageIndex(root, only_images([*root.glob("*"), *root.glob("images/*")]))
    places = _places(found, index)
    if not any(places[image.id] for image in found.images if image.annotations):
        raise FileNotFoundError(
            f"{root} has none of the {sum(bool(i.annotations) for i in found.images)} annotated "
            f"images of {found.path}: looked for them there and in {root / 'images'}"
        )
    unannotated, fields = [], []
    with tqdm(found.images, "images", unit="image") as images:
        for image in images:
            path = places[image.id]
            if not image.annotations:
                unannotated.append(image.file_name)
            elif path is None:
                remarks.left_out.append(
                    f"{found.path}: there is no image {image.file_name} to its "
                    f"{len(image.annotations)} annotations"
                )
            else:
                fields.append(_field(found, image, path, known[image.id], mpp, remarks))
    strays = _without_labels(found, index, places, unannotated, remarks.notes)
    notes = [*remarks.notes, *_scanner_notes(found, fields), *remarks.swap_notes()]
    fields.sort(key=lambda field: field.name)
    return Archive("midog", root, tuple(fields), (*remarks.left_out, *strays), tuple(notes))


def find_labels(root: Path, labels: Path | None) -> Path:
    """Find the label file.

    Args:
        root: Folder of the archive.
        labels: The file, as the user names it, from where he is or from that folder.

    Returns:
        The file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If there are several and the user names none.
    """
    if labels is not None:
        for path in (labels, root / labels):
            if path.is_file():
                return path
        raise FileNotFoundError(f"no such label file: {labels}, neither here nor in {root}")
    suffixes = (".json", *SQLITE)
    found = sorted(p for p in root.glob("*") if p.suffix.lower() in suffixes and p.is_file())
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise FileNotFoundError(f"no label file in {root}: looked for *.json and *.sqlite")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{len(found)} label files in {root}: choose one by --labels: {names}")
    return found[0]


def read_labels(path: Path) -> Labels:
    """Read a label file, without its images.

    Args:
        path: The file, json or sqlite.

    Returns:
        Its labels.

    Raises:
        ValueError: If it cannot be read.
    """
    return read_sqlite(path) if path.suffix.lower() in SQLITE else read_json(path)


def _domains(found: Labels, table: Path | None, notes: list[str]) -> dict[int, Domain]:
    """Tell each image's domain: the labels first, then the table, then the edition's numbers."""
    if table is None:
        beside = found.path.with_name(DOMAINS)
        table = beside if beside.is_file() else None
    elif not table.is_file():
        raise FileNotFoundError(f"no such table of domains: {table}")
    listed = load_domains(table) if table else {}
    renamed: Counter[tuple[str, str]] = Counter()
    domains = {}
    for image in found.images:
        own, numbered = image.domain, by_number(image.file_name, found.edition)
        row = listed.get(Path(image.file_name).stem, Domain())
        if own.tumour and row.tumour and own.tumour != row.tumour:
            renamed[own.tumour, row.tumour] += 1
        domains[image.id] = Domain(
            own.tumour or row.tumour or numbered.tumour,
            own.scanner or row.scanner or numbered.scanner,
            own.mpp or row.mpp,
        )
    for (own_name, other), number in renamed.items():
        notes.append(
            f"the tumour of {number} images is {own_name!r} in {found.path} and {other!r} in "
            f"{table}: the former is kept"
        )
    return domains


def _places(found: Labels, index: ImageIndex) -> dict[int, Path | None]:
    """Find the file of each image."""
    places: dict[int, Path | None] = {}
    names: dict[str, int] = {}
    for image in found.images:
        where = f"{found.path}, image {image.id}"
        name = Path(image.file_name).stem
        if name in names:
            raise ValueError(f"{where} is {image.file_name!r}, as is image {names[name]}")
        names[name] = image.id
        places[image.id] = index.find(image.file_name, where)
    return places


def _field(
    found: Labels,
    image: LabelledImage,
    path: Path,
    domain: Domain,
    mpp: float | None,
    remarks: Remarks,
) -> Field:
    """Read one image's size and its cells."""
    size = image_size(path)
    if image.size not in (None, size):
        raise ValueError(
            f"{path} is {size[0]} x {size[1]} px, but {found.path} says "
            f"{image.size[0]} x {image.size[1]}: the labels are not of this image"
        )
    swapped = remarks.fits_swapped([a.center_xy for a in image.annotations], *size)
    cells: dict[bool, list[Cell]] = {True: [], False: []}
    seen: dict[tuple[float, float], Annotation] = {}
    for annotation in sorted(image.annotations, key=lambda a: not a.is_mitosis):
        cell = _cell(annotation, found.path, size, swapped, remarks)
        if cell is None:
            continue
        first = seen.setdefault(cell.centroid_xy, annotation)
        if first is annotation:
            cells[annotation.is_mitosis].append(cell)
        else:
            x, y = cell.centroid_xy
            remarks.left_out.append(
                f"{found.path}, annotation {annotation.id}: x {x:g}, y {y:g} repeats annotation "
                f"{first.id}, which counts"
            )
    return Field(
        path.stem,
        path.stem,
        path,
        *size,
        _mpp(path, domain, mpp),
        domain.scanner or UNKNOWN,
        tuple(cells[True]),
        look_alikes=tuple(cells[False]),
        tumour=domain.tumour,
    )


def _cell(
    annotation: Annotation,
    label_file: Path,
    size: tuple[int, int],
    swapped: bool,
    remarks: Remarks,
) -> Cell | None:
    """Make a cell at the centre of a box, moved to the image's edge where only the centre lies
    beyond it; None where the whole box does."""
    x1, y1, x2, y2 = annotation.box_xyxy
    center = annotation.center_xy
    if outside(center, *size):
        where = f"{label_file}, annotation {annotation.id}"
        said = f"{where}: x {center[0]:g}, y {center[1]:g} lies outside the image"
        if x2 <= 0 or y2 <= 0 or x1 >= size[0] or y1 >= size[1]:
            fits = swapped and not outside(center[::-1], *size)
            hint = "; inside it if x and y were swapped" if fits else ""
            remarks.left_out.append(f"{said} ({size[0]} x {size[1]} px){hint}")
            return None
        center = (min(max(center[0], 0), size[0]), min(max(center[1], 0), size[1]))
        remarks.notes.append(f"{said}, its box does not: taken at x {center[0]:g}, y {center[1]:g}")
    return Cell(center, label_file, annotation.line, confidence=annotation.confidence)


def _mpp(path: Path, domain: Domain, mpp: float | None) -> float:
    """Tell the size of a pixel: as the user says, else the labels, the scanner, the TIFF."""
    if mpp is not None:
        return check_mpp(mpp, "--mpp")
    known = domain.mpp or MPP.get(domain.scanner or UNKNOWN) or tiff_mpp(path)
    if known is None:
        raise ValueError(
            f"the size of a pixel of {path} is not known: its scanner is "
            f"{domain.scanner or UNKNOWN}, and the file does not tell it; give it by --mpp"
        )
    return known


def _without_labels(
    found: Labels,
    index: ImageIndex,
    places: dict[int, Path | None],
    unannotated: list[str],
    notes: list[str],
) -> list[str]:
    """Name the images that nobody annotated, and those that the labels do not name."""
    if unannotated:
        notes.append(
            f"{len(unannotated)} of the {len(found.images)} images of {found.path} have no "
            "annotation of either kind: nobody annotated them, so they are no negatives"
        )
    named = set(places.values())
    return [
        *(f"{found.path}: image {name} is not annotated" for name in unannotated),
        *(
            f"{path}: an image that {found.path.name} does not name"
            for path in index.paths
            if path not in named
        ),
    ]


def _scanner_notes(found: Labels, fields: list[Field]) -> list[str]:
    """Say of how many images the scanner is not known."""
    unknown = [field.name for field in fields if field.scanner == UNKNOWN]
    if not unknown:
        return []
    return [
        f"the scanner of {len(unknown)} images of {found.path} is not known, {unknown[0]} the "
        "first: name it in a table of Slide and Scanner, --domains"
    ]
