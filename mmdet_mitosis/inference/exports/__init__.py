"""Detections of a slide as files of other programs."""

from mmdet_mitosis.inference.exports.coco import coco_images, write_coco
from mmdet_mitosis.inference.exports.csv_file import write_csv
from mmdet_mitosis.inference.exports.formats import FORMATS, Format
from mmdet_mitosis.inference.exports.geojson import write_geojson
from mmdet_mitosis.inference.exports.multiple_points import (
    multiple_points,
    write_multiple_points,
    write_points_by_image,
)
from mmdet_mitosis.inference.exports.table import write_table

__all__ = [
    "FORMATS",
    "Format",
    "coco_images",
    "multiple_points",
    "write_coco",
    "write_csv",
    "write_geojson",
    "write_multiple_points",
    "write_points_by_image",
    "write_table",
]
