"""What a COCO json of fields must hold, checked before anything is made of it.

What is wrong is said without the name of the file, which the caller puts before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdet_mitosis.json_file import shown

MAX_SIDE = 1_000_000
"""Longest side of an image, px: 25 cm of glass."""
MAX_TEXT = 1000
"""Letters of a name or path."""

Id = int | str


@dataclass(frozen=True)
class CocoParts:
    """The parts of a json: names of categories and images by their ids, and annotations."""

    categories: dict[Id, str]
    images: dict[Id, dict]
    annotations: list[dict]


def read_parts(content: Any) -> CocoParts:
    """Take a json of fields apart.

    Args:
        content: What the json holds.

    Returns:
        Its parts: ids are there and stand for one thing each, images have a name and a size, and
        annotations are of an image and a category that is there.

    Raises:
        ValueError: If it is not so; names the record and the value.
    """
    categories = by_id(objects(content, "categories"), "category", "categories")
    names = {i: text(c, "name", f"category {i!r}") for i, c in categories.items()}
    images = read_images(content)
    annotations = objects(content, "annotations")
    seen: set[Id] = set()
    for number, ann in enumerate(annotations, start=1):
        name = annotation_name(ann, number)
        if "id" in ann and identity(ann, "id", name) in seen:
            raise ValueError(f"two annotations have the same id, {shown(ann['id'])}")
        seen.add(ann.get("id", f"number {number}"))
        if identity(ann, "image_id", name) not in images:
            raise ValueError(f"{name} is of no image: {shown(ann['image_id'])}")
        if identity(ann, "category_id", name) not in names:
            raise ValueError(f"{name} is of no category: {shown(ann['category_id'])}")
    return CocoParts(names, images, annotations)


def read_images(content: Any) -> dict[Id, dict]:
    """Take the images of a json.

    Args:
        content: What the json holds.

    Returns:
        The images by their ids; each has a name and a size.

    Raises:
        ValueError: If it is not so; names the image and the value.
    """
    images = by_id(objects(content, "images"), "image", "images")
    for image_id, image in images.items():
        name = f"image {shown(image_id)}"
        text(image, "file_name", name)
        for key in ("width", "height"):
            side = need(image, key, name)
            if type(side) is not int or not 0 < side <= MAX_SIDE:
                raise ValueError(
                    f"{name} has the {key} {shown(side)}; expected a whole number of 1 to "
                    f"{MAX_SIDE} px"
                )
        if not isinstance(image.get("labelled", True), bool):
            raise ValueError(
                f"{name} has labelled {shown(image['labelled'])}; expected true or false"
            )
    return images


def objects(content: Any, key: str) -> list[dict]:
    """Take a list of objects.

    Args:
        content: What the json holds.
        key: Name of the list.

    Returns:
        The list.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(content, dict):
        raise ValueError(f"it is {shown(content)}; expected an object with {key!r}")
    if key not in content:
        raise ValueError(f"it lacks {key!r}")
    if not isinstance(content[key], list):
        raise ValueError(f"{key!r} is {shown(content[key])}; expected a list")
    for number, record in enumerate(content[key], start=1):
        if not isinstance(record, dict):
            raise ValueError(f"number {number} of {key!r} is {shown(record)}; expected an object")
    return content[key]


def by_id(records: list[dict], one: str, many: str) -> dict[Id, dict]:
    """Give records by their ids.

    Args:
        records: The records.
        one: What one is called.
        many: What several are called.

    Returns:
        The records, in their order.

    Raises:
        ValueError: If one has no id, or two have the same.
    """
    found: dict[Id, dict] = {}
    for number, record in enumerate(records, start=1):
        key = identity(record, "id", f"{one} number {number}")
        if key in found:
            raise ValueError(f"two {many} have the same id, {shown(key)}")
        found[key] = record
    return found


def need(record: dict, key: str, name: str) -> Any:
    """Take a value that must be there.

    Args:
        record: The record.
        key: Name of the value.
        name: What the record is called.

    Returns:
        The value.

    Raises:
        ValueError: If it is not there.
    """
    if key not in record:
        raise ValueError(f"{name} lacks {key!r}")
    return record[key]


def identity(record: dict, key: str, name: str) -> Id:
    """Take an id: a whole number or a text.

    Args:
        record: The record.
        key: Name of the value.
        name: What the record is called.

    Returns:
        The id.

    Raises:
        ValueError: If it is none.
    """
    value = need(record, key, name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{name} has the {key} {shown(value)}; expected a whole number or a text")
    return value


def text(record: dict, key: str, name: str) -> str:
    """Take a text that can be written and can be part of a path.

    Args:
        record: The record.
        key: Name of the value.
        name: What the record is called.

    Returns:
        The text, not empty.

    Raises:
        ValueError: If it is none.
    """
    value = need(record, key, name)
    if not isinstance(value, str) or not is_writable(value):
        raise ValueError(f"{name} has the {key} {shown(value)}; expected a text")
    return value


def is_writable(value: str) -> bool:
    """Tell whether a text can be a name: not blank, not endless, no half of a letter, no zero byte.

    Args:
        value: The text.

    Returns:
        Whether it can.
    """
    halves = any("\ud800" <= letter <= "\udfff" for letter in value)
    return bool(value.strip()) and len(value) <= MAX_TEXT and not halves and "\0" not in value


def annotation_name(ann: dict, number: int) -> str:
    """Say which annotation it is.

    Args:
        ann: The annotation.
        number: Its place in the list, from 1.

    Returns:
        As ``annotation 7``.
    """
    return f"annotation {shown(ann['id'])}" if "id" in ann else f"annotation number {number}"
