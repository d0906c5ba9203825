"""Any table of points: CSV, TSV, Parquet with image, x and y, or QuPath's GeoJSON.

An image is listed by its rows; one without a cell by a row whose x and y are empty, or by a
GeoJSON file without points. An image that is not listed is not known to be negative.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.images import image_size
from data_prep.records import Archive, Cell, Field
from data_prep.sources.finding import ImageIndex, walk_images
from data_prep.sources.labels import Remarks, outside
from data_prep.sources.resolution import check_mpp
from data_prep.sources.rows import Columns, Row, find_table, read_rows

HELP = "any CSV, TSV or Parquet with image, x and y, or QuPath's point GeoJSON"
DEFAULT_SPLIT = "none"
DEFAULT_SHAPE = "mixed"
OPTIONS = (
    "table",
    "image_column",
    "x_column",
    "y_column",
    "label_column",
    "mitosis_label",
    "case_column",
    "scanner_column",
    "mpp",
    "mpp_column",
    "unlisted",
)

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Choices:
    """What the user says beside the table; ``mpp`` in µm. Without labels all are mitoses."""

    mitosis_labels: frozenset[str]
    mpp: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this source.

    Args:
        parser: The sub-command's parser.
    """
    parser.add_argument(
        "--table",
        type=Path,
        help="CSV, TSV, Parquet or GeoJSON file, or a folder of GeoJSON files, one an image "
        "(default: the only CSV, TSV or Parquet file in ROOT)",
    )
    for name, meaning in {"image": "file below ROOT", "x": "px", "y": "px"}.items():
        parser.add_argument(
            f"--{name}-column", default=name, help=f"{name}, {meaning} (default: %(default)s)"
        )
    parser.add_argument("--label-column", help="what a cell is (default: all are mitoses)")
    parser.add_argument(
        "--mitosis-label", nargs="+", help="labels of mitoses; all other cells are look-alikes"
    )
    parser.add_argument("--case-column", help="case (default: each image is one)")
    parser.add_argument("--scanner-column", help="scanner (default: unknown)")
    parser.add_argument("--mpp", type=float, help="size of a pixel, µm")
    parser.add_argument("--mpp-column", help="size of a pixel, µm; --mpp where it is empty")
    parser.add_argument(
        "--unlisted",
        choices=["negative", "leave-out"],
        default="leave-out",
        help="what an image is that no row names (default: %(default)s)",
    )


def read(
    root: Path,
    *,
    table: Path | None = None,
    image_column: str = "image",
    x_column: str = "x",
    y_column: str = "y",
    label_column: str | None = None,
    mitosis_label: list[str] | str | None = None,
    case_column: str | None = None,
    scanner_column: str | None = None,
    mpp: float | None = None,
    mpp_column: str | None = None,
    unlisted: str = "leave-out",
) -> Archive:
    """Read images and a table of points.

    Args:
        root: Folder of the images.
        table: The table, from where the user is or from that folder.
        image_column: Name of the column of images, relative to the folder or its ``images``.
        x_column: Name of the column of x, px.
        y_column: Name of the column of y, px.
        label_column: Name of the column that says what a cell is, or None: all are mitoses.
        mitosis_label: The label or labels of mitoses.
        case_column: Name of the column of cases, or None: each image is a case.
        scanner_column: Name of the column of scanners, or None.
        mpp: Size of a pixel, µm.
        mpp_column: Name of the column of it, or None.
        unlisted: Whether images without a row are ``negative`` or ``leave-out``.

    Returns:
        The fields, sorted by name, and what was left out.

    Raises:
        FileNotFoundError: If there is no table, or none of its images.
        ValueError: If the table cannot be read, contradicts itself or the images, or does not say
            what is needed; names file and line.
    """
    labels = [mitosis_label] if isinstance(mitosis_label, str) else mitosis_label or []
    if unlisted not in {"negative", "leave-out"}:
        raise ValueError(f"--unlisted is {unlisted!r}; expected negative or leave-out")
    if unlisted == "negative" and case_column:
        raise ValueError(
            "--unlisted negative does not go with --case-column: nobody says of which case an "
            "unlisted image is; list it with x and y empty"
        )
    path = find_table(root, table)
    columns = Columns(
        image_column, x_column, y_column, label_column, case_column, scanner_column, mpp_column
    )
    rows, others = read_rows(path, columns)
    remarks = Remarks(row_first=False, left_out=others)
    choices = Choices(_mitosis_labels(path, rows, labels), mpp)
    index = ImageIndex(root, walk_images(root))
    groups = _by_image(path, rows, index, remarks)
    with tqdm(sorted(groups.items()), "images", unit="image") as items:
        fields = [_field(root, image, found, choices, remarks) for image, found in items]
    rest = [image for image in index.paths if image not in groups]
    if unlisted == "negative":
        fields += [_field(root, image, [], choices, remarks) for image in rest]
    else:
        remarks.left_out += [
            f"{image}: {path.name} does not list it, so nobody says that it has no mitosis "
            "(--unlisted negative says so)"
            for image in rest
        ]
    notes = _notes(path, fields, bool(case_column), len(fields) - len(groups))
    notes += remarks.swap_notes()
    fields.sort(key=lambda field: field.name)
    return Archive("table", root, tuple(fields), tuple(remarks.left_out), tuple(notes))


