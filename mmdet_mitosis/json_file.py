"""Json of others: read whole, and its values checked one by one."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

MAX_SHOWN = 60


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
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no json; expected {expected}: {error}") from error


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
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
