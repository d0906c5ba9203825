"""Which case goes into which split: by case, never by image."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.records import Archive, Field
from mmdet_mitosis.json_file import load_json, shown

SPLITS = ("train", "val", "test")
MIN_FOLDS = 3
"""Of two folds, with one to test and one to validate, none would be left to train."""

N_DEALS = 1000
TWO_SCANNERS = ("mitos12", "mitos14")
"""Archives that show each slide twice: A03 and H03 are one slide on two scanners."""

CHOICES = "paper, mitos12, none, kfold:K, loco, or a json file of cases"
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


def check_split(name: str) -> None:
    """Refuse a split that there cannot be, before an archive is read for it.

    Args:
        name: What ``--split`` was given.

    Raises:
        FileNotFoundError: If it is neither a known name nor a file.
        ValueError: If it asks for too few folds, or the file is no split.
    """
    if name in ("none", "loco"):
        return
    if not name.startswith("kfold"):
        load_split(name)
    elif not re.fullmatch(r"kfold:[0-9]{1,6}", name) or _n_folds(name) < MIN_FOLDS:
        raise ValueError(f"no such split: {name!r}; expected kfold:K with K from {MIN_FOLDS}")


def assign(
    archive: Archive, name: str, seed: int = 0
) -> tuple[dict[str, list[Field]], list[str], list[str]]:
    """Put each field into the split, or into the splits of each fold, of its case.

    Args:
        archive: The archive.
        name: ``none``, ``kfold:K``, ``loco``, or what ``load_split`` takes.
        seed: Seed of the folds.

    Returns:
        The fields of each part (``train val test``, ``all``, or ``fold_1/train`` …, where the test
        part of each fold is the validation part of the fold before); and the sentences of
        ``divide``.

    Raises:
        FileNotFoundError: If there is no such split.
        ValueError: If there are fewer cases than folds, or a split stays empty.
    """
    check_split(name)
    if name == "none":
        return {"all": list(archive.fields)}, [], []
    if name != "loco" and not name.startswith("kfold"):
        return divide(archive.fields, load_split(name))
    groups: dict[str, list[Field]] = {}
    for field in archive.fields:
        groups.setdefault(slide(archive.source, field.case), []).append(field)
    needed = MIN_FOLDS if name == "loco" else _n_folds(name)
    if len(groups) < needed:
        raise ValueError(
            f"--split {name} needs at least {needed} cases; {archive.root} has {len(groups)}: "
            f"{' '.join(sorted(groups))}"
        )
    folds = [[g] for g in sorted(groups)] if name == "loco" else kfold(groups, needed, seed)
    parts: dict[str, list[Field]] = {}
    for number, tested in enumerate(folds, start=1):
        validated = folds[number % len(folds)]
        trained = set(groups) - {*tested, *validated}
        for part, members in zip(SPLITS, (trained, validated, tested), strict=True):
            parts[f"fold_{number}/{part}"] = [
                f for f in archive.fields if slide(archive.source, f.case) in members
            ]
    return parts, [], []


def _n_folds(name: str) -> int:
    """Read K of kfold:K."""
    return int(name.removeprefix("kfold:"))


def slide(source: str, case: str) -> str:
    """Name the tissue of a case, the same for two cases that are one slide on two scanners.

    Args:
        source: Name of the archive.
        case: Name of the case.

    Returns:
        A name that is unique among the archives that share their slides.
    """
    if source in TWO_SCANNERS and re.fullmatch(r"[AH][0-9]+", case):
        return f"A{case[1:]}/H{case[1:]}"
    return case


def kfold(groups: Mapping[str, Sequence[Field]], n_folds: int, seed: int) -> list[list[str]]:
    """Deal cases over folds of like numbers of cases and mitoses, for each scanner.

    The cases of a scanner are sorted by their mitoses, and of each K that follow each other every
    fold gets one, at random: two folds differ by one case of a scanner at most, and by no more of
    its mitoses than its richest case has. What is left over goes to the folds with the fewest
    cases. Of many such deals the most even one is taken.

    Args:
        groups: The fields of each case.
        n_folds: How many folds, not more than cases.
        seed: Seed of the draw; the order of the cases has no part in it.

    Returns:
        The sorted cases of each fold.
    """
    strata: dict[str, list[str]] = {}
    mitoses = {case: _n_mitoses(fields) for case, fields in groups.items()}
    for case, fields in groups.items():
        scanners = "+".join(sorted({field.scanner for field in fields}))
        strata.setdefault(scanners, []).append(case)
    ranked = [
        sorted(cases, key=lambda case: (-mitoses[case], _lot(seed, case)))
        for _, cases in sorted(strata.items())
    ]
    rng = np.random.default_rng(int.from_bytes(_lot(seed, f"kfold:{n_folds}")))
    deals = [_deal(ranked, n_folds, rng) for _ in range(N_DEALS)]
    best = min(deals, key=lambda folds: _unevenness(folds, ranked, mitoses))
    return [sorted(fold) for fold in best]


def _deal(ranked: list[list[str]], n_folds: int, rng: np.random.Generator) -> list[list[str]]:
    """Deal the cases of each scanner once, block by block."""
    folds: list[list[str]] = [[] for _ in range(n_folds)]
    for cases in ranked:
        for start in range(0, len(cases), n_folds):
            block = cases[start : start + n_folds]
            order = sorted(rng.permutation(n_folds).tolist(), key=lambda fold: len(folds[fold]))
            taken = rng.permutation(order[: len(block)]).tolist()
            for case, fold in zip(block, taken, strict=True):
                folds[fold].append(case)
    return folds


def _unevenness(folds: list[list[str]], ranked: list[list[str]], mitoses: Mapping[str, int]) -> int:
    """Add up by how many mitoses the folds differ, of each scanner and of all."""
    total = 0
    for stratum in (*ranked, [case for cases in ranked for case in cases]):
        members = set(stratum)
        sums = [sum(mitoses[case] for case in fold if case in members) for fold in folds]
        total += max(sums) - min(sums)
    return total


def _n_mitoses(fields: Sequence[Field]) -> int:
    """Count the mitoses of some fields."""
    return sum(len(field.mitoses) for field in fields)


def _lot(seed: int, what: str) -> bytes:
    """Draw a number that depends on the seed and on a name, and on nothing else."""
    return hashlib.sha256(f"{seed}|{what}".encode()).digest()


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
        raise FileNotFoundError(f"no such split: {name!r}; choose {CHOICES}")
    split = load_json(path, EXPECTED)
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
                f"{path}: {part} is {shown(cases)}; expected a list of cases in quotes, "
                'as ["01", "02"]'
            )
        for case in cases:
            if seen.get(case) == part:
                raise ValueError(f"{path}: case {shown(case)} is named twice in {part}")
            if case in seen:
                raise ValueError(f"{path}: case {shown(case)} is in {seen[case]} and in {part}")
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
