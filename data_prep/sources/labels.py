"""Reading label files: numbers in lines, and one clear error where they are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def number_lines(path: Path) -> Iterator[tuple[int, list[int]]]:
    """Read a file of comma-separated whole numbers.

    Args:
        path: The file. Blank lines, a byte-order mark, CRLF and spaces are no matter.

    Yields:
        Line number, from 1, and the numbers of that line.

    Raises:
        ValueError: If a value is no whole number; names file, line and value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text file: {error}") from error
    for line, content in enumerate(text.splitlines(), start=1):
        values = content.strip().rstrip(",").split(",")
        if values == [""]:
            continue
        yield line, [_whole_number(path, line, value) for value in values]


def _whole_number(path: Path, line: int, value: str) -> int:
    """Read one value."""
    try:
        number = float(value)
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        number = None
    raise ValueError(f"{path}, line {line}: {value.strip()!r} is no whole number")


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
