"""Turning a window by quarters."""

from __future__ import annotations

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from mmdet_mitosis.geometry.turns import turn_boxes, turn_points


@TRANSFORMS.register_module()
class RotateWindow(BaseTransform):
    """Turn a window with its objects by 0°, 90°, 180° or 270°, each as likely as the others.

    Whole pixels move; none is computed anew. With ``RandomFlip`` in one direction, all eight
    orientations of a window occur.

    Required Keys:

    - img ((h, w, 3))
    - gt_bboxes (optional)
    - gt_masks (optional)

    Modified Keys:

    - img ((w, h, 3) after an odd number of quarters)
    - img_shape
    - gt_bboxes
    - gt_masks
    """

    def transform(self, results: dict) -> dict:
        """Turn the window.

        Args:
            results: With the required keys.

        Returns:
            The same dictionary.
        """
        quarters = self._random_quarters()
        height, width = results["img"].shape[:2]
        results["img"] = np.ascontiguousarray(np.rot90(results["img"], quarters))
        results["img_shape"] = results["img"].shape[:2]
        if "gt_bboxes" in results:
            boxes = results["gt_bboxes"]
            turned = turn_boxes(boxes.tensor.numpy(), width, height, quarters)
            results["gt_bboxes"] = type(boxes)(torch.from_numpy(turned).to(boxes.tensor.dtype))
        if "gt_masks" in results:
            results["gt_masks"] = turn_masks(results["gt_masks"], quarters)
        return results

    @cache_randomness
    def _random_quarters(self) -> int:
        """Draw a number of quarter turns."""
        return int(np.random.randint(4))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def turn_masks(masks: BitmapMasks | PolygonMasks, quarters: int) -> BitmapMasks | PolygonMasks:
    """Turn masks, as ``numpy.rot90`` turns an image.

    Args:
        masks: Of an image.
        quarters: Turns of 90° against the clock.

    Returns:
        Those of the turned image.
    """
    width, height = masks.width, masks.height
    turned_height, turned_width = (width, height) if quarters % 2 else (height, width)
    if isinstance(masks, BitmapMasks):
        pixels = np.ascontiguousarray(np.rot90(masks.masks, quarters, axes=(1, 2)))
        return BitmapMasks(pixels, turned_height, turned_width)
    polygons = [
        [turn_points(flat, width, height, quarters).ravel() for flat in polygons]
        for polygons in masks.masks
    ]
    return PolygonMasks(polygons, turned_height, turned_width)
