"""Which slides a command is given."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
SLIDES = (".svs", ".svslide", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".czi", ".dcm")
SUFFIXES = frozenset((*IMAGES, *SLIDES))
"""What is taken of a folder; a file that is named is tried whatever its suffix."""

TAKEN = ("summary.csv", "summary.json")
"""Files that lie beside the folders of slides."""


@dataclass(frozen=True)
class Input:
    """A slide to be read: its file, the name that its output has, and the case that it is of."""

    path: Path
    name: str
    case: str


def find_inputs(
    words: Iterable[str | Path], list_file: Path | None = None, cases: Path | None = None
) -> list[Input]:
    """Find the slides that a user names.

    Args:
        words: Files, folders (with all below them), and patterns such as ``slides/*.svs``.
        list_file: A text file with one of these a line; blank lines and those that begin with #
            are no names. Relative ones start from where the user is.
        cases: A CSV with a line a slide: its file name, or that without suffix, and its case. By
            default each slide is a case.

    Returns:
        The slides, each once, in the order of their paths.

    Raises:
        FileNotFoundError: If a word names nothing, or a folder holds no slide.
        ValueError: If a word is empty, the list is no text, or the cases do not fit the slides.
    """
    given = [str(word) for word in words]
    if list_file is not None:
        given += _read_list(list_file)
    found: dict[Path, None] = {}
    for word in given:
        if not word.strip():
            raise ValueError("an empty name was given for a slide; '.' is this folder")
        for path in _expand(word):
            found.setdefault(path.absolute())
    paths = sorted(found)
    if not paths:
        raise FileNotFoundError("no slide is named")
    names = _names(paths)
    of_case = dict(zip(names, names, strict=True)) if cases is None else {}
    if cases is not None:
        known = _read_cases(cases)
        for path, name in zip(paths, names, strict=True):
            found_case = known.get(path.name, known.get(path.stem, known.get(name)))
            if found_case is None:
                raise ValueError(f"{cases} has no case of {path.name}")
            of_case[name] = found_case
    return [Input(path, name, of_case[name]) for path, name in zip(paths, names, strict=True)]


def _read_list(path: Path) -> list[str]:
    """Read a list of slides."""
    if not path.is_file():
        raise FileNotFoundError(f"no such list of slides: {path}")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no list of slides in UTF-8: {error}") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _read_cases(path: Path) -> dict[str, str]:
    """Read the cases of slides."""
    if not path.is_file():
        raise FileNotFoundError(f"no such table of cases: {path}")
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                if not row or row == ["slide", "case"]:
                    continue
                if len(row) != 2 or not all(row):
                    raise ValueError(f"expected a slide and its case, got {','.join(row)}")
                if found.setdefault(row[0], row[1]) != row[1]:
                    raise ValueError(f"{row[0]} is of two cases, {found[row[0]]} and {row[1]}")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error
    return found


def _expand(word: str) -> list[Path]:
    """Give the files that a word names."""
    path = Path(word)
    if path.is_dir():
        files = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()]
        shown = [p for p in files if not any(q.startswith(".") for q in p.relative_to(path).parts)]
        if not shown:
            raise FileNotFoundError(f"no slide in the folder {path}")
        return shown
    if path.is_file():
        return [path]
    root = path.anchor or "."
    matches = [p for p in Path(root).glob(str(path.relative_to(path.anchor))) if p.is_file()]
    if not matches:
        raise FileNotFoundError(f"no such slide: {word}")
    return matches


def _names(paths: Sequence[Path]) -> list[str]:
    """Name slides by their stems; those that share one by their folders, and if need be suffix."""
    root = Path(os.path.commonpath([path.parent for path in paths]))
    choices = [
        (path.stem, *("_".join(p.parts) for p in (place.with_suffix(""), place)))
        for path, place in ((path, path.relative_to(root)) for path in paths)
    ]
    names = [_safe(choice[0]) for choice in choices]
    for step in (1, 2):
        twice = {name for name, n in Counter(map(str.lower, names)).items() if n > 1}
        names = [
            _safe(choice[step]) if name.lower() in twice else name
            for name, choice in zip(names, choices, strict=True)
        ]
    taken: Counter[str] = Counter()
    for i, name in enumerate(names):
        taken[name.lower()] += 1
        if taken[name.lower()] > 1:
            names[i] = f"{name}_{taken[name.lower()]}"
    return names


def _safe(text: str) -> str:
    """Make a name that a folder can have anywhere."""
    name = re.sub(r"[^\w.+-]+", "_", text).strip("._")[:120] or "slide"
    return f"{name}_slide" if name.lower() in TAKEN else name
