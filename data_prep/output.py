"""The folder that is written: by one run at a time, and as a whole.

Everything is made in ``.prepare.new`` and then moved. ``annotations`` changes places with the new
folder in one step, so that its json files are always of one run; the links to the images and
``summary.json`` are moved just before and after. A run that was killed leaves its hidden files
behind, which the next one clears away.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep.coco_files import Piece, check_readable, json_bytes, pieces_of, write_coco
from mmdet_mitosis.fileio import check_writable

STAGED = ".prepare.new"
OURS = re.compile(r"(train|val|test|all)\.json|fold_[0-9]+")
"""Names in ``annotations`` of json of fields."""
REPLACED = re.compile(rf"(tiles_)?({OURS.pattern})")
"""Names there that each run replaces; what else is there stays."""

AT_FDCWD, RENAME_EXCHANGE = -100, 2


class Staging:
    """Files that are made beside the others, checked, and then appear together."""

    def __init__(self, out: Path, links: Mapping[str, Path]) -> None:
        """Clear away what a killed run left, and see that everything can be put in its place.

        Args:
            out: The folder; the caller holds its lock.
            links: The folders of images, by their names below ``images``.

        Raises:
            OSError: If a folder cannot be written to.
            ValueError: If something else is where a link belongs.
        """
        self.out, self.new, self.links = out, out / STAGED, links
        for folder in (out / "annotations", out / "images"):
            check_writable(folder)
        for name, target in links.items():
            link = out / "images" / name
            if link.exists() and not link.is_symlink():
                raise ValueError(f"{link} is in the way: a link to {target} belongs there")
        for name in ("summary.json", "preview.png"):
            if (out / name).is_dir():
                raise IsADirectoryError(f"cannot write {out / name}: a folder is in its place")
        self._clear()
        self.files: list[str] = []

    def __enter__(self) -> Staging:
        (self.new / "annotations").mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def add_coco(self, part: str, coco: dict) -> None:
        """Write the json of one split, and see that pycocotools reads it as it is.

        Args:
            part: Name of the split, as ``train`` or ``fold_1/train``.
            coco: The COCO dictionary.

        Raises:
            OSError: If it cannot be written.
            ValueError: If pycocotools reads something else.
        """
        self.add_pieces(part, coco["info"], coco["categories"], pieces_of(coco))

    def add_pieces(
        self, part: str, info: dict, categories: list[dict], pieces: Iterable[Piece]
    ) -> None:
        """Do the same for json of which memory holds one piece at a time.

        Args:
            part: Name of the split, as ``tiles_train``.
            info: What the json says of itself.
            categories: The categories.
            pieces: Images and annotations, with ids from 1 upwards.

        Raises:
            OSError: If it cannot be written.
            ValueError: If pycocotools reads something else.
        """
        path = self.new / "annotations" / f"{part}.json"
        path.parent.mkdir(exist_ok=True)
        with self._writing():
            numbers = write_coco(path, info, categories, pieces, self.new)
        check_readable(path, *numbers, categories, f"annotations/{part}.json")

    def add_file(self, name: str, content: Any) -> None:
        """Write another file.

        Args:
            name: Its name.
            content: Its bytes, or what json can hold.

        Raises:
            OSError: If it cannot be written.
        """
        data = content if isinstance(content, bytes) else json_bytes(content) + b"\n"
        with self._writing():
            (self.new / name).write_bytes(data)
        self.files.append(name)

    def commit(self) -> None:
        """Move everything into its place."""
        (self.out / "images").mkdir(exist_ok=True)
        for name, folder in self.links.items():
            link, target = self.out / "images" / name, self._target(folder)
            if not link.is_symlink() or link.readlink() != target:
                (self.new / "link").symlink_to(target, target_is_directory=True)
                (self.new / "link").replace(link)
        exchange(self.new / "annotations", self.out / "annotations")
        for name in self.files:
            (self.new / name).replace(self.out / name)
        if "preview.png" not in self.files:
            (self.out / "preview.png").unlink(missing_ok=True)

    def _target(self, folder: Path) -> Path:
        """Say where a link leads: a folder inside ``out`` moves with it."""
        if not folder.is_relative_to(self.out.resolve()):
            return folder
        return Path(os.path.relpath(folder, self.out.resolve() / "images"))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Name the folder where a file cannot be written."""
        try:
            yield
        except OSError as error:
            raise OSError(
                f"cannot write to {self.out}: {error.strerror}; what was there is unchanged"
            ) from error

    def _clear(self) -> None:
        """Remove the hidden folder, and save what a user had in the old annotations."""
        if self.new.is_symlink():
            self.new.unlink()  # not ours: no run has made it
        for old in (self.new / "annotations", self.new / "old"):
            for path in old.iterdir() if old.is_dir() and not old.is_symlink() else ():
                if not REPLACED.fullmatch(path.name):
                    (self.out / "annotations").mkdir(exist_ok=True)
                    path.rename(self.out / "annotations" / path.name)
        if self.new.exists():
            shutil.rmtree(self.new)


def walk_own(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Walk through what runs have written, to clear it away: the innermost folders first.

    Args:
        folder: The folder. What lies behind a link, this one or one in it, is not ours to remove.

    Yields:
        A folder, and the names of the files in it.
    """
    if not folder.is_symlink():
        for parent, _, names in os.walk(folder, topdown=False):
            yield Path(parent), names


def exchange(new: Path, place: Path) -> None:
    """Put a folder in its place, in one step; what was there goes where it came from.

    Where the file system cannot do that (not Linux, some network file systems), the old folder is
    moved away first, to ``old`` beside the new one.

    Args:
        new: The folder.
        place: Where it belongs.

    Raises:
        OSError: If it cannot be moved.
    """
    if not place.exists():
        new.rename(place)
        return
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    words = (AT_FDCWD, os.fsencode(new), AT_FDCWD, os.fsencode(place), RENAME_EXCHANGE)
    if rename is None or rename(*words) != 0:
        place.rename(new.with_name("old"))
        new.rename(place)
