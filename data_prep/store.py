"""Copies of fields of which windows are read fast, in ``.fields`` beside ``images``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_prep.output import walk_own
from data_prep.parallel import run_all
from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.datasets.stored_fields import FOLDER, needs_store, write_stored
from mmdet_mitosis.datasets.stored_fields import version as version_of
from mmdet_mitosis.datasets.tiff_windows import open_tiff
from mmdet_mitosis.fileio import check_writable


@dataclass(frozen=True)
class Copy:
    """An image, and where its copy belongs."""

    image_path: Path
    stored_path: Path


def store_fields(out: Path, paths: dict[str, Path], workers: int, parts: Sequence[float]) -> str:
    """Write the copies that are needed and not there yet, and remove those of other images.

    Args:
        out: The folder that ``images`` is in.
        paths: The image files, by their file names below ``images``.
        workers: Number of processes.
        parts: What each image takes of the memory, in the same order.

    Returns:
        A sentence that counts them.

    Raises:
        OSError: If one cannot be written; a second run goes on from there.
        ValueError: If an image cannot be read.
    """
    check_writable(out / FOLDER)
    tasks = [Copy(path, out / FOLDER / f"{name}.tif") for name, path in paths.items()]
    run_all(store_field, tasks, workers, "field", len(tasks), parts)
    _clear_others(out / FOLDER, {str(task.stored_path) for task in tasks})
    sizes = [task.stored_path.stat().st_size for task in tasks if task.stored_path.is_file()]
    return (
        f"{len(sizes)} fields have a copy for reading windows in {FOLDER}, {sum(sizes) / 1e6:.0f} "
        f"MB; {len(tasks) - len(sizes)} need none"
    )


def store_field(task: Copy) -> int:
    """Write the copy of one image, if it is needed and not there.

    Args:
        task: The image and the place.

    Returns:
        1.

    Raises:
        OSError: If it cannot be written.
        ValueError: If the image cannot be read.
    """
    if task.stored_path.is_file() and _is_of(task.stored_path, version_of(task.image_path)):
        return 1
    if needs_store(task.image_path):
        write_stored(task.image_path, task.stored_path, decode_field(task.image_path))
    else:
        task.stored_path.unlink(missing_ok=True)
    return 1


def _is_of(stored: Path, version: str) -> bool:
    """Tell whether a copy is whole and of this state of its image."""
    with suppress(ValueError):  # damaged: it is written anew
        layout = open_tiff(stored)
        return layout is not None and layout.description == version
    return False


def _clear_others(folder: Path, kept: set[str]) -> None:
    """Remove copies of images that are no longer there, and what killed runs left."""
    for parent, names in walk_own(folder):
        for path in (parent / name for name in names):
            if str(path) not in kept and path.suffix in {".tif", ".tmp"}:
                path.unlink()
        with suppress(OSError):  # something is in it
            parent.rmdir()
