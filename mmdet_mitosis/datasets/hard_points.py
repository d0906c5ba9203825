"""Points that a detector takes for mitoses, and the windows that show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mmdet_mitosis.coco_file import Id, identity, need, objects, read_images, text
from mmdet_mitosis.json_file import finite_list, load_json, shown

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
    path = Path(path)
    content = load_json(path, "a json of candidates")
    found: dict[str, list] = defaultdict(list)
    try:
        images = read_images(content)
        for candidate in objects(content, "candidates"):
            source = text(candidate, "source", candidate_name(candidate))
            point = point_of(candidate, images)
            if source in HARD:
                found[images[candidate["image_id"]]["file_name"]].append(point)
    except ValueError as error:
        raise ValueError(
            f"{path} is no json of candidates: {error}; tools/mine_candidates.py makes it"
        ) from error
    return {name: np.array(points, dtype=float).reshape(-1, 2) for name, points in found.items()}


def candidate_name(candidate: dict) -> str:
    """Say which candidate it is.

    Args:
        candidate: The candidate.

    Returns:
        As ``candidate 7``.

    Raises:
        ValueError: If it has no id.
    """
    return f"candidate {shown(identity(candidate, 'id', 'a candidate'))}"


def point_of(candidate: dict, images: Mapping[Id, dict]) -> tuple[float, float]:
    """Take the point of a candidate.

    Args:
        candidate: The candidate.
        images: The images of its file, by their ids.

    Returns:
        x and y, px of its image.

    Raises:
        ValueError: If it is none, or the image is not there, or it lies outside.
    """
    name = candidate_name(candidate)
    point = finite_list(need(candidate, "point", name), 2)
    if point is None:
        raise ValueError(f"the point of {name} must be finite, got {shown(candidate['point'])}")
    if identity(candidate, "image_id", name) not in images:
        raise ValueError(f"{name} is of no image: {shown(candidate['image_id'])}")
    image = images[candidate["image_id"]]
    if not (0 <= point[0] <= image["width"] and 0 <= point[1] <= image["height"]):
        raise ValueError(
            f"the point {shown(candidate['point'])} of {name} lies outside its image of "
            f"{image['width']} x {image['height']} px"
        )
    return point[0], point[1]


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
