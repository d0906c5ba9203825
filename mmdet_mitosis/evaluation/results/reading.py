"""What a file of results says, before it is brought to the fields of the ground truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Found:
    """Detections of one image, px of it: ``centers_xy`` (N, 2), ``bboxes_xyxy`` (N, 4), ``scores``
    (N,), and N lists of COCO polygons."""

    centers_xy: np.ndarray
    bboxes_xyxy: np.ndarray
    scores: np.ndarray
    polygons: list[list[list[float]]]


@dataclass
class Reading:
    """Collects what a reader finds.

    Attributes:
        form: Name of the format.
        has_scores: Whether the detections have scores; without, each is 1.
        own_threshold: Threshold that the file itself decides by; None: it decides nothing.
        own_origin: Where that is from.
        left_out: How many records were not taken, by the reason.
        remarks: Sentences for the user.
    """

    form: str
    has_scores: bool = True
    own_threshold: float | None = None
    own_origin: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    _rows: dict[int, list[tuple[float, ...]]] = field(default_factory=dict)
    _polygons: dict[int, list[list[list[float]]]] = field(default_factory=dict)
    _sources: dict[int, str] = field(default_factory=dict)

    def open_image(self, image_id: int, source: str | Path) -> None:
        """Begin an image that is told of in one place.

        Args:
            image_id: Its id.
            source: Where it is told of.

        Raises:
            ValueError: If it was told of before.
        """
        if image_id in self._sources:
            raise ValueError(f"{self._sources[image_id]} and {source} are of the same image")
        self._sources[image_id] = str(source)

    def add(
        self,
        image_id: int,
        center_xy: tuple[float, float],
        score: float,
        size: tuple[float, float] = (0.0, 0.0),
        polygons: list[list[float]] | None = None,
    ) -> None:
        """Take a detection.

        Args:
            image_id: Id of its image.
            center_xy: Its centre, px of the image.
            score: Its score.
            size: Width and height of its box around the centre, px.
            polygons: Outline of its mask, as COCO has it.
        """
        x, y = center_xy
        w, h = size
        row = (x, y, x - w / 2, y - h / 2, x + w / 2, y + h / 2, score)
        self._rows.setdefault(image_id, []).append(row)
        self._polygons.setdefault(image_id, []).append(polygons or [])

    def scored_once(self, origin: str) -> None:
        """Say that there are no scores: every detection counts.

        Args:
            origin: Why, for the user.
        """
        self.has_scores, self.own_threshold, self.own_origin = False, 1.0, origin

    def found(self) -> dict[int, Found]:
        """Give the detections.

        Returns:
            By the id of their image.
        """
        tables = {image_id: np.array(rows, float) for image_id, rows in self._rows.items()}
        return {
            i: Found(t[:, :2], t[:, 2:6], t[:, 6], self._polygons[i]) for i, t in tables.items()
        }
