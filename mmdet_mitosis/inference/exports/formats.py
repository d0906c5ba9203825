"""The formats by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmdet_mitosis.inference.exports.coco import write_coco
from mmdet_mitosis.inference.exports.csv_file import write_csv
from mmdet_mitosis.inference.exports.geojson import write_geojson
from mmdet_mitosis.inference.exports.multiple_points import write_multiple_points
from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult


class Writer(Protocol):
    """Writes a slide's detections to a file that appears whole or not at all."""

    def __call__(
        self, path: str | Path, result: SlideResult, hotspot: Hotspot | None = None
    ) -> None: ...


@dataclass(frozen=True)
class Format:
    """A format of detections.

    Attributes:
        file_name: Of its file in a slide's folder.
        write: Its writer.
        help: What it is for, for the user.
    """

    file_name: str
    write: Writer
    help: str


FORMATS = {
    "csv": Format("detections.csv", write_csv, "a table of the mitoses, for spreadsheets"),
    "geojson": Format("detections.geojson", write_geojson, "mitoses and hotspot, for QuPath"),
    "coco": Format("detections.json", write_coco, "COCO results, for tools/score.py"),
    "midog": Format(
        "mitotic-figures.json",
        write_multiple_points,
        "points in mm, for grand-challenge.org and MIDOG",
    ),
}
