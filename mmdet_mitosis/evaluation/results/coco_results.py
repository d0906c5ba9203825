"""COCO results: a list of detections in one json, or one a slide, as tools/infer.py writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdet_mitosis.evaluation.results.reading import Reading
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.json_file import finite, finite_list, load_json, shown

FORM = "COCO results"
IMAGES = "_images.json"
"""Ends the name of the file that tells the images of results beside it."""


def read_coco_results(path: Path, records: list, target: Target) -> Reading:
    """Read a list of detections.

    Each has ``image_id``, ``category_id``, ``score`` and ``bbox`` (x, y, width, height) or
    ``point`` (x, y), px of the image; the point wins, and moves the box. Polygons of
    ``segmentation`` are kept; a mask that is encoded otherwise is not. Where ``<stem>_images.json``
    lies beside the file, the ids are of its images, which the ground truth has by their names.

    Args:
        path: The file, for messages.
        records: Its content.
        target: The ground truth.

    Returns:
        The detections of mitoses, by image id of the json of the ground truth.

    Raises:
        ValueError: If a record lacks something, holds what it cannot, or is of an image that the
            ground truth does not have, or if none is of a mitosis; names the record, from 1.
    """
    reading, others = Reading(FORM), set()
    _read_list(path, records, target, reading, others)
    _check_categories(path, len(records), others, reading, target)
    return reading


def read_coco_files(folder: Path, files: list[Path], target: Target) -> Reading:
    """Read the detections of slides, a list each with a file of its images beside it.

    Args:
        folder: The folder that they are in, for messages.
        files: The lists.
        target: The ground truth.

    Returns:
        As :func:`read_coco_results`.

    Raises:
        ValueError: As :func:`read_coco_results`, and if two are of the same image.
    """
    reading, others, n_records = Reading(FORM), set(), 0
    for path in files:
        records = load_json(path, "a list of detections")
        if not isinstance(records, list):
            raise ValueError(f"{path} is {shown(records)}; expected a list of detections")
        _read_list(path, records, target, reading, others)
        n_records += len(records)
    _check_categories(folder, n_records, others, reading, target)
    return reading


def images_of(path: Path) -> Path:
    """Name the file that tells the images of results.

    Args:
        path: The results.

    Returns:
        ``<stem>_images.json`` beside it, whether it is there or not.
    """
    return path.with_name(f"{path.stem}{IMAGES}")


def _read_list(
    path: Path, records: list, target: Target, reading: Reading, others: set[int]
) -> None:
    """Take the records of one file, and the categories that are none of mitoses."""
    own = _own_images(images_of(path), target, reading)
    for number, record in enumerate(records, start=1):
        where = f"{path}, record {number}"
        if not isinstance(record, dict):
            raise ValueError(f"{where} is {shown(record)}; expected an object")
        image_id = _image_id(record, where, target, own)
        category = _value(record, "category_id", where)
        if not isinstance(category, int) or isinstance(category, bool):
            raise ValueError(f"{where}: category_id is {shown(category)}; expected a whole number")
        if category not in target.mitosis_ids:
            others.add(category)
            reading.left_out["detections of other categories"] += 1
        elif image_id is None or target.images[image_id] is None:
            reading.left_out["detections in images that nobody has labelled"] += 1
        else:
            center_xy, size = _place(record, where)
            outline = _polygons(record, where)
            reading.add(image_id, center_xy, _score(record, where), size, outline)


def _own_images(path: Path, target: Target, reading: Reading) -> dict[int, int | None] | None:
    """Find the fields of the images that results are of; None where nothing tells them."""
    if not path.is_file() or target.truth.tiles:
        return None
    content = load_json(path, "the images of COCO results")
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        raise ValueError(f"{path} has no list 'images'; expected the images of COCO results")
    own: dict[int, int | None] = {}
    for number, image in enumerate(images, start=1):
        where = f"{path}, image {number}"
        known = isinstance(image, dict) and isinstance(image.get("file_name"), str)
        if not known or type(image.get("id")) is not int or image["id"] in own:
            raise ValueError(
                f"{where} is {shown(image)}; expected a file_name and an id of its own"
            )
        field = target.field_named(image["file_name"], where)
        own[image["id"]] = field.image_id if field else None
        if field:
            reading.open_image(field.image_id, where)
    return own


def _check_categories(
    path: Path, n_records: int, others: set[int], reading: Reading, target: Target
) -> None:
    """Refuse results of which none is of a mitosis."""
    if others and reading.left_out["detections of other categories"] == n_records:
        raise ValueError(
            f"{path} has no detection of a mitosis: its categories are {_listed(others)}, that of "
            f"mitoses in {target.path} is {_listed(target.mitosis_ids)}"
        )


def _value(record: dict, key: str, where: str) -> Any:
    """Take a value that must be there."""
    if key not in record:
        raise ValueError(f"{where} lacks {key!r}")
    return record[key]


def _image_id(
    record: dict, where: str, target: Target, own: dict[int, int | None] | None
) -> int | None:
    """Take the id of an image that the ground truth has; None where nobody has labelled it."""
    image_id = _value(record, "image_id", where)
    if not isinstance(image_id, int | str) or isinstance(image_id, bool):
        raise ValueError(f"{where}: image_id is {shown(image_id)}; expected an id of an image")
    if own is not None:
        if image_id not in own:
            raise ValueError(f"{where} is of image {shown(image_id)}, which the file beside lacks")
        return own[image_id]
    if image_id not in target.images:
        raise ValueError(
            f"{where} is of image {shown(image_id)}, which {target.path} does not have"
        )
    return image_id


def _score(record: dict, where: str) -> float:
    """Take the score."""
    score = finite(_value(record, "score", where))
    if score is None:
        raise ValueError(f"{where}: score is {shown(record['score'])}; expected a finite number")
    return score


def _place(record: dict, where: str) -> tuple[tuple[float, float], tuple[float, float]]:
    """Take the centre, and the size of the box, px."""
    center = size = None
    if "bbox" in record:
        box = finite_list(record["bbox"], 4)
        if box is None or min(box[2:]) < 0:
            raise ValueError(
                f"{where}: bbox is {shown(record['bbox'])}; expected x, y, width and height, "
                "finite, the latter two not below 0"
            )
        x, y, width, height = box
        center, size = (x + width / 2, y + height / 2), (width, height)
    if "point" in record:
        point = finite_list(record["point"], 2)
        if point is None:
            raise ValueError(
                f"{where}: point is {shown(record['point'])}; expected x and y, finite"
            )
        center = (point[0], point[1])
    if center is None:
        raise ValueError(f"{where} lacks 'bbox' or 'point'")
    return center, size or (0.0, 0.0)


def _polygons(record: dict, where: str) -> list[list[float]]:
    """Take the outline of the mask, if it is one of polygons."""
    given = record.get("segmentation")
    if not isinstance(given, list):
        return []
    for flat in given:
        if not isinstance(flat, list) or len(flat) % 2 or finite_list(flat, len(flat)) is None:
            raise ValueError(
                f"{where}: segmentation holds {shown(flat)}; expected polygons [x, y, x, y, …]"
            )
    return given


def _listed(ids: set[int] | frozenset[int]) -> str:
    """List ids."""
    return ", ".join(map(str, sorted(ids)))
