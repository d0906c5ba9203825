"""Paths that names in files of others become: below a given folder, and nowhere else.

A name is relative, and has no ``..``; an absolute one counts by its place below the folder. Links
that lie below the folder are followed: ``data_prep/prepare.py`` makes them, and so do users.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from urllib.parse import quote

from mmdet_mitosis.json_file import shown


def below(root: str | Path, name: str, where: str) -> Path:
    """Give the place of a file below a folder.

    Args:
        root: The folder; an empty text is where the user is.
        name: The name that a file gives it.
        where: Which file and record name it, for the message.

    Returns:
        The path.

    Raises:
        ValueError: If the name leads outside, or can be none of a file.
    """
    root, path = Path(root), PurePath(name)
    if path.is_absolute() and path.is_relative_to(root.absolute()):
        path = path.relative_to(root.absolute())
    if "\0" in name or not path.parts:
        raise ValueError(f"{where}: {shown(name)} can be no name of a file")
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"{where}: the name {shown(name)} leads outside {root}; expected one of a file below it"
        )
    return root / path


def as_file_name(value: int | str) -> str:
    """Make the name of a file of an id.

    Args:
        value: A whole number, or any text.

    Returns:
        A name without slashes, another one for each id.
    """
    return quote(json.dumps(value), safe="")
