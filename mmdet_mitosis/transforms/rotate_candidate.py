"""Turning the crop around a candidate."""

from __future__ import annotations

import math

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS

ANGLES = ("quarter", "any")


@TRANSFORMS.register_module()
class RotateCandidate(BaseTransform):
    """Turn a crop about its candidate, and cut it to its final size.

    Any angle needs more of the field around the crop, so that no corner of the result is empty:
    ``LoadCandidate`` has to read a square of at least :meth:`context_size`. Quarter turns move
    whole pixels and need none.

    Required Keys:

    - img ((S, S, 3), the candidate in its middle)

    Modified Keys:

    - img ((size, size, 3))
    - img_shape

    Args:
        size: Side of the result, px.
        angles: ``quarter``: 0°, 90°, 180° or 270°. ``any``: all angles alike.

    Raises:
        ValueError: If the size is not positive, or ``angles`` unknown.
    """

    def __init__(self, size: int, angles: str = "quarter") -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1 px, got {size}")
        if angles not in ANGLES:
            raise ValueError(f"angles must be one of {', '.join(ANGLES)}, got {angles!r}")
        self.size, self.angles = size, angles

    def transform(self, results: dict) -> dict:
        """Turn and cut the image.

        Args:
            results: With the required key.

        Returns:
            The same dictionary.

        Raises:
            ValueError: If the image is no square, or too small.
        """
        image = results["img"]
        needed = self.size if self.angles == "quarter" else self.context_size(self.size)
        side = image.shape[0]
        if image.shape[1] != side or side < needed:
            raise ValueError(
                f"RotateCandidate(size={self.size}, angles={self.angles!r}) needs a square of at "
                f"least {needed} px, got {image.shape[1]} x {side}: LoadCandidate(size={needed})"
            )
        if self.angles == "quarter":
            start = side // 2 - self.size // 2
            cut = image[start : start + self.size, start : start + self.size]
            turned = np.rot90(cut, self._random_quarters())
        else:
            turned = self._turn(image, self._random_angle())
        results["img"] = np.ascontiguousarray(turned)
        results["img_shape"] = (self.size, self.size)
        return results

    @staticmethod
    def context_size(size: int) -> int:
        """Tell how much of the field a crop needs that is turned by any angle.

        Args:
            size: Side of the crop, px.

        Returns:
            Side of the square to read, px: its diagonal, and two pixels on each side for
            interpolation.
        """
        return math.ceil(size * math.sqrt(2)) + 4

    def _turn(self, image: np.ndarray, angle_deg: float) -> np.ndarray:
        """Turn an image about its middle, and cut the middle."""
        middle, new_middle = (len(image) - 1) / 2, (self.size - 1) / 2
        matrix = cv2.getRotationMatrix2D((middle, middle), angle_deg, 1.0)
        matrix[:, 2] += new_middle - middle
        return cv2.warpAffine(image, matrix, (self.size, self.size), flags=cv2.INTER_CUBIC)

    @cache_randomness
    def _random_quarters(self) -> int:
        """Draw a number of quarter turns."""
        return int(np.random.randint(4))

    @cache_randomness
    def _random_angle(self) -> float:
        """Draw an angle, degrees."""
        return float(np.random.uniform(0, 360))

    def __repr__(self) -> str:
        return f"RotateCandidate(size={self.size}, angles={self.angles!r})"
