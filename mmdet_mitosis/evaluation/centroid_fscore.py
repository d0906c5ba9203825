"""The metric: from a detector's windows to one F-score, by way of :mod:`.functional`."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmdet_mitosis.evaluation.detections import FieldDetections, load_fields, save_detections
from mmdet_mitosis.evaluation.functional import merge_windows
from mmdet_mitosis.evaluation.scoring import (
    MERGE_RADIUS_UM,
    RADIUS_UM,
    group_by,
    score_fields,
    split_curve,
    total,
)
from mmdet_mitosis.geometry.shapes import pixel_polygons

CHOOSE = "choose"


@METRICS.register_module()
class CentroidFScore(BaseMetric):
    """F-score of centroids at field level.

    Detections of a field's windows are merged first, then matched with the field's centroids.

    Args:
        ann_file: Field-level COCO json that the dataset reads too.
        threshold: ``'choose'``: that of the highest F-score on this split; for validation only.
            A number: that. None: the one stored with the checkpoint (``ThresholdHook`` sets it).
        radius_um: Match radius, µm.
        merge_radius_um: Detections of different windows this close are one, µm.
        method: Matching of the headline: ``optimal``, ``greedy``, ``paper`` or ``midog``; see
            :func:`~mmdet_mitosis.evaluation.functional.match_points`.
        outfile: Where to write the field-level detections as COCO results; None: nowhere.
        collect_device: As ``mmengine.evaluator.BaseMetric``.
        prefix: As ``mmengine.evaluator.BaseMetric``.

    Raises:
        FileNotFoundError: If ``ann_file`` is not there.
        ValueError: If the threshold is neither of the three.
    """

    default_prefix = "mitosis"

    def __init__(
        self,
        ann_file: str,
        threshold: float | str | None = None,
        radius_um: float = RADIUS_UM,
        merge_radius_um: float = MERGE_RADIUS_UM,
        method: str = "optimal",
        outfile: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if isinstance(threshold, str) and threshold != CHOOSE:
            raise ValueError(f"threshold must be a number, None or {CHOOSE!r}, got {threshold!r}")
        self.ann_file = ann_file
        self.threshold = threshold
        self.radius_um = radius_um
        self.merge_radius_um = merge_radius_um
        self.method = method
        self.outfile = outfile
        self.fields = load_fields(ann_file)
        self.detections: dict[int, FieldDetections] = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Take the detections of a batch of windows, in field coordinates.

        Args:
            data_batch: Not used.
            data_samples: Predictions with ``img_id``, ``window_xyxy`` and ``pred_instances``.
        """
        for sample in data_samples:
            pred = sample["pred_instances"]
            mitoses = pred["labels"].cpu().numpy() == 0
            x1, y1 = sample["window_xyxy"][:2]
            bboxes = pred["bboxes"].cpu().numpy()[mitoses] + np.array([x1, y1, x1, y1], float)
            masks = pred["masks"].cpu().numpy()[mitoses] if "masks" in pred else None
            polygons = (
                [[] for _ in bboxes]
                if masks is None
                else [mask_polygons(mask, (x1, y1)) for mask in masks]
            )
            self.results.append(
                {
                    "image_id": sample["img_id"],
                    "window_xyxy": sample["window_xyxy"],
                    "bboxes_xyxy": bboxes,
                    "scores": pred["scores"].cpu().numpy()[mitoses].astype(float),
                    "polygons": polygons,
                }
            )

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Merge, match and count.

        Args:
            results: One record a window.

        Returns:
            ``f_score precision recall tp fp fn threshold ap``, ``f_score`` of each scanner, and
            with a threshold from elsewhere ``oracle_f_score``: the highest F-score that a
            threshold tuned on this very split would give, by greedy matching.

        Raises:
            ValueError: If there is no threshold to use, or a window is of no field of
                ``ann_file``.
        """
        if self.threshold is None:
            raise ValueError(
                "no threshold: the checkpoint stores none; give one with --threshold "
                "(chosen on the validation split, never on the split that is reported)"
            )
        self.detections = self._merge(results)
        if self.outfile:
            save_detections(self.outfile, self.detections)
        return self._metrics()

    def _metrics(self) -> dict[str, float]:
        """Score the merged detections."""
        curve = split_curve(self.fields, self.detections, self.radius_um)
        chosen = self.threshold == CHOOSE
        threshold = curve.best_threshold() if chosen else float(self.threshold)
        scores = score_fields(self.fields, self.detections, threshold, self.radius_um, self.method)
        counts = total(scores)
        metrics = {
            "f_score": counts.f_score,
            "precision": counts.precision,
            "recall": counts.recall,
            "tp": counts.tp,
            "fp": counts.fp,
            "fn": counts.fn,
            "threshold": threshold,
            "ap": curve.average_precision,
        }
        if not chosen:
            metrics["oracle_f_score"] = curve.best_f_score
        scanners = group_by(scores, lambda field: field.scanner)
        if len(scanners) > 1:
            for name, group in scanners.items():
                metrics[f"f_score_{name.replace(' ', '_')}"] = total(group).f_score
        origin = "chosen on this split" if chosen else "given"
        print_log(f"threshold {threshold:.3f} ({origin}), {len(self.fields)} fields", "current")
        return metrics

    def _merge(self, results: list[dict]) -> dict[int, FieldDetections]:
        """Bring the windows of each field together."""
        mpp = {field.image_id: field.mpp for field in self.fields}
        by_field: dict[int, list[dict]] = defaultdict(list)
        for record in results:
            if record["image_id"] not in mpp:
                raise ValueError(
                    f"a window is of image {record['image_id']!r}, which {self.ann_file} does not "
                    "have: the dataset must read the same file"
                )
            by_field[record["image_id"]].append(record)
        missing = [field.file_name for field in self.fields if field.image_id not in by_field]
        if missing:
            print_log(
                f"{len(missing)} of {len(self.fields)} fields have no predictions; their mitoses "
                f"count as missed: {', '.join(missing[:5])}",
                "current",
                level=logging.WARNING,
            )
        return {
            image_id: merge_field(records, self.merge_radius_um / mpp[image_id])
            for image_id, records in by_field.items()
        }


def merge_field(windows: list[dict], radius_px: float) -> FieldDetections:
    """Merge the detections of one field's windows.

    Args:
        windows: Records with ``window_xyxy``, ``bboxes_xyxy``, ``scores`` and ``polygons``, all
            in field px.
        radius_px: Detections this close are one object, px.

    Returns:
        The field's detections.
    """
    bboxes = np.concatenate([w["bboxes_xyxy"].reshape(-1, 4) for w in windows])
    scores = np.concatenate([w["scores"] for w in windows])
    polygons = [parts for w in windows for parts in w["polygons"]]
    centers = (bboxes[:, :2] + bboxes[:, 2:]) / 2
    index = np.repeat(np.arange(len(windows)), [len(w["scores"]) for w in windows])
    frames = np.array([w["window_xyxy"] for w in windows])
    keep = merge_windows(centers, scores, bboxes, index, frames, radius_px)
    kept_polygons = [[np.asarray(flat).tolist() for flat in polygons[i]] for i in keep]
    return FieldDetections(centers[keep], scores[keep], bboxes[keep], kept_polygons)


def mask_polygons(mask: np.ndarray, offset_xy: tuple[int, int]) -> list[np.ndarray]:
    """Outline a mask along the borders of its pixels.

    Args:
        mask: (H, W) bool.
        offset_xy: Added to the coordinates, px.

    Returns:
        COCO polygons of its parts, without holes, the largest first; none of an empty mask. They
        are arrays, which take a tenth of the memory that lists would until the merge.
    """
    pixels_xy = np.argwhere(mask)[:, ::-1]
    if not len(pixels_xy):
        return []
    outlines = pixel_polygons(pixels_xy + np.asarray(offset_xy))
    return [outline.ravel().astype(np.float32) for outline in outlines]
