"""Ways to take a detector over a large image: this project's, MMDetection's, and SAHI's.

All read the image file and, where the config normalises stains, do so with an estimate of the whole
field. SAHI and MMDetection have no such step: their field is normalised before it is sliced, so
that no pixel is normalised twice on their account.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.inference.detector import MitosisDetector
from mmdet_mitosis.inference.slide_run import SlideRun
from mmdet_mitosis.inference.slides import open_slide
from mmdet_mitosis.inference.speed import Speed

OVERLAP = 0.25
MERGE_IOU = 0.25
"""MMDetection's ``large_image_demo.py`` merges by this."""
Look = Callable[[Path, float], FieldDetections]
"""Finds what is in the image of a file, given µm a pixel of it."""


@dataclass(frozen=True)
class Weights:
    """What all ways run: a checkpoint, its config, the lowest score that counts, and where."""

    checkpoint: Path
    config: Path | None
    threshold: float | None
    device: str | None
    batch_size: int
    workers: int

    def detector(self, speed: Speed | None = None) -> MitosisDetector:
        """Load this project's detector."""
        return MitosisDetector(
            self.checkpoint,
            self.config,
            self.threshold,
            self.device,
            self.batch_size,
            self.workers,
            speed,
        )


def own(detector: MitosisDetector) -> Look:
    """Give this project's way."""
    return lambda path, mpp: detector(path, mpp).detections


def slices_and_nms(weights: Weights, detector: MitosisDetector) -> Look:
    """Give MMDetection's own way: SAHI's slices, ``inference_detector``, ``merge_results_by_nms``.

    It is that of its ``demo/large_image_demo.py``.
    """
    # Not before mmdet_mitosis, which has mmcv's operators answered.
    from mmdet.apis import inference_detector, init_detector
    from mmdet.utils.large_image import merge_results_by_nms
    from sahi.slicing import slice_image

    model = init_detector(
        detector.cfg.copy(), str(weights.checkpoint), palette="random", device=detector.device
    )
    side = detector.window_size
    pipeline = Compose([{"type": "mmdet.LoadImageFromNDArray"}, *resize_and_pack(side)])

    def look(path: Path, mpp: float) -> FieldDetections:
        image = normalized_field(path, detector)
        sliced = slice_image(
            image,
            slice_height=side,
            slice_width=side,
            auto_slice_resolution=False,
            overlap_height_ratio=OVERLAP,
            overlap_width_ratio=OVERLAP,
        )
        slices = [np.ascontiguousarray(part[..., ::-1]) for part in sliced.images]
        results = inference_detector(model, slices, pipeline)
        nms = {"type": "nms", "iou_threshold": MERGE_IOU}
        merged = merge_results_by_nms(results, sliced.starting_pixels, image.shape[:2], nms)
        found = merged.pred_instances.cpu()
        return as_detections(found.bboxes.numpy(), found.scores.numpy())

    return look


def sliced_prediction(weights: Weights, detector: MitosisDetector) -> Look:
    """Give SAHI's own way, without its further look at the whole image in small."""
    from sahi import AutoDetectionModel
    from sahi.predict import get_sliced_prediction

    side = detector.window_size
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.py"
        for_sahi(detector.cfg, side).dump(config)
        model = AutoDetectionModel.from_pretrained(
            model_type="mmdet",
            model_path=str(weights.checkpoint),
            config_path=str(config),
            confidence_threshold=detector.threshold,
            device=detector.device,
        )

    def look(path: Path, mpp: float) -> FieldDetections:
        result = get_sliced_prediction(
            normalized_field(path, detector),
            model,
            slice_height=side,
            slice_width=side,
            overlap_height_ratio=OVERLAP,
            overlap_width_ratio=OVERLAP,
            perform_standard_pred=False,
            verbose=0,
        )
        found = result.object_prediction_list
        boxes = np.array([one.bbox.to_xyxy() for one in found], float).reshape(-1, 4)
        return as_detections(boxes, np.array([one.score.value for one in found], float))

    return look


def for_sahi(cfg: Config, side: int) -> Config:
    """Give a config the pipeline that SAHI looks for in it."""
    cfg = cfg.copy()
    steps = [{"type": "LoadImageFromFile"}, *resize_and_pack(side)]
    cfg.test_dataloader.dataset.pipeline = steps
    return cfg


def resize_and_pack(side: int) -> list[dict]:
    """Give the end of MMDetection's usual pipeline; it leaves slices of that side their size."""
    meta_keys = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")
    return [
        {"type": "Resize", "scale": (side, side), "keep_ratio": True},
        {"type": "PackDetInputs", "meta_keys": meta_keys},
    ]


def bare_network(
    detector: MitosisDetector, paths: Sequence[tuple[Path, float]]
) -> tuple[Look, int]:
    """Give the network alone, on the windows of this project's way, which are in memory.

    Args:
        detector: The detector.
        paths: The images, with µm a pixel.

    Returns:
        What runs it on all windows of an image and throws the results away; and the number of
        windows of all images.
    """
    windows = {path: prepared_windows(detector, path, mpp) for path, mpp in paths}

    @torch.no_grad()
    def look(path: Path, mpp: float) -> FieldDetections:
        left = windows[path]
        for start in range(0, len(left), detector.batch_size):
            batch = pseudo_collate(left[start : start + detector.batch_size])
            detector.model.test_step(batch)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return FieldDetections()

    return look, sum(map(len, windows.values()))


def prepared_windows(detector: MitosisDetector, path: Path, mpp: float) -> list[dict]:
    """Read and normalise the windows of an image."""
    prepared = []

    class Noting:
        """Takes the detector's place, keeps what it prepares and finds nothing."""

        def __getattr__(self, name: str) -> object:
            return getattr(detector, name)

        parallel = 1

        def detect(self, batch: list[dict], windows_xyxy: list) -> list:
            prepared.extend(batch)
            return []

    with open_slide(path, mpp) as slide:
        SlideRun(Noting(), slide).run()
    return prepared


def normalized_field(path: Path, detector: MitosisDetector) -> np.ndarray:
    """Read a field and give it the target's stains, (H, W, 3) uint8 RGB."""
    image = decode_field(path)
    fit = None if detector.normalizer is None else detector.normalizer.estimate(image)
    return image if fit is None else detector.normalizer.normalize(image, fit)


def as_detections(bboxes_xyxy: np.ndarray, scores: np.ndarray) -> FieldDetections:
    """Give boxes as detections, by descending score."""
    order = np.argsort(-scores, kind="stable")
    boxes = bboxes_xyxy[order].astype(float)
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    return FieldDetections(centers, scores[order].astype(float), boxes, [[] for _ in order])
