"""Reading label files: numbers in lines, and one clear error where they are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,18})(\.0*)?\s*")


def number_lines(path: Path, expected: str) -> Iterator[tuple[int, list[int]]]:
    """Read a file of comma-separated whole numbers.

    Args:
        path: The file. Blank lines, a byte-order mark, CRLF, spaces and commas at the end of a
            line are no matter.
        expected: What a line should hold, for the message.

    Yields:
        Line number, from 1, and the numbers of that line.

    Raises:
        ValueError: If a value is no whole number; names file, line and value.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text file of {expected}: {error}") from error
    for line, content in enumerate(text.splitlines(), start=1):
        values = content.strip().rstrip(",").split(",")
        if values == [""]:
            continue
        matches = [WHOLE_NUMBER.fullmatch(value) for value in values]
        if None in matches:
            wrong = values[matches.index(None)].strip()
            raise ValueError(
                f"{path}, line {line}: {wrong!r} is no whole number; expected {expected}"
            )
        yield line, [int(match[1]) for match in matches if match]


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
