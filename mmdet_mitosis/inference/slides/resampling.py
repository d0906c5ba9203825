"""Sampling an image at another resolution, so that windows agree where they overlap."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

STEPS = 32
"""Positions are rounded to this fraction of a pixel, as OpenCV does, but before the window's own
origin is taken off: so they do not depend on it."""
MAX_SPACING = 1.25
"""Largest distance of two linear samples, px; a pixel that is larger is the mean of several."""


class Axis:
    """Where the samples of a run of output pixels lie along one axis.

    Output pixel i covers [i, i + 1) · step of the input. Its value is the mean of ``n_each`` linear
    samples, evenly spaced in there.

    Attributes:
        n_each: Samples for an output pixel.
        start: First input pixel that is needed.
        stop: One past the last.
        is_copy: Whether the samples are the input's own pixels.
        positions: Of the samples, px from the middle of pixel ``start``, float32.
    """

    def __init__(self, first: int, count: int, step: float, length: int) -> None:
        """Place the samples.

        Args:
            first: First output pixel.
            count: Number of output pixels.
            step: Input pixels per output pixel.
            length: Of the input, px; beyond, its last pixel goes on.
        """
        self.n_each = max(1, int(np.ceil(step - (MAX_SPACING - 1))))
        index = first * self.n_each + np.arange(count * self.n_each)
        middles = (index + 0.5) * (step / self.n_each) - 0.5
        rounded = np.clip(np.rint(middles * STEPS) / STEPS, 0, length - 1)
        self.start = int(rounded[0])
        self.stop = min(int(rounded[-1]) + 2, length)
        self.positions = (rounded - self.start).astype(np.float32)
        self.is_copy = step == 1 and bool(np.all(self.positions == np.arange(count)))
        if self.is_copy:
            self.stop = self.start + count


def resample(
    read: Callable[[tuple[int, int, int, int]], np.ndarray], x: Axis, y: Axis
) -> np.ndarray:
    """Sample an image.

    Args:
        read: Gives a window x1, y1, x2, y2 of it, (h, w, 3) uint8.
        x: Columns of the output.
        y: Rows of the output.

    Returns:
        (rows, columns, 3) uint8.
    """
    image = read((x.start, y.start, x.stop, y.stop))
    if x.is_copy and y.is_copy:
        return image
    columns, rows = np.meshgrid(x.positions, y.positions)
    image = cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if x.n_each == y.n_each == 1:
        return image
    size = (len(x.positions) // x.n_each, len(y.positions) // y.n_each)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
