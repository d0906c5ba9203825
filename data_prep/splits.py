"""Which case goes into which split: by case, never by image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_prep.records import Field

SPLITS = ("train", "val", "test")
EXPECTED = '{"train": ["01", …], "val": […], "test": […]}'


def _cases(numbers: str) -> list[str]:
    """List the cases of one line."""
    return numbers.split()


NAMED: dict[str, dict[str, list[str]]] = {
    # Table 1 of Sohail et al., arXiv 2003.08803
    "paper": {
        "train": _cases(
            "01 02 03 05 07 08 10 11 12 13 14 15 16 17 18 19 20 22 23 24 25 28 33 34 35 37 38 40 "
            "42 44 47 49 51 52 54 59 61 64 68 69 70 72"
        ),
        "val": _cases("04 06 09 21 26 29 31 39 46 48 56 65 67 73"),
        "test": _cases("27 30 32 36 41 43 45 50 53 55 57 58 60 62 63 66 71"),
    },
    # Slides of the Aperio scanner in the training part of the ICPR 2012 contest
    "mitos12": {"train": ["A01", "A03"], "val": ["A00"], "test": ["A02"]},
}


def load_split(name: str) -> dict[str, list[str]]:
    """Read a split by its name or from a file.

    Args:
        name: ``paper``, ``mitos12``, or a json file ``{"train": [cases], "val": …, "test": …}``.

    Returns:
        The cases of train, val and test.

    Raises:
        FileNotFoundError: If it is neither a known name nor a file.
        ValueError: If the file is no such json, or names a case twice.
    """
    if name in NAMED:
        return NAMED[name]
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"no such split: {name!r}; choose {', '.join(NAMED)}, or a json file of cases"
        )
    try:
        split = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is no json: {error}; expected {EXPECTED}") from error
    _check_split(path, split)
    return {part: split[part] for part in SPLITS}


def _check_split(path: Path, split: Any) -> None:
    """Refuse what is no split."""
    if not isinstance(split, dict) or set(split) != set(SPLITS):
        found = ", ".join(split) if isinstance(split, dict) else type(split).__name__
        raise ValueError(f"{path} is no split: it holds {found or 'nothing'}; expected {EXPECTED}")
    seen: dict[str, str] = {}
    for part, cases in split.items():
        if not isinstance(cases, list) or not all(isinstance(case, str) for case in cases):
            raise ValueError(
                f"{path}: {part} is {json.dumps(cases)}; expected a list of cases in quotes, "
                'as ["01", "02"]'
            )
        for case in cases:
            if seen.get(case) == part:
                raise ValueError(f"{path}: case {case} is named twice in {part}")
            if case in seen:
                raise ValueError(f"{path}: case {case} is in {seen[case]} and in {part}")
            seen[case] = part


def divide(
    fields: tuple[Field, ...], split: dict[str, list[str]]
) -> tuple[dict[str, list[Field]], list[str], list[str]]:
    """Put each field into the split of its case.

    Args:
        fields: The fields.
        split: The cases of each split.

    Returns:
        The fields of each split; one sentence for each case of the archive that no split names;
        and one for the cases of each split that are not in the archive.

    Raises:
        ValueError: If a split stays empty.
    """
    found = sorted({field.case for field in fields})
    parts = {part: [f for f in fields if f.case in cases] for part, cases in split.items()}
    strays, missing = [], []
    for part, cases in split.items():
        if not parts[part]:
            raise ValueError(
                f"no field for {part}: none of its cases ({' '.join(cases) or 'it names none'}) "
                f"is among those of the archive ({' '.join(found)})"
            )
        absent = [case for case in cases if case not in found]
        if absent:
            missing.append(
                f"{part}: {len(absent)} of {len(cases)} cases are not in the archive: "
                f"{' '.join(absent)}"
            )
    for case in sorted(set(found) - {case for cases in split.values() for case in cases}):
        members = [field for field in fields if field.case == case]
        n_mitoses = sum(len(field.mitoses) for field in members)
        strays.append(f"case {case} is in no split ({len(members)} fields, {n_mitoses} mitoses)")
    return parts, strays, missing
