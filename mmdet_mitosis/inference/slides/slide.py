"""A slide or plain image, read in windows at the resolution that is asked for."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from mmdet_mitosis.inference.slides.resampling import Axis, resample
from mmdet_mitosis.inference.slides.source import WHITE, Source

BLOCK = 4096
"""Side of what is read at once, px of a level: it bounds memory, whatever is asked for."""
SLACK = 1.01
"""A level that is coarser than what is asked for by no more than this is fine enough."""


class Slide:
    """An open slide; a context manager.

    Several threads may read at once. A forked process must open the slide anew.

    Attributes:
        path: The file.
        width: Of the full resolution, px.
        height: Of the full resolution, px.
        mpp: Size of such a pixel, µm.
        mpp_from: ``file``, or ``given`` by the user.
        backend: What reads it: ``image``, ``tiff``, ``tiffslide`` or ``openslide``.
        level_sizes: Width and height of its levels, px, the full resolution first.
    """

    def __init__(self, path: Path, source: Source, mpp: float, mpp_from: str) -> None:
        """Take what ``open_slide`` has found."""
        self.path, self.mpp, self.mpp_from = path, mpp, mpp_from
        self.backend, self.level_sizes = source.backend, source.level_sizes
        self.width, self.height = source.level_sizes[0]
        self._source: Source | None = source
        self._factors = [
            (_factor(self.width, width), _factor(self.height, height))
            for width, height in source.level_sizes
        ]

    def __enter__(self) -> Self:
        """Give the slide itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; afterwards nothing can be read."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def size_at(self, out_mpp: float) -> tuple[int, int]:
        """Tell the size of the slide at a resolution: the pixels whose middle is on it.

        Args:
            out_mpp: Size of a pixel, µm.

        Returns:
            Width and height, px, at least 1.
        """
        scale = self._scale(out_mpp)
        return max(1, round(self.width / scale)), max(1, round(self.height / scale))

    def read(self, x: int, y: int, width: int, height: int, out_mpp: float) -> np.ndarray:
        """Read a window at a resolution.

        A pixel's value depends on its place on the slide alone: windows agree where they overlap.
        It is sampled from the coarsest level that is at least as fine, linearly where the level is
        about as fine, and as a mean where it is finer. Beyond the border of the slide is white.

        Args:
            x: Left of the window, px of ``out_mpp``; it may be negative.
            y: Top of the window, px of ``out_mpp``; it may be negative.
            width: Of the window, px of ``out_mpp``.
            height: Of the window, px of ``out_mpp``.
            out_mpp: Size of a pixel, µm. Pixel (i, j) of this resolution covers
                [i, i + 1) · out_mpp / mpp px of the full resolution in x, and so on.

        Returns:
            (height, width, 3) uint8 RGB.

        Raises:
            ValueError: If a size is not positive, the file is damaged there, or it is closed.
        """
        if width < 1 or height < 1:
            raise ValueError(f"a window must have at least 1 x 1 px, got {width} x {height}")
        if self._source is None:
            raise ValueError(f"{self.path} is closed")
        level = self._level(out_mpp)
        across, down = self.size_at(out_mpp)
        window = np.full((height, width, 3), WHITE, np.uint8)
        steps = [self._scale(out_mpp) / factor for factor in self._factors[level]]
        xs, ys = (
            _spans(max(0, first), min(first + count, end), step)
            for first, count, end, step in zip(
                (x, y), (width, height), (across, down), steps, strict=True
            )
        )
        sides = self.level_sizes[level]
        columns = [Axis(start, stop - start, steps[0], sides[0]) for start, stop in xs]
        for top, bottom in ys:
            rows = Axis(top, bottom - top, steps[1], sides[1])
            for (left, right), column in zip(xs, columns, strict=True):
                part = resample(lambda box: self._source.read(level, box), column, rows)
                window[top - y : bottom - y, left - x : right - x] = part
        return window

    def thumbnail(self, max_side: int) -> np.ndarray:
        """Read the whole slide in small.

        It comes from a coarse level, if the file has one that is large enough; if not, all of the
        next finer one is decoded, block by block.

        Args:
            max_side: Longer side of the picture, px; a slide that is smaller is not enlarged.

        Returns:
            (h, w, 3) uint8 RGB.
        """
        out_mpp = self.mpp * max(1.0, max(self.width, self.height) / max_side)
        return self.read(0, 0, *self.size_at(out_mpp), out_mpp)

    def _scale(self, out_mpp: float) -> float:
        """Give px of the full resolution per px of a resolution."""
        if not out_mpp > 0:
            raise ValueError(f"out_mpp must be positive, got {out_mpp}")
        return out_mpp / self.mpp

    def _level(self, out_mpp: float) -> int:
        """Choose the coarsest level that is at least as fine as a resolution."""
        scale = self._scale(out_mpp) * SLACK
        fine = [i for i, factors in enumerate(self._factors) if max(factors) <= scale]
        return max(fine, key=lambda i: self._factors[i][0], default=0)


def _factor(full: int, part: int) -> float:
    """Give a level's downsampling along one axis.

    A level is rounded to whole pixels: of 10001 px its half has 5000, and each is 2 px still.
    """
    whole = max(1, round(full / part))
    return float(whole) if part in (full // whole, -(-full // whole)) else full / part


def _spans(first: int, stop: int, step: float) -> list[tuple[int, int]]:
    """Divide a run of output pixels into such as need no more than a block of the input."""
    count = max(1, int(BLOCK / max(1.0, step)))
    return [(start, min(start + count, stop)) for start in range(first, stop, count)]
