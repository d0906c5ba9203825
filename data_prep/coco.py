"""From fields to COCO json."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import shapely

from data_prep.records import Archive, Cell, Field
from mmdet_mitosis.geometry.shapes import clip_to_field, pixel_polygons, synthetic_polygon

MITOSIS = {"id": 1, "name": "mitosis"}
LOOK_ALIKE = {"id": 2, "name": "look-alike"}


def to_coco(
    archive: Archive, fields: list[Field], shape: str, seed: int, look_alikes: bool = False
) -> dict:
    """Write some fields of an archive as one COCO dictionary.

    Args:
        archive: The archive that they are of.
        fields: The fields.
        shape: ``circle``, ``ellipse``, ``mixed``, or ``contour`` for real outlines.
        seed: Seed of the synthetic shapes.
        look_alikes: Whether look-alikes are written too, as a second category.

    Returns:
        The dictionary, the same for the same fields. Beside COCO's own keys, an image has
        ``name case scanner mpp labelled`` and, where it is known, ``tumour``; an annotation has
        ``centroid``, ``shape`` and, where it is known, ``confidence``; lengths are px of the field,
        x first.

    Raises:
        ValueError: If ``contour`` is asked for and there are only centroids.
    """
    images, annotations = [], []
    categories = [MITOSIS, LOOK_ALIKE] if look_alikes else [MITOSIS]
    for image_id, field in enumerate(fields, start=1):
        images.append({"id": image_id, "file_name": file_name(archive, field), **_image(field)})
        for category in categories:
            for cell in field.mitoses if category is MITOSIS else field.look_alikes:
                numbers = {"id": len(annotations) + 1, "image_id": image_id}
                drawn = _annotation(field, cell, shape, seed)
                annotations.append({**numbers, "category_id": category["id"], **drawn})
    return {
        "info": {"source": archive.source, "shape": shape, "seed": seed},
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def subset(coco: dict, image_ids: Collection[int]) -> dict:
    """Take some images of a COCO dictionary, with their annotations, under new ids.

    Args:
        coco: The dictionary; it is not changed.
        image_ids: Ids of the images.

    Returns:
        What ``to_coco`` would write of these fields alone.
    """
    images = [image for image in coco["images"] if image["id"] in image_ids]
    new_ids = {image["id"]: new for new, image in enumerate(images, start=1)}
    kept = [ann for ann in coco["annotations"] if ann["image_id"] in new_ids]
    annotations = [
        {**ann, "id": new, "image_id": new_ids[ann["image_id"]]}
        for new, ann in enumerate(kept, start=1)
    ]
    images = [{**image, "id": new_ids[image["id"]]} for image in images]
    return {**coco, "info": {**coco["info"]}, "images": images, "annotations": annotations}


def file_name(archive: Archive, field: Field) -> str:
    """Name a field's image below ``images/``, where the archive is linked by its source's name.

    Args:
        archive: The archive.
        field: The field.

    Returns:
        A relative path with forward slashes.
    """
    return f"{archive.source}/{field.image_path.relative_to(archive.root).as_posix()}"


def _image(field: Field) -> dict:
    """Describe one field."""
    known = {"tumour": field.tumour} if field.tumour is not None else {}
    return {
        "width": field.width,
        "height": field.height,
        "name": field.name,
        "case": field.case,
        "scanner": field.scanner,
        "mpp": field.mpp,
        "labelled": field.labelled,
        **known,
    }


def _annotation(field: Field, cell: Cell, shape: str, seed: int) -> dict:
    """Describe one cell."""
    if shape == "contour":
        if cell.pixels_xy is None:
            raise ValueError(
                f"{cell.label_file} has centroids only: take --shape circle, ellipse or mixed"
            )
        kind, outlines = "contour", pixel_polygons(cell.pixels_xy)
    else:
        key = f"{field.case}|{field.name}"
        kind, outline = synthetic_polygon(cell.centroid_xy, field.mpp, key, shape, seed)
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
        "centroid": list(cell.centroid_xy),
        "shape": kind,
        **({} if cell.confidence is None else {"confidence": cell.confidence}),
    }
