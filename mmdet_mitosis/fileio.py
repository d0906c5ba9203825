"""Writing files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_json_files(files: Mapping[Path, Any], links: Mapping[Path, Path] | None = None) -> None:
    """Write json files that appear together: all are written beside, then all are moved.

    Args:
        files: What json can hold, by the file to write; missing folders are made.
        links: Folders, by the symbolic link to each that is to appear with the files.

    Raises:
        OSError: If one cannot be written; then none appears and nothing is left behind.
    """
    links = links or {}
    beside = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in (*files, *links)}
    for path in beside:
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(f"cannot write {path}: a folder is in its place")
    made = _make_folders({path.parent for path in beside})
    try:
        for path, value in files.items():
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            beside[path].write_text(text + "\n", encoding="utf-8")
        for path, target in links.items():
            beside[path].symlink_to(target, target_is_directory=True)
        for path, temporary in beside.items():
            temporary.replace(path)
    except BaseException:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # another program has put something there
                folder.rmdir()
        raise


def _make_folders(folders: set[Path]) -> list[Path]:
    """Make folders with their parents; give those that were not there, the deepest first."""
    for folder in folders:
        check_writable(folder)
    missing = {p for folder in folders for p in (folder, *folder.parents) if not p.exists()}
    for folder in sorted(missing):
        folder.mkdir(exist_ok=True)
    return sorted(missing, reverse=True)


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


def write_json_atomic(path: str | Path, value: Any) -> None:
    """Write a json file that appears whole or not at all.

    Args:
        path: File to write.
        value: What json can hold.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    write_json_files({Path(path): value})


def write_bytes_atomic(path: str | Path, data: bytes) -> None:
    """Write a file beside its place, then move it there.

    Args:
        path: File to write; its folder is made where it is missing.
        data: Its contents.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
