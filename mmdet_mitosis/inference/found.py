"""The detections of many windows of a slide, held in a few arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from mmdet_mitosis.evaluation.windows import WindowDetections
from mmdet_mitosis.fileio import write_bytes_atomic


@dataclass(frozen=True)
class Found:
    """Detections with the windows that they are of.

    Thousands of small arrays, made between the large buffers of windows and kept, would leave gaps
    that those no longer fit: a slide of 58 000 windows took 7 GB so.

    Attributes:
        window_index: Number of the window that each comes from, (N,) integers.
        centers_xy: (N, 2), px of the slide at the model's resolution.
        bboxes_xyxy: (N, 4), px as the centres.
        scores: (N,).
        outlines: x, y, x, y, … of the COCO polygons of all, (V,) float32.
        outline_sizes: Numbers in each polygon, (P,) integers.
        outline_counts: Polygons of each detection, (N,) integers.
    """

    window_index: np.ndarray
    centers_xy: np.ndarray
    bboxes_xyxy: np.ndarray
    scores: np.ndarray
    outlines: np.ndarray
    outline_sizes: np.ndarray
    outline_counts: np.ndarray

    def __len__(self) -> int:
        """Give the number of detections."""
        return len(self.scores)

    @classmethod
    def of(cls, windows: Sequence[WindowDetections], first: int = 0) -> Self:
        """Take the detections of windows together.

        Args:
            windows: What was found in each.
            first: Number of the first of them.

        Returns:
            All detections, in the order of the windows.
        """
        parts = [parts for one in windows for parts in one.polygons]
        flat = [np.asarray(polygon, np.float32) for polygons in parts for polygon in polygons]
        counts = [len(one.scores) for one in windows]
        return cls(
            np.repeat(np.arange(len(windows)) + first, counts),
            np.concatenate([np.empty((0, 2)), *(one.centers_xy for one in windows)]),
            np.concatenate([np.empty((0, 4)), *(one.bboxes_xyxy for one in windows)]),
            np.concatenate([np.empty(0), *(one.scores for one in windows)]),
            np.concatenate([np.empty(0, np.float32), *flat]),
            np.array([len(polygon) for polygon in flat], dtype=int),
            np.array([len(polygons) for polygons in parts], dtype=int),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Join what was found in several parts of a slide.

        Args:
            parts: The parts.

        Returns:
            All detections, part by part.
        """
        each = [*parts, cls.of([])]
        return cls(*(np.concatenate([getattr(one, f.name) for one in each]) for f in fields(cls)))

    def polygons(self, indices: np.ndarray) -> list[list[np.ndarray]]:
        """Give the polygons of some detections.

        Args:
            indices: Which, (K,).

        Returns:
            K lists of COCO polygons, px of the slide at the model's resolution.
        """
        ends = np.cumsum(self.outline_sizes)
        starts = ends - self.outline_sizes
        stops = np.cumsum(self.outline_counts)
        return [
            [self.outlines[starts[p] : ends[p]] for p in range(stops[i] - count, stops[i])]
            for i, count in zip(indices, self.outline_counts[indices], strict=True)
        ]

    def save(self, path: Path) -> None:
        """Write the detections.

        Args:
            path: The ``.npz`` file; it appears whole or not at all.
        """
        file = io.BytesIO()
        np.savez(file, **{f.name: getattr(self, f.name) for f in fields(self)})
        write_bytes_atomic(path, file.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote.

        Args:
            path: The ``.npz`` file.

        Returns:
            The detections.
        """
        with np.load(path) as stored:
            return cls(**{f.name: stored[f.name] for f in fields(cls)})
