"""Reading the pixels of one window."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.datasets.fields import read_field


@TRANSFORMS.register_module()
class LoadWindow(BaseTransform):
    """Read one window of a field.

    Required Keys:

    - img_path
    - window_xyxy
    - field_shape

    Added Keys:

    - img (np.uint8, (h, w, 3), BGR as MMDetection has it)
    - img_shape
    - ori_shape
    - scale_factor
    """

    def transform(self, results: dict) -> dict:
        """Add the window's pixels.

        Args:
            results: A record of ``MitosisDataset``.

        Returns:
            The same dictionary with the added keys.

        Raises:
            ValueError: If the image is not of the size that the annotations say.
        """
        field = read_field(results["img_path"])
        height, width = results["field_shape"]
        if field.shape[:2] != (height, width):
            raise ValueError(
                f"{results['img_path']} is {field.shape[1]} x {field.shape[0]} px, "
                f"its annotations say {width} x {height}"
            )
        x1, y1, x2, y2 = results["window_xyxy"]
        image = np.ascontiguousarray(field[y1:y2, x1:x2, ::-1])
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        results["scale_factor"] = (1.0, 1.0)
        return results

    def __repr__(self) -> str:
        return "LoadWindow()"
