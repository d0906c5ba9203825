"""Reading the pixels of one window."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.datasets.fields import field_size, read_window


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
        path = results["img_path"]
        height, width = results["field_shape"]
        found = field_size(path)
        if found != (width, height):
            raise ValueError(
                f"{path} is {found[0]} x {found[1]} px, its annotations say {width} x {height}"
            )
        window = read_window(path, results["window_xyxy"])
        image = np.ascontiguousarray(window[..., ::-1])
        results["img"] = image
        results["img_shape"] = results["ori_shape"] = image.shape[:2]
        results["scale_factor"] = (1.0, 1.0)
        return results

    def __repr__(self) -> str:
        return "LoadWindow()"
