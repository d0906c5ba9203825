"""Reading CSV and TSV files by the names of their columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.sources.text import read_text, shown

DELIMITERS = (",", ";", "\t")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
MAX_NAMED = 12


def read_delimited(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a table whose first line names its columns.

    The delimiter is the one of comma, semicolon and tab by which the first line has the required
    columns. Blank lines and empty values beyond the last column are no matter.

    Args:
        path: The file, UTF-8.
        required: Names of columns that must be there.
        optional: Names of columns that may be there.

    Yields:
        Line number, from 1, and the values of these columns without spaces around them.

    Raises:
        ValueError: If the file is not UTF-8, lacks a column, or a line has not as many values as
            the first; names file and line.
    """
    text = read_text(path, f"columns {', '.join(required)}")
    delimiter, columns = _columns(path, text, required, optional)
    width = None
    for line, values in _records(path, text, delimiter):
        if width is None:
            width = len(values)
            continue
        while len(values) > width and not values[-1]:
            values.pop()
        if len(values) != width:
            raise ValueError(
                f"{path}, line {line}: {len(values)} values; expected {width}, as in the first line"
            )
        yield line, {name: values[at] for name, at in columns.items()}


def _columns(
    path: Path, text: str, required: Sequence[str], optional: Sequence[str]
) -> tuple[str, dict[str, int]]:
    """Find the delimiter, and where each column is."""
    headers = {d: next(_records(path, text, d, strict=False), (0, []))[1] for d in DELIMITERS}
    fitting = [d for d in DELIMITERS if all(_positions(headers[d], name) for name in required)]
    if not fitting:
        header = max(headers.values(), key=len)
        missing = next(name for name in required if not _positions(header, name))
        raise ValueError(
            f"{path} has no column {missing!r}: its first line names {listed(header) or 'nothing'}"
        )
    header = headers[fitting[0]]
    columns = {}
    for name in (*required, *optional):
        positions = _positions(header, name)
        if len(positions) > 1:
            raise ValueError(f"{path} has {len(positions)} columns {name!r}; expected one")
        if positions:
            columns[name] = positions[0]
    return fitting[0], columns


def _positions(header: list[str], name: str) -> list[int]:
    """Find the columns of a name, in this case of letters or, if there is none, in any."""
    exact = [at for at, found in enumerate(header) if found == name]
    return exact or [at for at, found in enumerate(header) if found.lower() == name.lower()]


def _records(
    path: Path, text: str, delimiter: str, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """Part the text into lines that are not blank, and these into values; strict, so that no open
    quote swallows what follows."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict)
    try:
        for record in lines:
            values = [value.strip() for value in record]
            if any(values):
                yield lines.line_num, values
    except csv.Error as error:
        raise ValueError(f"{path}, line {lines.line_num}: {error}") from error


def listed(names: Sequence[str]) -> str:
    """List some names, the first ones if there are many.

    Args:
        names: The names.

    Returns:
        The names in quotes, with commas between them.
    """
    rest = len(names) - MAX_NAMED
    return ", ".join(map(shown, names[:MAX_NAMED])) + (f" and {rest} more" if rest > 0 else "")


def to_number(text: str, where: str) -> float:
    """Read a number.

    Args:
        text: The number, with a decimal point if any.
        where: What it is, for the message.

    Returns:
        The number, always finite.

    Raises:
        ValueError: If it is none, or not finite.
    """
    number = float(text) if NUMBER.fullmatch(text) else float("inf")
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{where}: {shown(text)} is no number; expected one as 12 or 12.5")
    return number