def _mitosis_labels(path: Path, rows: list[Row], labels: list[str]) -> frozenset[str]:
    """Check the labels of mitoses against those of the table."""
    points = [row for row in rows if row.xy is not None]
    found = sorted({row.label for row in points if row.label})
    named = ", ".join(map(repr, found)) or "none"
    if found and not labels:
        raise ValueError(f"{path} has the labels {named}: say by --mitosis-label which are mitoses")
    if labels and not found:
        raise ValueError(
            f"{path} has no labels to look for {', '.join(map(repr, labels))} in: name their "
            "column by --label-column"
        )
    absent = [label for label in labels if label not in found]
    if absent:
        raise ValueError(f"{path} has no label {absent[0]!r} (--mitosis-label): it has {named}")
    for row in points if found else ():
        if not row.label:
            raise ValueError(f"{row.where} has no label; expected one of {named}")
    return frozenset(labels)


def _by_image(
    path: Path, rows: list[Row], index: ImageIndex, remarks: Remarks
) -> dict[Path, list[Row]]:
    """Find the images of the rows."""
    groups: dict[Path, list[Row]] = {}
    missing: dict[str, list[Row]] = {}
    found: dict[str, Path | None] = {}
    for row in rows:
        if row.image not in found:
            found[row.image] = index.find(row.image, row.where)
        image = found[row.image]
        if image is None:
            missing.setdefault(row.image, []).append(row)
        else:
            groups.setdefault(image, []).append(row)
    if missing and not groups:
        first = next(iter(missing.values()))[0]
        raise FileNotFoundError(
            f"{index.root} has none of the {len(missing)} images of {path}: looked for "
            f"{first.image!r} ({first.where}) there and in {index.root / 'images'}"
        )
    for name, lost in missing.items():
        n_points = sum(row.xy is not None for row in lost)
        remarks.left_out.append(
            f"{lost[0].where}: there is no image {name!r} to its {n_points} points"
        )
    return groups


def _field(root: Path, image: Path, rows: list[Row], choices: Choices, remarks: Remarks) -> Field:
    """Read one image's size and make its cells."""
    size = image_size(image)
    name = image.relative_to(root).with_suffix("").as_posix()
    cells = _cells(rows, size, choices, remarks)
    return Field(
        _agreed(rows, "case") or name,
        name,
        image,
        *size,
        _mpp(image, _agreed(rows, "mpp") or choices.mpp),
        _agreed(rows, "scanner") or UNKNOWN,
        tuple(cells[True]),
        look_alikes=tuple(cells[False]),
    )


def _cells(
    rows: list[Row], size: tuple[int, int], choices: Choices, remarks: Remarks
) -> dict[bool, list[Cell]]:
    """Make the mitoses (True) and look-alikes of an image: points inside it, each once."""
    cells: dict[bool, list[Cell]] = {True: [], False: []}
    first: dict[tuple[float, float], tuple[Row, bool]] = {}
    points = [(row, row.xy) for row in rows if row.xy is not None]
    swapped = remarks.fits_swapped([xy for _, xy in points], *size)
    for row, xy in points:
        place = f"{row.where}: x {xy[0]:g}, y {xy[1]:g}"
        if outside(xy, *size):
            hint = "; inside it if x and y were swapped" if swapped else ""
            remarks.left_out.append(
                f"{place} lies outside the image ({size[0]} x {size[1]} px)"
                + ("" if outside(xy[::-1], *size) else hint)
            )
            continue
        is_mitosis = not choices.mitosis_labels or row.label in choices.mitosis_labels
        earlier, was_mitosis = first.setdefault(xy, (row, is_mitosis))
        if earlier is row:
            cells[is_mitosis].append(Cell(xy, row.file, row.line))
        elif was_mitosis == is_mitosis:
            remarks.left_out.append(f"{place} is there already: {earlier.where}")
        else:
            raise ValueError(
                f"{place} is labelled {row.label!r}, but {earlier.label!r} in {earlier.where}"
            )
    return cells


def _mpp(image: Path, mpp: float | None) -> float:
    """Check the size of a pixel, which must be known."""
    if mpp is None:
        raise ValueError(
            f"the size of a pixel of {image} is not known: give it by --mpp, or a column of it by "
            "--mpp-column"
        )
    return check_mpp(mpp, "--mpp")


def _agreed(rows: list[Row], what: str) -> Any:
    """Give what the rows of an image say of it, all the same."""
    said = [(row, getattr(row, what)) for row in rows if getattr(row, what) not in (None, "")]
    for row, value in said[1:]:
        if value != said[0][1]:
            raise ValueError(
                f"{row.where}: {what} of {row.image!r} is {value!r}, but {said[0][1]!r} in "
                f"{said[0][0].where}"
            )
    return said[0][1] if said else None


def _notes(path: Path, fields: list[Field], has_cases: bool, n_unlisted: int) -> list[str]:
    """Check that names differ, and say what the user did not."""
    by_name: dict[str, Path] = {}
    for field in fields:
        other = by_name.setdefault(field.name, field.image_path)
        if other != field.image_path:
            raise ValueError(f"field {field.name} is there twice: {other} and {field.image_path}")
    notes = []
    empty = sum(not field.mitoses and not field.look_alikes for field in fields) - n_unlisted
    if empty:
        notes.append(f"{empty} images that {path.name} lists have no cell")
    if n_unlisted:
        notes.append(f"{n_unlisted} images that {path.name} does not list count as negative")
    if not has_cases:
        notes.append(
            "each image is a case of its own (no --case-column): where one patient has several, a "
            "split may part them"
        )
    n_unknown = sum(field.scanner == UNKNOWN for field in fields)
    if n_unknown:
        notes.append(f"the scanner of {n_unknown} images is not known (--scanner-column)")
    return notes
