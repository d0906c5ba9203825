"""Which case goes into which split: by case, never by image."""

from __future__ import annotations

import json
from pathlib import Path

from data_prep.records import Field

SPLITS = ("train", "val", "test")

NAMED: dict[str, dict[str, list[str]]] = {
    # Table 1 of Sohail et al., arXiv 2003.08803
    "paper": {
        "train": (
            "01 02 03 05 07 08 10 11 12 13 14 15 16 17 18 19 20 22 23 24 25 28 33 34 35 37 38 40 "
            "42 44 47 49 51 52 54 59 61 64 68 69 70 72"
        ).split(),
        "val": "04 06 09 21 26 29 31 39 46 48 56 65 67 73".split(),
        "test": "27 30 32 36 41 43 45 50 53 55 57 58 60 62 63 66 71".split(),
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
        ValueError: If the file is no such json, or a case is in two splits.
    """
    if name in NAMED:
        return NAMED[name]
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            f"no such split: {name!r}; choose {', '.join(NAMED)}, or a json file of cases"
        )
    try:
        split = json.loads(path.read_text(encoding="utf-8"))
        split = {part: [str(case) for case in split[part]] for part in SPLITS}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} is no split: {error!r}; expected {{"train": [cases], "val": [cases], '
            '"test": [cases]}'
        ) from error
    seen: dict[str, str] = {}
    for part, cases in split.items():
        for case in cases:
            if case in seen:
                raise ValueError(f"{path}: case {case} is in {seen[case]} and in {part}")
            seen[case] = part
    return split


def divide(
    fields: tuple[Field, ...], split: dict[str, list[str]]
) -> tuple[dict[str, list[Field]], list[str]]:
    """Put each field into the split of its case.

    Args:
        fields: The fields.
        split: The cases of each split.

    Returns:
        The fields of each split, and one sentence for each case that is in no split.

    Raises:
        ValueError: If a split stays empty.
    """
    parts = {part: [f for f in fields if f.case in cases] for part, cases in split.items()}
    for part, members in parts.items():
        if not members:
            raise ValueError(
                f"no field for {part}: none of its cases ({' '.join(split[part])}) is among "
                f"those of the archive ({' '.join(sorted({f.case for f in fields}))})"
            )
    placed = {case for cases in split.values() for case in cases}
    strays = sorted({f.case for f in fields} - placed)
    return parts, [f"case {case} is in no split" for case in strays]
