"""What one check says, and what the checks share."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

OK, NOTE, STOP, SKIPPED = "ok", "note", "STOP", "-"
"""How a check ended; only ``STOP`` keeps one from training."""


class Check(NamedTuple):
    """What was examined, what was found, how that is, and what to do about it."""

    name: str
    found: str
    state: str = OK
    advice: str = ""


def installed(name: str) -> str | None:
    """Give a distribution's version.

    Args:
        name: The distribution.

    Returns:
        Its version; None where it is not installed.
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def numbers(version: str) -> tuple[int, ...]:
    """Take a version's leading numbers.

    Args:
        version: Such as ``2.14.1+cu130``.

    Returns:
        Such as (2, 14, 1).
    """
    return tuple(int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part)


def why_not(action: Callable[[], object]) -> str:
    """Do something that may fail in any way, such as an import.

    Args:
        action: What to do.

    Returns:
        Why it failed, in one line; empty where it did not.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            action()
    except Exception as error:
        return in_one_line(error)
    return ""


def attempt(name: str, check: Callable[[], Check]) -> Check:
    """Make a check that may itself fail.

    Args:
        name: Its name.
        check: The check.

    Returns:
        What it says; a stop where it fails.
    """
    try:
        return check()
    except Exception as error:
        return Check(name, "cannot be examined", STOP, in_one_line(error))


def in_one_line(error: Exception) -> str:
    """Name an error's kind and what it says."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
