"""What a detector found in the fields of a split."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmdet_mitosis.fileio import write_json_atomic


@dataclass(frozen=True)
class FieldDetections:
    """Detections of one field, by descending score, field px.

    ``centers_xy`` (N, 2), ``scores`` (N,), ``bboxes_xyxy`` (N, 4), and N lists of COCO polygons,
    empty where the detector has no masks. ``candidate_scores`` (N,) are those of the first of two
    stages; None where there are no stages.
    """

    centers_xy: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    scores: np.ndarray = field(default_factory=lambda: np.empty(0))
    bboxes_xyxy: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))
    polygons: list[list[list[float]]] = field(default_factory=list)
    candidate_scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> FieldDetections:
        """Keep what scores at least a threshold.

        Args:
            threshold: Lowest score.

        Returns:
            The detections that remain.
        """
        keep = np.flatnonzero(self.scores >= threshold)
        return FieldDetections(
            self.centers_xy[keep],
            self.scores[keep],
            self.bboxes_xyxy[keep],
            [self.polygons[i] for i in keep],
            None if self.candidate_scores is None else self.candidate_scores[keep],
        )


def save_detections(
    path: str | Path, detections: dict[int, FieldDetections], category_id: int = 1
) -> None:
    """Write field-level detections as COCO results.

    Each has ``image_id category_id bbox score``, ``point`` (its centre, x first) and, where the
    detector gives masks, ``segmentation`` polygons; all in px of the field. Those of a two-stage
    detector have ``candidate_score``, that of the first stage.

    Args:
        path: File to write; it appears whole or not at all.
        detections: By image id.
        category_id: That of mitoses in the ground truth.
    """
    records = []
    for image_id, found in sorted(detections.items()):
        for i in range(len(found)):
            x1, y1, x2, y2 = (round(float(v), 2) for v in found.bboxes_xyxy[i])
            record = {
                "image_id": image_id,
                "category_id": category_id,
                "bbox": [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)],
                "score": float(found.scores[i]),  # unrounded: it may be a threshold
                "point": [round(float(v), 2) for v in found.centers_xy[i]],
            }
            if found.polygons[i]:
                record["segmentation"] = found.polygons[i]
            if found.candidate_scores is not None:
                record["candidate_score"] = float(found.candidate_scores[i])
            records.append(record)
    write_json_atomic(Path(path), records)
