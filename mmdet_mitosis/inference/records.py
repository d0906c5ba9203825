"""What comes out of a slide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmdet_mitosis.evaluation.detections import FieldDetections


@dataclass(frozen=True)
class SlideResult:
    """The detections of a slide or field, and how they were made.

    Attributes:
        name: Unique within a run; it names the slide's folder of output.
        file_name: The file, as the user named it.
        case: The case that it is of.
        width: Of the full resolution, px.
        height: Of the full resolution, px.
        mpp: Size of such a pixel, µm.
        detections: All that the detector keeps, px of the full resolution, also below the
            threshold.
        threshold: Lowest score of a detection that counts.
        threshold_from: Where it was chosen.
        tissue_mm2: Area that was looked at.
        model: What the detector is: its ``record``.
        seconds: Duration.
    """

    name: str
    file_name: str
    case: str
    width: int
    height: int
    mpp: float
    detections: FieldDetections
    threshold: float
    threshold_from: str
    tissue_mm2: float
    model: dict[str, Any]
    seconds: float

    @property
    def area_mm2(self) -> float:
        """Area of the whole image, mm²."""
        return self.width * self.height * self.mpp**2 / 1e6

    @property
    def tissue_fraction(self) -> float:
        """Share of the image that was looked at."""
        return self.tissue_mm2 / self.area_mm2

    @property
    def found(self) -> FieldDetections:
        """The detections that count."""
        return self.detections.above(self.threshold)
