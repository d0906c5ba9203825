"""TUPAC16's submissions: a CSV an image, row first.

Source: tupac.grand-challenge.org, "Submission format", task 3: one file an image in the directory
structure of the image data (``05/01.csv``), one detection a line: row, column, and optionally a
confidence. Without it every line counts; with it the submission names one threshold for all.
"""

from __future__ import annotations

import math
from pathlib import Path

from mmdet_mitosis.evaluation.results.reading import Reading
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.json_file import shown

FORM = "TUPAC16 submission"
EXPECTED = "row,column or row,column,confidence"


def read_tupac_submission(folder: Path, files: list[Path], target: Target) -> Reading:
    """Read a folder of CSV files that are named by their images.

    Args:
        folder: The folder.
        files: The files in it.
        target: The ground truth.

    Returns:
        The detections by image id of the fields.

    Raises:
        ValueError: If a line is no detection, some have a confidence and others none, or a file is
            of an image that the ground truth does not have; names file and line.
    """
    reading = Reading(FORM)
    width: tuple[int, str] | None = None
    for file in files:
        name = file.relative_to(folder).as_posix().removesuffix(file.suffix)
        field = target.field_named(name, str(file))
        if field is not None:
            reading.open_image(field.image_id, file)
        for where, values in _lines(file):
            if field is None:
                reading.left_out["detections in images that nobody has labelled"] += 1
                continue
            width = width or (len(values), where)
            if len(values) != width[0]:
                raise ValueError(
                    f"{where}: {len(values)} values, but {width[0]} in {width[1]}; expected a "
                    "confidence in every line or in none"
                )
            row, column = values[:2]
            reading.add(field.image_id, (column, row), values[2] if len(values) == 3 else 1.0)
    if width is None or width[0] == 2:
        reading.scored_once("the submission itself, which has no confidences")
    return reading


def _lines(file: Path) -> list[tuple[str, list[float]]]:
    """Read a file's lines that are not blank: place and values."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is no UTF-8 text; expected {EXPECTED}") from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"{file}, line {number}"
        words = [word.strip() for word in line.rstrip(" ,").split(",")]
        if words == [""]:
            continue
        if len(words) not in (2, 3):
            raise ValueError(f"{where}: {len(words)} values ({shown(line)}); expected {EXPECTED}")
        found.append((where, [_number(word, where) for word in words]))
    return found


def _number(word: str, where: str) -> float:
    """Read a finite number."""
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{where}: {shown(word)} is no finite number; expected {EXPECTED}")
    return number
