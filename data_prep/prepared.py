"""Json that prepare.py has written, read back and checked value by value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data_prep.coco_files import json_bytes
from mmdet_mitosis.coco_file import annotation_name, need, read_parts, text
from mmdet_mitosis.coco_values import centroid_of, mpp_of, polygons_of
from mmdet_mitosis.json_file import finite, finite_list, parse_json, short, shown

INFO = ("source", "shape", "seed", "split_name")
"""What a json of prepare.py says of itself."""


def load_prepared(path: Path) -> dict:
    """Read a json of fields.

    Args:
        path: The file.

    Returns:
        The COCO dictionary.

    Raises:
        ValueError: If it is none that prepare.py writes; names the record and the value.
    """
    try:
        coco = parse_json(path.read_bytes())
        _check(coco)
    except ValueError as error:
        raise ValueError(f"{path} is no json of prepare.py: {error}") from error
    return coco


def _check(coco: Any) -> None:
    """Refuse what prepare.py does not write."""
    parts = read_parts(coco)
    info = need(coco, "info", "it")
    if not isinstance(info, dict):
        raise ValueError(f"its info is {shown(info)}; expected an object")
    missing = [key for key in INFO if key not in info]
    if missing:
        raise ValueError(f"it has no {', '.join(missing)}")
    for own in (info, *_sources(info).values()):
        for key in INFO:
            if key in own and not isinstance(own[key], str | int):
                raise ValueError(f"the {key} of its info is {shown(own[key])}; expected a text")
        if not isinstance(own.get("stain"), dict | None):
            raise ValueError(f"the stain of its info is {shown(own['stain'])}; expected an object")
    for image_id, image in parts.images.items():
        name = f"image {shown(image_id)}"
        for key in ("name", "case", "scanner"):
            text(image, key, name)
        mpp_of(image)
    for number, ann in enumerate(coco["annotations"], start=1):
        name = annotation_name(ann, number)
        centroid_of(ann, parts.images[ann["image_id"]], name)
        if not polygons_of(ann, name):
            raise ValueError(f"{name} has no polygons")
        if finite_list(need(ann, "bbox", name), 4) is None or finite(ann.get("area")) is None:
            raise ValueError(f"{name} has no finite bbox or area")
    try:
        json_bytes(coco)  # also what is not looked at here is written again
    except ValueError as error:  # UnicodeEncodeError among them
        raise ValueError(f"it holds what prepare.py never writes: {short(error)}") from error


def _sources(info: dict) -> dict[str, dict]:
    """Give what a json of several sources says of each."""
    sources = info.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(v, dict) for v in sources.values()):
        raise ValueError(f"the sources of its info are {shown(sources)}; expected objects by name")
    return sources
