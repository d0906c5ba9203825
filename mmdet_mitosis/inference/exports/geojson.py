"""Mitoses and hotspot as objects of QuPath.

Source: QuPath's ``qupath-core/src/main/java/qupath/lib/io/QuPathTypeAdapters.java``,
``GsonTools.java`` and ``ROITypeAdapters.java``: since 0.4 ``id`` is a UUID, ``measurements`` an
object of numbers and the ``color`` of a class a list. Coordinates are px of the full resolution. A
text or NaN among the measurements stops the import of the whole file, and since 0.6 so does a
polygon that is not valid. QuPath draws no point *detections* when zoomed out
(``PathObjectPainter.java``), so points are annotations, or boxes if detections are asked for.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import shapely

from mmdet_mitosis.cli import encodable
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.inference.exports.outlines import box_outline, hotspot_outline, mask_outline
from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult

OBJECT_TYPES = ("annotation", "detection")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "mmdet_mitosis")
MITOSIS_RGB, HOTSPOT_RGB = [0, 170, 60], [30, 80, 230]


def write_geojson(
    path: str | Path,
    result: SlideResult,
    hotspot: Hotspot | None = None,
    object_type: str = "annotation",
) -> None:
    """Write a FeatureCollection that can be dropped onto the slide in QuPath.

    Each detection above the threshold is an object of class ``Mitosis`` with its score: the outline
    of its mask, or without masks its centre. The hotspot, if it holds any, is a locked annotation.
    The same results give the same ids.

    Args:
        path: File to write; it appears whole or not at all.
        result: The slide.
        hotspot: Its hotspot.
        object_type: ``annotation``: can be edited in QuPath; ``detection``: QuPath counts them in
            every annotation, and they have boxes where there are no masks.

    Raises:
        ValueError: For another type of object.
    """
    if object_type not in OBJECT_TYPES:
        raise ValueError(f"unknown object type {object_type!r}; choose {' or '.join(OBJECT_TYPES)}")
    features = _mitoses(result, object_type)
    if hotspot is not None and hotspot.count:
        features.insert(0, _hotspot(result, hotspot))
    value = {"type": "FeatureCollection", "slide": _slide(result), "features": features}
    write_json_atomic(path, value)


def _mitoses(result: SlideResult, object_type: str) -> list[dict[str, Any]]:
    """Make the objects of a slide's mitoses, by descending score."""
    found, features = result.found, []
    for i in range(len(found)):
        shape = mask_outline(found.polygons[i])
        if shape is None and object_type == "detection":
            shape = box_outline(found.bboxes_xyxy[i].tolist())
        if shape is None:
            shape = shapely.Point(*(round(v, 2) for v in found.centers_xy[i].tolist()))
        score = round(float(found.scores[i]), 6)
        properties = {
            "objectType": object_type,
            "name": f"Mitosis {score:.2f}",
            "classification": {"name": "Mitosis", "color": MITOSIS_RGB},
            "isLocked": False,
            "measurements": {"Score": score},
        }
        features.append(_feature(result, f"mitosis {i}", _geometry(shape), properties))
    return features


def _hotspot(result: SlideResult, hotspot: Hotspot) -> dict[str, Any]:
    """Make the object of the hotspot."""
    geometry = _geometry(hotspot_outline(hotspot, result))
    if hotspot.shape == "circle" and hotspot.area_mm2 == hotspot.window_mm2:
        geometry["isEllipse"] = True  # QuPath's own mark; others see the polygon
    properties = {
        "objectType": "annotation",
        "name": f"Hotspot: {hotspot.count} in {hotspot.area_mm2:.3g} mm²",
        "classification": {"name": "Hotspot", "color": HOTSPOT_RGB},
        "isLocked": True,
        "measurements": {"Mitoses": hotspot.count, "Area mm^2": round(hotspot.area_mm2, 6)},
    }
    return _feature(result, "hotspot", geometry, properties)


def _feature(
    result: SlideResult, key: str, geometry: dict[str, Any], properties: dict[str, Any]
) -> dict[str, Any]:
    """Make an object with an id that the slide, the key and the geometry decide."""
    names = [encodable(name) for name in (result.case, result.name, result.file_name)]
    text = json.dumps([*names, key, geometry], sort_keys=True)
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(NAMESPACE, text)),
        "geometry": geometry,
        "properties": properties,
    }


def _geometry(shape: shapely.Geometry) -> dict[str, Any]:
    """Give a shape as GeoJSON."""
    return json.loads(shapely.to_geojson(shape))


def _slide(result: SlideResult) -> dict[str, Any]:
    """Tell which slide it is; QuPath passes over it."""
    return {
        "name": encodable(result.name),
        "file_name": encodable(result.file_name),
        "case": encodable(result.case),
        "width": result.width,
        "height": result.height,
        "mpp": result.mpp,
        "threshold": result.threshold,
    }
