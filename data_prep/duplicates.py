"""What is there twice: images of equal content, and one case in two splits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

MAX_SAMPLES = 16
SAMPLE_BYTES = 4096
MAX_NAMED = 4


def equal_files(paths: Iterable[Path]) -> list[list[Path]]:
    """Find files of equal bytes; only those that agree in size and in samples are read whole.

    Args:
        paths: The files.

    Returns:
        Groups of two or more, sorted, as is each group.

    Raises:
        OSError: If a file cannot be read.
    """
    groups = [sorted(set(paths))]
    for key in (_size, _samples, _digest):
        groups = [found for group in groups for found in _grouped(group, key)]
    return sorted(groups)


def _grouped(paths: list[Path], key: Callable[[Path], object]) -> list[list[Path]]:
    """Group files that agree in a key, and drop those that are alone."""
    groups: dict[object, list[Path]] = {}
    for path in paths:
        groups.setdefault(key(path), []).append(path)
    return [group for group in groups.values() if len(group) > 1]


def _size(path: Path) -> int:
    """Give the size of a file, bytes."""
    return path.stat().st_size


def _samples(path: Path) -> bytes:
    """Digest short pieces spread evenly over a file, its end among them."""
    last = max(0, _size(path) - SAMPLE_BYTES)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in sorted({last * i // (MAX_SAMPLES - 1) for i in range(MAX_SAMPLES)}):
            file.seek(start)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.digest()


def _digest(path: Path) -> bytes:
    """Digest a whole file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def repeated_images(part_of: Mapping[Path, str]) -> list[str]:
    """Name the images that are there more than once.

    Args:
        part_of: The split of each image file.

    Returns:
        One sentence for each group of equal images, with all splits that it is in.

    Raises:
        OSError: If a file cannot be read.
    """
    sentences = []
    for group in equal_files(part_of):
        parts = list(dict.fromkeys(part_of[path] for path in group))
        where = f"in {parts[0]}" if len(parts) == 1 else f"in {len(parts)} splits"
        names = ", ".join(f"{path} ({part_of[path]})" for path in group[:MAX_NAMED])
        more = f" and {len(group) - MAX_NAMED} more" if len(group) > MAX_NAMED else ""
        sentences.append(f"one image {len(group)} times, {where}: {names}{more}")
    return sentences


def divided_slides(cases: Iterable[tuple[str, str, str]]) -> list[str]:
    """Name the slides that are in more than one split.

    Args:
        cases: Of each case its slide, its name as it is to be said, and its split.

    Returns:
        One sentence for each such slide.
    """
    members: dict[str, dict[str, str]] = {}
    for slide, case, part in cases:
        members.setdefault(slide, {})[f"{case} ({part})"] = part
    return [
        f"one case in {len(set(found.values()))} splits: {', '.join(sorted(found))}"
        for _, found in sorted(members.items())
        if len(set(found.values())) > 1
    ]
