"""Points in millimetres, as grand-challenge.org and MIDOG take them.

Source: grand-challenge.org's schema ``MPOI`` (``app/grandchallenge/components/schemas.py``): points
of three numbers, probabilities of 0 to 1, no other keys. MIDOG's reference algorithms
(``MIDOG_reference_docker``, ``MIDOG25_T1_reference_docker``) give x, y and 0 in mm, and besides the
decision in ``name`` also what scores below the threshold, which average precision needs.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmdet_mitosis.cli import encodable
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult

MITOSIS, OTHER = "mitotic figure", "non-mitotic figure"


def multiple_points(result: SlideResult) -> dict[str, Any]:
    """Give a slide's detections as ``Multiple points``.

    Args:
        result: The slide.

    Returns:
        All detections, by descending score, in mm from the slide's left and top; those above the
        threshold are named mitotic figures, the others non-mitotic figures.
    """
    found, mm = result.detections, result.mpp / 1000
    rows = zip(
        found.centers_xy.tolist(),
        np.clip(found.scores, 0, 1).tolist(),
        (found.scores >= result.threshold).tolist(),
        strict=True,
    )
    points = [
        {
            "name": MITOSIS if counts else OTHER,
            "point": [x * mm, y * mm, 0],
            "probability": score,
        }
        for (x, y), score, counts in rows
    ]
    return {
        "name": "Points of interest",
        "type": "Multiple points",
        "points": points,
        "version": {"major": 1, "minor": 0},
    }


def write_multiple_points(
    path: str | Path, result: SlideResult, hotspot: Hotspot | None = None
) -> None:
    """Write a slide's detections as ``Multiple points``.

    Args:
        path: File to write; it appears whole or not at all.
        result: The slide.
        hotspot: Not told in this format.
    """
    write_json_atomic(path, multiple_points(result))


def write_points_by_image(path: str | Path, results: Iterable[SlideResult]) -> None:
    """Write the detections of several slides, by file name, as ``tools/score.py`` takes them.

    Args:
        path: File to write; it appears whole or not at all.
        results: The slides.

    Raises:
        ValueError: If two of them have the same file name.
    """
    by_image: dict[str, dict] = {}
    for result in results:
        name = encodable(result.file_name)
        if name in by_image:
            raise ValueError(f"two slides have the file name {name!r}; expected one of each")
        by_image[name] = multiple_points(result)
    write_json_atomic(path, by_image)
