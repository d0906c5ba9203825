"""Json of others: read whole, and its values checked one by one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

MAX_SHOWN = 60
MAX_REASON = 300


def load_json(path: Path, expected: str) -> Any:
    """Read a json file.

    Args:
        path: The file, UTF-8; a byte-order mark is no matter.
        expected: What it should be, for the message.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no json, as one that is cut off; names line and column.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}; expected {expected}")
    try:
        return parse_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no json; expected {expected}: {error}") from error


def parse_json(data: bytes | str) -> Any:
    """Read json.

    Args:
        data: Text, or UTF-8; a byte-order mark is no matter.

    Returns:
        What it holds.

    Raises:
        ValueError: If it is no json, is nested too deeply, or an object has a key twice, of which
            one would be lost unsaid.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        place = f"byte 0x{error.object[error.start]:02x} at {error.start}"
        raise ValueError(f"{place} is no UTF-8 text") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its keys and values."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"an object has the key {shown(twice)} twice")
    return found


def finite(value: Any) -> float | None:
    """Take a number.

    Args:
        value: Anything that json can hold.

    Returns:
        The number, or None if it is none, or not finite, or too large for a float.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def finite_list(value: Any, *lengths: int) -> list[float] | None:
    """Take a list of numbers.

    Args:
        value: Anything that json can hold.
        lengths: How many there may be.

    Returns:
        The numbers, or None if it is no list of so many finite numbers.
    """
    if not isinstance(value, list) or len(value) not in lengths:
        return None
    numbers = [finite(v) for v in value]
    return None if None in numbers else numbers


def shown(value: Any) -> str:
    """Write a value into a message, a long one by its beginning.

    Args:
        value: Anything that json can hold.

    Returns:
        Its text.
    """
    try:
        text = repr(value)
    except RecursionError:
        text = f"a {type(value).__name__} that is nested too deeply"
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def short(error: Exception) -> str:
    """Say why something failed; some errors say all that they did not understand.

    Args:
        error: The error.

    Returns:
        The beginning of what it says, on one line, or its kind where it says nothing.
    """
    return " ".join(str(error).split())[:MAX_REASON] or type(error).__name__
