"""Points that a detector takes for mitoses, and the windows that show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmdet_mitosis.json_file import load_json

HARD = ("false_positive", "look_alike")
"""Sources of candidates that are hard; the others are mitoses, and nuclei drawn at random."""


def read_hard_points(path: str | Path) -> dict[str, np.ndarray]:
    """Read the false positives and look-alikes of a file of candidates.

    Args:
        path: ``candidates/<split>.json`` of ``tools/mine_candidates.py``.

    Returns:
        (N, 2) points, px of the field, x first, by the file name of the field.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no json of candidates.
    """
    content = load_json(Path(path), "a json of candidates")
    found: dict[str, list] = defaultdict(list)
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        for candidate in content["candidates"]:
            if candidate["source"] in HARD:
                found[names[candidate["image_id"]]].append(candidate["point"])
        return {
            name: np.array(points, dtype=float).reshape(-1, 2) for name, points in found.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no json of candidates ({error!r}); tools/mine_candidates.py makes it"
        ) from error


def shows_point(record: dict, points: Mapping[str, np.ndarray]) -> bool:
    """Tell whether a window shows one of some points.

    Args:
        record: Of ``MitosisDataset``: ``img_path`` and ``window_xyxy``.
        points: As of :func:`read_hard_points`.

    Returns:
        Whether one lies inside.
    """
    for name, found in points.items():
        if f"/{Path(record['img_path']).as_posix()}".endswith(f"/{name}"):
            x1, y1, x2, y2 = record["window_xyxy"]
            return bool(((found >= (x1, y1)) & (found < (x2, y2))).all(axis=1).any())
    return False
