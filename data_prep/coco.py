"""From fields to COCO json."""

from __future__ import annotations

import numpy as np
import shapely

from data_prep.records import Archive, Field, Mitosis
from mmdet_mitosis.geometry.shapes import clip_to_field, pixel_polygons, synthetic_polygon

CATEGORIES = [{"id": 1, "name": "mitosis"}]


def to_coco(archive: Archive, fields: list[Field], shape: str, seed: int) -> dict:
    """Write some fields of an archive as one COCO dictionary.

    Args:
        archive: The archive that they are of.
        fields: The fields.
        shape: ``circle``, ``ellipse``, ``mixed``, or ``contour`` for real outlines.
        seed: Seed of the synthetic shapes.

    Returns:
        The dictionary, the same for the same fields. Beside COCO's own keys, an image has
        ``name case scanner mpp labelled``, an annotation ``centroid`` and ``shape``; lengths are
        px of the field, x first.

    Raises:
        ValueError: If ``contour`` is asked for and there are only centroids.
    """
    images, annotations = [], []
    for image_id, field in enumerate(fields, start=1):
        images.append(
            {
                "id": image_id,
                "file_name": file_name(archive, field),
                "width": field.width,
                "height": field.height,
                "name": field.name,
                "case": field.case,
                "scanner": field.scanner,
                "mpp": field.mpp,
                "labelled": field.labelled,
            }
        )
        for mitosis in field.mitoses:
            annotation = _annotation(field, mitosis, shape, seed)
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1, **annotation}
            )
    return {
        "info": {"source": archive.source, "shape": shape, "seed": seed},
        "images": images,
        "annotations": annotations,
        "categories": CATEGORIES,
    }


def file_name(archive: Archive, field: Field) -> str:
    """Name a field's image below ``images/``, where the archive is linked by its source's name.

    Args:
        archive: The archive.
        field: The field.

    Returns:
        A relative path with forward slashes.
    """
    return f"{archive.source}/{field.image_path.relative_to(archive.root).as_posix()}"


def _annotation(field: Field, mitosis: Mitosis, shape: str, seed: int) -> dict:
    """Describe one mitosis."""
    if shape == "contour":
        if mitosis.pixels_xy is None:
            raise ValueError(
                f"{mitosis.label_file} has centroids only: take --shape circle, ellipse or mixed"
            )
        kind, outlines = "contour", pixel_polygons(mitosis.pixels_xy)
    else:
        key = f"{field.case}|{field.name}"
        kind, outline = synthetic_polygon(mitosis.centroid_xy, field.mpp, key, shape, seed)
        outlines = [outline]
    polygons = clip_to_field(outlines, field.width, field.height)
    rings = [np.reshape(flat, (-1, 2)) for flat in polygons]
    points = np.concatenate(rings)
    (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return {
        "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
        "area": round(sum(shapely.Polygon(ring).area for ring in rings), 2),
        "iscrowd": 0,
        "segmentation": polygons,
        "centroid": list(mitosis.centroid_xy),
        "shape": kind,
    }
