"""QuPath's point annotations as GeoJSON, in pixels, x first."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.sources.text import load_json
from mmdet_mitosis.json_file import finite, shown


@dataclass(frozen=True)
class Point:
    """One point: the number of its feature in the file, from 1, its place, px, and its class."""

    number: int
    xy: tuple[float, float]
    label: str | None


def read_points(path: Path) -> tuple[list[Point], list[str]]:
    """Read the points of one image.

    Args:
        path: A ``FeatureCollection``, a bare list of features, or one feature. Of the features
            ``Point`` and ``MultiPoint`` count; the class is ``properties.classification.name``.

    Returns:
        The points, and one sentence for each kind of other features.

    Raises:
        ValueError: If it is no such file, or a point has no two finite coordinates.
    """
    content = load_json(path, "GeoJSON")
    points, others = [], Counter[str]()
    for number, feature in enumerate(_features(path, content), start=1):
        where = f"{path}, feature {number}"
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict):
            raise ValueError(f"{where} has no geometry")
        kind = geometry.get("type")
        if kind not in ("Point", "MultiPoint"):  # a tuple: what is there need not be hashable
            others[kind if isinstance(kind, str) else shown(kind)] += 1
            continue
        places = geometry.get("coordinates")
        label = _label(feature)
        for place in [places] if kind == "Point" else places if isinstance(places, list) else [0]:
            points.append(Point(number, _xy(place, where), label))
    return points, [
        f"{path}: {count} features are {kind}, no points" for kind, count in sorted(others.items())
    ]


def _features(path: Path, content: Any) -> list:
    """Give the list of features."""
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    elif isinstance(content, dict) and content.get("type") == "Feature":
        content = [content]
    if not isinstance(content, list):
        raise ValueError(f"{path} holds no features; expected a FeatureCollection or a list")
    return content


def _label(feature: dict) -> str | None:
    """Give the class of a feature; QuPath writes a derived one as several names."""
    properties = feature.get("properties")
    classification = properties.get("classification") if isinstance(properties, dict) else None
    if isinstance(classification, dict):
        names = classification.get("names")
        joined = ": ".join(map(str, names)) if isinstance(names, list) else ""
        classification = classification.get("name") or joined
    return str(classification).strip() or None if classification else None


def _xy(place: Any, where: str) -> tuple[float, float]:
    """Read one place; a third coordinate, z, is no matter."""
    numbers = [finite(value) for value in place] if isinstance(place, list) else []
    if len(numbers) not in {2, 3} or None in numbers:
        raise ValueError(f"{where}: coordinates are {json.dumps(place)[:60]}; expected [x, y]")
    return numbers[0], numbers[1]
