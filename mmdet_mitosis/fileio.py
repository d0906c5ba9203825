"""Writing files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


def check_writable(folder: str | Path) -> None:
    """See that files can be written below a folder, before the work that leads to them.

    Args:
        folder: The folder, there or to be made.

    Raises:
        OSError: If it can neither be written to nor made.
    """
    folder = Path(folder)
    absolute = folder.absolute()
    existing = next(path for path in (absolute, *absolute.parents) if path.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"cannot write to {folder}: {existing} is no folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write to {folder}: no permission to write in {existing}")


def clear_unfinished(folder: str | Path, names: str = "*") -> None:
    """Remove what killed runs of :func:`write_bytes_atomic` left beside a file's place.

    Args:
        folder: The folder of the files, which nobody else writes there now.
        names: Their names, as a pattern of glob.

    Raises:
        OSError: If something cannot be removed.
    """
    for unfinished in Path(folder).glob(".*.*.tmp"):
        name, process, _ = unfinished.name[1:].rsplit(".", 2)
        if process.isdigit() and fnmatchcase(name, names):
            unfinished.unlink(missing_ok=True)


def write_json_atomic(path: str | Path, value: Any) -> None:
    """Write a json file that appears whole or not at all.

    Args:
        path: File to write; its folder is made where it is missing.
        value: What json can hold; it has no NaN and no infinity.

    Raises:
        ValueError: If a number is not finite.
        OSError: If it cannot be written; nothing is left behind.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{path} was not written: {error}") from error
    write_bytes_atomic(path, f"{text}\n".encode())


def write_bytes_atomic(path: str | Path, data: bytes) -> None:
    """Write a file beside its place, then move it there.

    Args:
        path: File to write; its folder is made where it is missing.
        data: Its contents.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: a folder is in its place")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.unlink(missing_ok=True)  # a link of that name would be written through
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:  # of a full disk, it names no file
        raise type(error)(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
