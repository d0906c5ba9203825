"""Writing files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json_files(files: Mapping[Path, Any]) -> None:
    """Write json files that appear together: all are written beside, then all are moved.

    Args:
        files: What json can hold, by the file to write; missing folders are made.

    Raises:
        OSError: If one cannot be written; then none appears and nothing is left behind.
    """
    beside = {path: path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in files}
    try:
        for path, value in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            beside[path].write_text(text + "\n", encoding="utf-8")
        for path, temporary in beside.items():
            temporary.replace(path)
    finally:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)


def write_json_atomic(path: str | Path, value: Any) -> None:
    """Write a json file that appears whole or not at all.

    Args:
        path: File to write.
        value: What json can hold.

    Raises:
        OSError: If it cannot be written; nothing is left behind.
    """
    write_json_files({Path(path): value})
