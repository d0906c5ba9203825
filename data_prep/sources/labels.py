"""Reading label files: numbers in lines, points in their image, one clear sentence for the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.records import Cell
from data_prep.sources.text import read_text, shown

WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0*)?\s*")
DECIMAL_NUMBER = re.compile(r"\s*([+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18}))\s*")
MAX_SHOWN = 4


@dataclass
class Remarks:
    """What a reader gathers of its archive while it reads.

    Attributes:
        row_first: Whether its label files have the row first, ``row,column``; else ``x,y``.
        left_out: One sentence for each thing that is left out.
        notes: One sentence for each thing that is worth saying and no fault.
        n_points: How many labelled points there are.
        n_outside: How many of them lie outside their image.
        n_outside_swapped: How many of them would, were their two coordinates swapped.
    """

    row_first: bool
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_points: int = 0
    n_outside: int = 0
    n_outside_swapped: int = 0

    @property
    def names(self) -> tuple[str, str]:
        """What the two coordinates are called, in the order of the label files."""
        return ("row", "column") if self.row_first else ("x", "y")

    def describe(self, xy: tuple[float, float]) -> str:
        """Write a point as its label file does, x first or row first."""
        values = xy[::-1] if self.row_first else xy
        return f"{self.names[0]} {values[0]}, {self.names[1]} {values[1]}"

    def fits_swapped(
        self, points_xy: Sequence[tuple[float, float]], width: int, height: int
    ) -> bool:
        """Count the points of a label file, and tell whether they look swapped.

        Args:
            points_xy: The points, px.
            width: Width of the image, px.
            height: Height of the image, px.

        Returns:
            True if fewer of them would lie outside, were row and column swapped; never of a square
            image.
        """
        n_outside = sum(outside(xy, width, height) for xy in points_xy)
        n_swapped = sum(outside(xy[::-1], width, height) for xy in points_xy)
        self.n_points += len(points_xy)
        self.n_outside += n_outside
        self.n_outside_swapped += n_swapped
        return n_swapped < n_outside

    def swap_notes(self) -> list[str]:
        """Say whether the whole archive looks swapped.

        Returns:
            One sentence, or none.
        """
        if self.n_outside_swapped >= self.n_outside:
            return []
        first, second = self.names
        return [
            f"{self.n_outside} of {self.n_points} labelled points lie outside their images, and "
            f"{self.n_outside_swapped} would if {first} and {second} were swapped: the label files "
            f"may have {second} before {first}"
        ]


def number_lines(path: Path, expected: str) -> Iterator[tuple[int, list[int]]]:
    """Read a file of comma-separated whole numbers.

    Args:
        path: The file. Blank lines, a byte-order mark, CRLF, spaces and commas at the end of a
            line are no matter.
        expected: What a line should hold, for the message.

    Yields:
        Line number, from 1, and the numbers of that line.

    Raises:
        ValueError: If the file cannot be read, or a value is no whole number; names file, line and
            value.
    """
    for line, values in _rows(path, expected):
        yield line, [int(_number(path, line, value, int, expected)) for value in values]


def mixed_lines(
    path: Path, kinds: Sequence[type[int] | type[float]], expected: str
) -> Iterator[tuple[int, list[int | float]]]:
    """Read a file of comma-separated numbers, so many a line, some whole and some decimal.

    Args:
        path: The file; what ``number_lines`` tolerates is no matter here either.
        kinds: The columns, ``int`` or ``float`` each. A decimal number is digits with a point;
            nan, inf and exponents are none.
        expected: What a line should hold, for the message.

    Yields:
        Line number, from 1, and the numbers of that line.

    Raises:
        ValueError: If the file cannot be read, a value is no such number, or a line has more or
            fewer of them; names file, line and value.
    """
    for line, values in _rows(path, expected):
        pairs = zip(values, kinds, strict=False)
        numbers = [_number(path, line, value, kind, expected) for value, kind in pairs]
        if len(values) != len(kinds):
            first = ",".join(value.strip() for value in values[:MAX_SHOWN])
            more = ",…" if len(values) > MAX_SHOWN else ""
            raise ValueError(
                f"{path}, line {line}: {len(values)} values ({first}{more}); expected {expected}"
            )
        yield line, numbers


def _rows(path: Path, expected: str) -> Iterator[tuple[int, list[str]]]:
    """Read the values of each line that is not blank."""
    for line, content in enumerate(read_text(path, expected).splitlines(), start=1):
        values = content.strip().rstrip(",").split(",")
        if values != [""]:
            yield line, values


def _number(
    path: Path, line: int, value: str, kind: type[int] | type[float], expected: str
) -> int | float:
    """Read one value."""
    match = (WHOLE_NUMBER if kind is int else DECIMAL_NUMBER).fullmatch(value)
    if match is None:
        called = "whole number" if kind is int else "decimal number"
        raise ValueError(
            f"{path}, line {line}: {shown(value.strip())} is no {called}; expected {expected}"
        )
    return kind(match[1])


def outside(xy: tuple[float, float], width: int, height: int) -> bool:
    """Tell whether a point lies beyond its image; on the far edge it does not.

    Args:
        xy: The point, px.
        width: Width of the image, px.
        height: Height of the image, px.

    Returns:
        True if it lies outside.
    """
    return not (0 <= xy[0] <= width and 0 <= xy[1] <= height)


def keep_points(
    cells: Sequence[Cell],
    width: int,
    height: int,
    seen: dict[tuple[float, float], Cell],
    remarks: Remarks,
) -> list[Cell]:
    """Keep the cells of a label file that lie inside their image, each point once.

    Args:
        cells: The cells.
        width: Width of the image, px.
        height: Height of the image, px.
        seen: The cells kept from other label files of the same image, by centroid; these are added.
        remarks: Gets a sentence for each cell that is not kept.

    Returns:
        The cells that are kept.
    """
    swapped = remarks.fits_swapped([cell.centroid_xy for cell in cells], width, height)
    kept = []
    for cell in cells:
        xy = cell.centroid_xy
        point = f"{cell.label_file}, line {cell.line}: {remarks.describe(xy)}"
        if outside(xy, width, height):
            hint = ""
            if swapped and not outside(xy[::-1], width, height):
                hint = f"; inside it if {' and '.join(remarks.names)} were swapped"
            remarks.left_out.append(f"{point} lies outside the image ({width} x {height} px){hint}")
        elif (first := seen.setdefault(xy, cell)) is not cell:
            file = "" if first.label_file == cell.label_file else f"{first.label_file}, "
            remarks.left_out.append(f"{point} repeats {file}line {first.line}, which counts")
        else:
            kept.append(cell)
    return kept
