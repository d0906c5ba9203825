"""Reading the pixels around a candidate."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.datasets.fields import field_size, read_window
from mmdet_mitosis.transforms.crop_candidate import crop_indices


@TRANSFORMS.register_module()
class LoadCandidate(BaseTransform):
    """Read a square around a candidate, reflected where it reaches beyond the field.

    It is the same as :func:`~mmdet_mitosis.transforms.crop_candidate.crop_around` cuts from the
    whole field, of which no more is read than the square shows.

    Required Keys:

    - img_path
    - field_shape
    - point

    Added Keys:

    - img (np.uint8, (size, size, 3), BGR as MMDetection has it)
    - img_shape
    - ori_shape

    Args:
        size: Side of the square, px of the field.

    Raises:
        ValueError: If the size is not positive.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1 px, got {size}")
        self.size = size

    def transform(self, results: dict) -> dict:
        """Add the square's pixels.

        Args:
            results: A record of ``CandidateDataset``.

        Returns:
            The same dictionary with the added keys.

        Raises:
            FileNotFoundError: If the field is not there.
            ValueError: If it is not of the size that the candidates' file says, or cannot be read.
        """
        path = results["img_path"]
        height, width = results["field_shape"]
        found = field_size(path)
        if found != (width, height):
            raise ValueError(
                f"{path} is {found[0]} x {found[1]} px, its candidates' file says "
                f"{width} x {height}"
            )
        x, y = results["point"]
        columns, rows = crop_indices(x, self.size, width), crop_indices(y, self.size, height)
        left, top = columns.min(), rows.min()
        part = read_window(path, (left, top, columns.max() + 1, rows.max() + 1))
        square = part[(rows - top)[:, None], columns - left]
        results["img"] = np.ascontiguousarray(square[..., ::-1])
        results["img_shape"] = results["ori_shape"] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f"LoadCandidate(size={self.size})"
