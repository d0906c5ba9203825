"""The rows of a table of points, whatever the format of its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data_prep.images import visible
from data_prep.sources.delimited import read_delimited, to_number
from data_prep.sources.geojson import read_points
from data_prep.sources.parquet import read_parquet
from data_prep.sources.resolution import check_mpp

DELIMITED = (".csv", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
GEOJSON = (".geojson",)
BY_DEFAULT = (".csv", ".tsv", ".parquet")


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None where there is none."""

    image: str = "image"
    x: str = "x"
    y: str = "y"
    label: str | None = None
    case: str | None = None
    scanner: str | None = None
    mpp: str | None = None


@dataclass(frozen=True)
class Row:
    """One row: a point of an image, px, or an image without one; ``where`` names file and line."""

    file: Path
    line: int
    where: str
    image: str
    xy: tuple[float, float] | None
    label: str | None = None
    case: str | None = None
    scanner: str | None = None
    mpp: float | None = None


def find_table(root: Path, table: Path | None) -> Path:
    """Find the table.

    Args:
        root: Folder of the images.
        table: The table, as the user names it, from where he is or from that folder.

    Returns:
        The file, or a folder of GeoJSON files.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If there are several and the user names none.
    """
    if table is not None:
        for path in (table, root / table):
            if path.exists():
                return path
        raise FileNotFoundError(f"no such table: {table}, neither here nor in {root}")
    found = sorted(p for p in root.glob("*") if p.suffix.lower() in BY_DEFAULT and p.is_file())
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise FileNotFoundError(
            f"no table in {root}: looked for *.csv, *.tsv and *.parquet; name it, or a folder of "
            "GeoJSON files, by --table"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{len(found)} tables in {root}: choose one by --table: {names}")
    return found[0]


def read_rows(path: Path, columns: Columns) -> tuple[list[Row], list[str]]:
    """Read a table.

    Args:
        path: The file, or a folder of GeoJSON files.
        columns: Names of its columns; GeoJSON has none.

    Returns:
        The rows, and one sentence for each thing that is no point.

    Raises:
        FileNotFoundError: If the folder has no GeoJSON file.
        ValueError: If a file cannot be read; names file and line.
    """
    suffix = path.suffix.lower()
    if path.is_dir() or suffix in GEOJSON:
        return _geojson_rows(path, columns)
    if suffix not in (*DELIMITED, *PARQUET):
        expected = ", ".join((*DELIMITED, *PARQUET, *GEOJSON))
        raise ValueError(f"{path} is no table by its suffix {suffix!r}; expected {expected}")
    required = [columns.image, columns.x, columns.y]
    required += [
        name
        for name in (columns.label, columns.case, columns.scanner, columns.mpp)
        if name is not None
    ]
    unit, reader = ("row", read_parquet) if suffix in PARQUET else ("line", read_delimited)
    rows = [
        _row(path, line, f"{path}, {unit} {line}", values, columns)
        for line, values in reader(path, required)
    ]
    if not rows:
        raise ValueError(f"{path} has no row; expected {columns.image}, {columns.x}, {columns.y}")
    return rows, []


def _row(path: Path, line: int, where: str, values: dict[str, str], columns: Columns) -> Row:
    """Read the values of one row."""
    image = values[columns.image]
    if not image:
        raise ValueError(f"{where}: {columns.image} is empty; expected the name of an image")
    x, y = values[columns.x], values[columns.y]
    xy = (
        (to_number(x, f"{where}, {columns.x}"), to_number(y, f"{where}, {columns.y}"))
        if x or y
        else None
    )
    case = values[columns.case] if columns.case else None
    if case == "":
        raise ValueError(f"{where}: {columns.case} is empty; expected a case")
    mpp = values[columns.mpp] if columns.mpp else ""
    return Row(
        path,
        line,
        where,
        image,
        xy,
        values[columns.label] if columns.label else None,
        case,
        values[columns.scanner] if columns.scanner else None,
        check_mpp(to_number(mpp, f"{where}, {columns.mpp}"), where) if mpp else None,
    )


def _geojson_rows(path: Path, columns: Columns) -> tuple[list[Row], list[str]]:
    """Read GeoJSON files, each named as its image; one with nothing in it has no cell."""
    if columns != Columns():
        raise ValueError(f"{path} is GeoJSON, which has no columns: leave out the --…-column")
    folder = path if path.is_dir() else path.parent
    files = visible(path.rglob("*.geojson")) if path.is_dir() else [path]
    if not files:
        raise FileNotFoundError(f"no *.geojson in {path}")
    rows, left_out = [], []
    for file in files:
        image = file.relative_to(folder).with_suffix("").as_posix()
        points, others = read_points(file)
        left_out += others
        rows += [
            Row(file, point.number, f"{file}, feature {point.number}", image, point.xy, point.label)
            for point in points
        ]
        if not points and not others:
            rows.append(Row(file, 1, str(file), image, None))
    return rows, left_out
