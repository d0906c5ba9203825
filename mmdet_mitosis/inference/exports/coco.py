"""COCO results, and the images that they are of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmdet_mitosis.cli import encodable
from mmdet_mitosis.evaluation.detections import save_detections
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.inference.hotspot import Hotspot
from mmdet_mitosis.inference.records import SlideResult

IMAGE_ID = 1


def write_coco(path: str | Path, result: SlideResult, hotspot: Hotspot | None = None) -> None:
    """Write a slide's detections as COCO results, also those below the threshold.

    The results are a list and hold no image. Beside them, in ``<stem>_images.json``, there is the
    COCO json that they belong to: the slide as image 1, the category, no annotation. It is what
    pycocotools' ``COCO(...).loadRes(...)`` starts from.

    Args:
        path: File to write; it appears whole or not at all.
        result: The slide.
        hotspot: Not told in this format.
    """
    path = Path(path)
    write_json_atomic(path.with_name(f"{path.stem}_images.json"), coco_images([result]))
    save_detections(path, {IMAGE_ID: result.detections})


def coco_images(results: Iterable[SlideResult]) -> dict[str, Any]:
    """Describe slides as a COCO json without annotations.

    Args:
        results: The slides.

    Returns:
        Images, numbered from 1, with ``case`` and ``mpp``; the category, 1, as the results name
        it; and no annotation.
    """
    images = [
        {
            "id": image_id,
            "file_name": encodable(result.file_name),
            "width": result.width,
            "height": result.height,
            "case": encodable(result.case),
            "mpp": result.mpp,
            "labelled": False,
        }
        for image_id, result in enumerate(results, start=IMAGE_ID)
    ]
    return {"images": images, "categories": [{"id": 1, "name": "mitosis"}], "annotations": []}
