"""CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmdet_mitosis.fileio import write_bytes_atomic
from mmdet_mitosis.texts import cell


def write_table(
    path: str | Path, header: Sequence[str], rows: Iterable[Sequence[str | float | None]]
) -> None:
    """Write a CSV file in UTF-8, with commas, points and quotes as RFC 4180 has them.

    Args:
        path: File to write; it appears whole or not at all.
        header: Names of the columns.
        rows: Cells; texts are made safe (:func:`~mmdet_mitosis.texts.cell`),
            numbers are written as they are, None is an empty cell.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in (header, *rows):
        writer.writerow([cell(value) if isinstance(value, str) else value for value in row])
    write_bytes_atomic(path, text.getvalue().encode("utf-8"))
