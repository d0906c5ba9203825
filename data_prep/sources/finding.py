"""Finding the images that labels name: inside the archive's folder and nowhere else."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from data_prep.images import SUFFIXES, only_images, what_is

FOLDERS = ("", "images/")


def walk_images(root: Path) -> list[Path]:
    """List all images below a folder; links to folders are followed, each folder once.

    Args:
        root: The folder.

    Returns:
        The images, sorted.
    """
    seen, files = set(), []
    for parent, folders, names in os.walk(root, followlinks=True):
        place = Path(parent).resolve()
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(parent, name) for name in names]
    return only_images(files)


def inside(root: Path, name: str, where: str) -> str:
    """Turn the name of a file into its path below a folder.

    Args:
        root: The folder.
        name: The name, relative to the folder or absolute; backslashes part it too.
        where: Who names it, for the message.

    Returns:
        The path relative to the folder, with forward slashes and without ``..``.

    Raises:
        ValueError: If there is no name, it can be none of a file, or leads outside the folder.
    """
    if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ValueError(f"{where}: {name!r} can be no name of a file")
    path = PurePosixPath(unicodedata.normalize("NFC", name.strip().replace("\\", "/")))
    outside = ValueError(f"{where}: {name!r} leads outside {root}; expected a file in that folder")
    if path.is_absolute() and path.is_relative_to(root.absolute().as_posix()):
        path = path.relative_to(root.absolute().as_posix())
    if path.is_absolute() or PureWindowsPath(path).drive:
        raise outside
    parts: list[str] = []
    for part in path.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise outside
    if not parts:
        raise ValueError(f"{where}: {name!r} names no file")
    return "/".join(parts)


class ImageIndex:
    """The images of an archive, by the names that labels give them.

    Args:
        root: Folder of the archive.
        paths: Its images.
    """

    def __init__(self, root: Path, paths: Iterable[Path]) -> None:
        self.root = root
        self.paths = sorted(paths)
        self._by_name: dict[str, list[Path]] = {}
        for path in self.paths:
            whole = PurePosixPath(path.relative_to(root).as_posix())
            for key in {_key(whole), unicodedata.normalize("NFC", str(whole.with_suffix("")))}:
                self._by_name.setdefault(key, []).append(path)

    def find(self, name: str, where: str) -> Path | None:
        """Find an image in the folder or in its ``images``.

        Args:
            name: Its name there, with its suffix or without.
            where: Who names it, for the message.

        Returns:
            Its path, or None if there is none.

        Raises:
            ValueError: If the name leads outside, several images go by it, or what is there is no
                image.
        """
        relative = inside(self.root, name, where)
        keys = [folder + relative for folder in FOLDERS]
        exact = [path for key in keys for path in self._by_name.get(_key(PurePosixPath(key)), ())]
        found = exact or [path for key in keys for path in self._by_name.get(key, ())]
        if len(found) > 1:
            raise ValueError(f"{where}: {name!r} is there twice: {found[0]} and {found[1]}")
        if not found:
            self._refuse_other_files(keys, where)
        return found[0] if found else None

    def _refuse_other_files(self, keys: list[str], where: str) -> None:
        """Refuse a name whose file is there, but no image."""
        paths = [self.root / (key + suffix) for key in keys for suffix in ("", *SUFFIXES)]
        for path in filter(os.path.lexists, paths):
            is_image = path.suffix.lower() in SUFFIXES
            if path.is_file() and not is_image:
                raise ValueError(f"{where}: {path} is no image; expected {', '.join(SUFFIXES)}")
            if not path.is_file() and is_image:
                raise ValueError(f"{where}: {path} is no image file: it is {what_is(path)}")


def _key(path: PurePosixPath) -> str:
    """Write a path so that neither the letters' case of its suffix nor its accents' form count."""
    return unicodedata.normalize("NFC", str(path.parent / (path.stem + path.suffix.lower())))
