"""Places, outlines and sizes of a COCO json of fields, checked one by one."""

from __future__ import annotations

from mmdet_mitosis.coco_file import MAX_SIDE, need, text
from mmdet_mitosis.json_file import finite, finite_list, shown

MAX_COORDINATE = 10.0 * MAX_SIDE
"""Furthest that an outline may reach, px; it may reach beyond its image."""
MIN_MPP, MAX_MPP = 0.01, 100.0
"""What a microscope can make, µm a pixel."""
EDGE_PX = 1
"""How far a centroid or box may lie beyond its image, for what rounds."""


def centroid_of(ann: dict, image: dict, name: str) -> tuple[float, float]:
    """Take the centroid of an annotation.

    Args:
        ann: The annotation.
        image: Its image.
        name: What the annotation is called.

    Returns:
        x and y, px.

    Raises:
        ValueError: If it is none, or lies outside the image.
    """
    centroid = finite_list(need(ann, "centroid", name), 2)
    if centroid is None:
        raise ValueError(f"centroid must be [x, y], got {shown(ann['centroid'])} in {name}")
    x, y = centroid
    width, height = image["width"], image["height"]
    if not (-EDGE_PX <= x <= width + EDGE_PX and -EDGE_PX <= y <= height + EDGE_PX):
        raise ValueError(
            f"the centroid {shown(ann['centroid'])} of {name} lies outside its image of "
            f"{width} x {height} px"
        )
    return x, y


def polygons_of(ann: dict, name: str) -> list[list[float]]:
    """Take the outline of an annotation.

    Args:
        ann: The annotation.
        name: What it is called.

    Returns:
        COCO polygons, px; none where it has no outline, or one that is encoded otherwise.

    Raises:
        ValueError: If one of them is no polygon.
    """
    given = ann.get("segmentation")
    if given is None or isinstance(given, dict):
        return []
    if not isinstance(given, list):
        raise ValueError(f"the segmentation of {name} is {shown(given)}; expected polygons")
    for flat in given:
        is_long = isinstance(flat, list) and len(flat) >= 6 and len(flat) % 2 == 0
        numbers = finite_list(flat, len(flat)) if is_long else None
        if numbers is None or max(map(abs, numbers)) > MAX_COORDINATE:
            raise ValueError(
                f"the segmentation of {name} holds {shown(flat)}; expected polygons "
                "[[x, y, x, y, x, y, …], …], finite"
            )
    return given


def mpp_of(image: dict, otherwise: float | None = None) -> float | None:
    """Take the size of a pixel of an image.

    Args:
        image: The image.
        otherwise: What stands in where the image does not say it, µm.

    Returns:
        The size, µm; None if nobody says it.

    Raises:
        ValueError: If it is none that a microscope makes.
    """
    given = image.get("mpp", otherwise)
    if given is None:
        return None
    mpp = finite(given)
    if mpp is None or mpp <= 0:
        raise ValueError(f"mpp must be positive, got {shown(given)} for {image['file_name']}")
    if not MIN_MPP <= mpp <= MAX_MPP:
        raise ValueError(
            f"mpp must be {MIN_MPP:g} to {MAX_MPP:g} µm, got {shown(given)} for "
            f"{image['file_name']}"
        )
    return mpp


def name_of(image: dict, key: str, otherwise: str) -> str:
    """Take what an image says of itself, as its case.

    Args:
        image: The image.
        key: Name of the value: a text or a whole number, or null where it is not known.
        otherwise: What stands in where the image does not say it.

    Returns:
        The text.

    Raises:
        ValueError: If it is none.
    """
    value = image.get(key)
    if value is None:
        return otherwise
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(image, key, f"image {shown(image['id'])}")
