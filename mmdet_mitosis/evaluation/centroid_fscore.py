"""The metric: from a detector's windows to one F-score, by way of :mod:`.functional`."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from mmdet_mitosis.evaluation.detections import FieldDetections, save_detections
from mmdet_mitosis.evaluation.functional import MATCH_METHODS, Counts, Curve
from mmdet_mitosis.evaluation.scoring import (
    MERGE_RADIUS_UM,
    RADIUS_UM,
    group_by,
    score_fields,
    split_curve,
    total,
    total_look_alikes,
)
from mmdet_mitosis.evaluation.truth import load_truth
from mmdet_mitosis.evaluation.windows import (
    CENTERS,
    WindowDetections,
    merge_field,
    merge_field_once,
    window_detections,
)

CHOOSE = "choose"


@METRICS.register_module()
class CentroidFScore(BaseMetric):
    """F-score of centroids at field level.

    Detections of a field's windows are merged first, then matched with the field's centroids.

    Args:
        ann_file: COCO json that the dataset reads too, of fields or (``--write-tiles``) of tiles.
        threshold: ``'choose'``: that of the highest F-score on this split; for validation only.
            A number: that. None: the one stored with the checkpoint (``ThresholdHook`` sets it).
        min_recall: With ``'choose'``, take the highest threshold that reaches this recall, or the
            highest recall where that is out of reach, if it is below that of the highest F-score:
            for what finds candidates.
        radius_um: Match radius, µm.
        merge_radius_um: Detections of different windows this close are one, µm.
        method: Matching of the headline: ``optimal``, ``greedy``, ``paper`` or ``midog``; see
            :func:`~mmdet_mitosis.evaluation.functional.match_points`.
        center: Point of a detection that is matched: the middle of its ``box``, or the centre of
            mass of its ``mask``.
        threshold_once: Threshold for :attr:`once`; with ``'choose'`` it is chosen too, None without
            it leaves that out.
        outfile: Where to write the field-level detections as COCO results; None: nowhere.
        collect_device: As ``mmengine.evaluator.BaseMetric``.
        prefix: As ``mmengine.evaluator.BaseMetric``.

    Attributes:
        detections: Of the last evaluation, by image id.
        once: Counts of the last evaluation where one window alone judges each place, as in
            ``tools/infer.py``; None where there is no threshold for that.

    Raises:
        FileNotFoundError: If ``ann_file`` is not there.
        ValueError: If the threshold is neither of the three, the recall is none, or another
            argument is unknown.
    """

    default_prefix = "mitosis"

    def __init__(
        self,
        ann_file: str,
        threshold: float | str | None = None,
        min_recall: float | None = None,
        radius_um: float = RADIUS_UM,
        merge_radius_um: float = MERGE_RADIUS_UM,
        method: str = "optimal",
        center: str = "box",
        threshold_once: float | None = None,
        outfile: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if isinstance(threshold, str) and threshold != CHOOSE:
            raise ValueError(f"threshold must be a number, None or {CHOOSE!r}, got {threshold!r}")
        if min_recall is not None and not 0 < min_recall <= 1:
            raise ValueError(f"min_recall must be over 0 and at most 1, got {min_recall}")
        if center not in CENTERS:
            raise ValueError(f"center must be one of {', '.join(CENTERS)}, got {center!r}")
        if method not in MATCH_METHODS:
            raise ValueError(f"method must be one of {', '.join(MATCH_METHODS)}, got {method!r}")
        self.ann_file = ann_file
        self.threshold = threshold
        self.min_recall = min_recall
        self.radius_um = radius_um
        self.merge_radius_um = merge_radius_um
        self.method = method
        self.outfile = outfile
        self.center = center
        self.threshold_once = threshold_once
        self.once: Counts | None = None
        self.truth = load_truth(ann_file)
        self.fields = self.truth.fields
        self.detections: dict[int, FieldDetections] = {}

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Take the detections of a batch of images, in field coordinates.

        Args:
            data_batch: Not used.
            data_samples: Predictions with ``img_id`` and ``pred_instances``. The image is the
                window that ``window_xyxy`` names; without it, the tile or the whole field that
                ``ann_file`` has under that id.
        """
        for sample in data_samples:
            image_id, window = self._place(sample)
            pred = InstanceData(**sample["pred_instances"])
            self.results.append(window_detections(pred, image_id, window, self.center))

    def compute_metrics(self, results: list[WindowDetections]) -> dict[str, float]:
        """Merge, match and count.

        Args:
            results: One record a window.

        Returns:
            ``f_score precision recall tp fp fn threshold ap``; ``fp_look_alikes``, how many of the
            false positives are look-alikes, where these are labelled; ``f_score`` of each scanner;
            ``f_score_once``, that of :attr:`once`, and with ``'choose'`` ``threshold_once``; and
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
        by_field = self._by_field(results)
        mpp = {field.image_id: field.mpp for field in self.fields}
        self.detections = {
            image_id: merge_field(windows, self.merge_radius_um / mpp[image_id])
            for image_id, windows in by_field.items()
        }
        if self.outfile:
            self.save(self.outfile)
        return self._metrics() | self._score_once(by_field)

    def save(self, path: str | Path) -> None:
        """Write the detections of the last evaluation as COCO results of the fields.

        Args:
            path: File to write.
        """
        save_detections(path, self.detections, min(self.truth.mitosis_ids))

    def _metrics(self) -> dict[str, float]:
        """Score the merged detections."""
        curve = split_curve(self.fields, self.detections, self.radius_um)
        chosen = self.threshold == CHOOSE
        threshold = self._choose(curve) if chosen else float(self.threshold)
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
        look_alikes = total_look_alikes(scores)
        if look_alikes is not None:
            metrics["fp_look_alikes"] = look_alikes
        if not chosen:
            metrics["oracle_f_score"] = curve.best_f_score
        scanners = group_by(scores, lambda field: field.scanner)
        if len(scanners) > 1:
            for name, group in scanners.items():
                metrics[f"f_score_{name.replace(' ', '_')}"] = total(group).f_score
        origin = self._reason(counts.recall) if chosen else "given"
        print_log(f"threshold {threshold:.3f} ({origin}), {len(self.fields)} fields", "current")
        return metrics

    def _score_once(self, by_field: dict[int, list[WindowDetections]]) -> dict[str, float]:
        """Score what as few windows as in inference say."""
        chosen = self.threshold == CHOOSE
        if not chosen and self.threshold_once is None:
            self.once = None
            return {}
        mpp = {field.image_id: field.mpp for field in self.fields}
        found = {
            image_id: merge_field_once(windows, self.merge_radius_um / mpp[image_id], mpp[image_id])
            for image_id, windows in by_field.items()
        }
        if chosen:
            threshold = self._choose(split_curve(self.fields, found, self.radius_um))
        else:
            threshold = self.threshold_once
        self.once = total(score_fields(self.fields, found, threshold, self.radius_um, self.method))
        own = {"threshold_once": threshold} if chosen else {}
        return {**own, "f_score_once": self.once.f_score}

    def _choose(self, curve: Curve) -> float:
        """Choose the threshold on this split."""
        best = curve.best_threshold()
        if self.min_recall is None:
            return best
        # Above the best F-score there is nothing to win: it would miss more for little.
        return min(best, curve.threshold_for_recall(self.min_recall)[0])

    def _reason(self, recall: float) -> str:
        """Say by what the threshold was chosen."""
        if self.min_recall is None:
            return "chosen on this split"
        if recall >= self.min_recall:
            return f"chosen on this split for recall >= {self.min_recall:g}, it is {recall:.3f}"
        return (
            f"chosen on this split: recall {self.min_recall:g} is out of reach, the highest is "
            f"{recall:.3f}"
        )

    def _place(self, sample: dict) -> tuple[int, tuple[int, int, int, int]]:
        """Tell the field that an image shows, and its window there."""
        image_id = sample["img_id"]
        if "window_xyxy" in sample:
            return image_id, sample["window_xyxy"]
        if image_id in self.truth.tiles:
            tile = self.truth.tiles[image_id]
            return tile.image_id, tile.window_xyxy
        height, width = sample["ori_shape"][:2]
        return image_id, (0, 0, width, height)

    def _by_field(self, results: list[WindowDetections]) -> dict[int, list[WindowDetections]]:
        """Sort windows by their field."""
        known = {field.image_id for field in self.fields}
        by_field: dict[int, list[WindowDetections]] = defaultdict(list)
        for record in results:
            if record.image_id in self.truth.unlabelled:
                continue
            if record.image_id not in known:
                raise ValueError(
                    f"a window is of image {record.image_id!r}, which {self.ann_file} does not "
                    "have: the dataset must read the same file"
                )
            by_field[record.image_id].append(record)
        missing = [field.file_name for field in self.fields if field.image_id not in by_field]
        if missing:
            print_log(
                f"{len(missing)} of {len(self.fields)} fields have no predictions; their mitoses "
                f"count as missed: {', '.join(missing[:5])}",
                "current",
                level=logging.WARNING,
            )
        return by_field
