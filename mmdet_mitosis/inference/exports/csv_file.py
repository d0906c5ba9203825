"""The mitoses as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmdet_mitosis.inference.exports.table import write_table
from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult

HEADER = (
    "case",
    "slide",
    "file",
    "x_px",
    "y_px",
    "x_um",
    "y_um",
    "score",
    "width_px",
    "height_px",
    "in_hotspot",
)


def write_csv(path: str | Path, result: SlideResult, hotspot: Hotspot | None = None) -> None:
    """Write a row for each detection above the threshold, by descending score.

    Px and µm are from the left and top of the slide's full resolution; width and height are those
    of the box.

    Args:
        path: File to write; it appears whole or not at all.
        result: The slide.
        hotspot: Its hotspot; ``in_hotspot`` is 1 or 0, and empty without one.
    """
    found = result.found
    names = (result.case, result.name, result.file_name)
    sizes = found.bboxes_xyxy[:, 2:] - found.bboxes_xyxy[:, :2]
    inside = None if hotspot is None else np.isin(np.arange(len(found)), hotspot.indices)
    rows = []
    for i in range(len(found)):
        x, y = found.centers_xy[i].tolist()
        width, height = sizes[i].tolist()
        lengths = (x, y, x * result.mpp, y * result.mpp)
        rows.append(
            (
                *names,
                *(round(length, 2) for length in lengths),
                round(float(found.scores[i]), 6),
                round(width, 2),
                round(height, 2),
                None if inside is None else int(inside[i]),
            )
        )
    write_table(path, HEADER, rows)
