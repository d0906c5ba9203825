"""What mining has found so far, field by field, so that it can go on after it was stopped."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

from mmdet_mitosis.fileio import clear_unfinished, write_json_atomic
from mmdet_mitosis.places import as_file_name

FOLDER = ".mining"


class MiningStore:
    """One json a field, in ``OUT/.mining/<split>-<digest>/``.

    The digest is of all that decides what is found. The folders of the same split with another one
    are stale, and are removed.

    Args:
        out: The folder that mining writes to.
        split: Name of the split.
        decides: All that decides what is found, as json can hold it.

    Attributes:
        folder: Where the files are.
    """

    def __init__(self, out: Path, split: str, decides: dict[str, Any]) -> None:
        text = json.dumps(decides, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.folder = out / FOLDER / f"{split}-{digest}"
        self.folder.mkdir(parents=True, exist_ok=True)
        clear_unfinished(self.folder)
        for other in self.folder.parent.iterdir():
            stale = re.fullmatch(rf"{re.escape(split)}-[0-9a-f]{{16}}", other.name)
            if stale and other != self.folder:
                shutil.rmtree(other)

    def has(self, kind: str, image_id: int) -> bool:
        """Tell whether a field is done.

        Args:
            kind: What is kept of it.
            image_id: The field.

        Returns:
            Whether there is a file.
        """
        return self._path(kind, image_id).is_file()

    def write(self, kind: str, image_id: int, value: Any) -> None:
        """Keep what was found in a field.

        Args:
            kind: What it is.
            image_id: The field.
            value: What json can hold.

        Raises:
            OSError: If it cannot be written.
        """
        write_json_atomic(self._path(kind, image_id), value)

    def read(self, kind: str, image_id: int) -> Any:
        """Read what was found in a field.

        Args:
            kind: What it is.
            image_id: The field.

        Returns:
            What was written.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged.
        """
        path = self._path(kind, image_id)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}): delete it, and mine again") from error

    def _path(self, kind: str, image_id: int) -> Path:
        return self.folder / f"{as_file_name(image_id)}.{kind}.json"


def digest_file(path: str | Path) -> str:
    """Give a digest of a file's contents.

    Args:
        path: The file.

    Returns:
        SHA-256, hexadecimal.

    Raises:
        OSError: If it cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
