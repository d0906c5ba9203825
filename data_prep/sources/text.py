"""Label files as text, and what may be shown or taken of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.images import what_is
from mmdet_mitosis.json_file import parse_json

MAX_SHOWN = 40


def read_text(path: Path, expected: str) -> str:
    """Read a text file.

    Args:
        path: The file, UTF-8; a byte-order mark is no matter.
        expected: What it should hold, for the message.

    Returns:
        Its text.

    Raises:
        ValueError: If it is no file (opening a pipe would wait for ever) or no UTF-8; names the
            line and the byte.
    """
    check_file(path, expected)
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is no UTF-8 text; save the file "
            f"as UTF-8 (expected {expected})"
        ) from error


def load_json(path: Path, expected: str) -> Any:
    """Read a json file.

    Args:
        path: The file, UTF-8; a byte-order mark is no matter.
        expected: What it should be, for the message.

    Returns:
        Its content.

    Raises:
        ValueError: If it is no file, or no json; names line and column.
    """
    text = read_text(path, expected)
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{path} is no {expected}: {error}") from error


def check_file(path: Path, expected: str) -> None:
    """Refuse what is no file.

    Args:
        path: Where it should be.
        expected: What it should hold, for the message.

    Raises:
        ValueError: If it is a folder, a pipe or a link that leads nowhere.
    """
    if not path.is_file():
        raise ValueError(f"cannot read {path}: it is {what_is(path)}; expected {expected}")


def shown(text: str) -> str:
    """Quote a value for a message, a long one by its beginning.

    Args:
        text: The value.

    Returns:
        The value in quotes.
    """
    return repr(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…")
