"""A trained detector that takes images, fields and slides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS, TRANSFORMS
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmdet_mitosis.coco_values import MAX_MPP, MIN_MPP
from mmdet_mitosis.engine.checkpoints import check_weights, find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.embedded_config import config_of_checkpoint
from mmdet_mitosis.engine.launch import load_config
from mmdet_mitosis.engine.threshold_hook import choose_threshold, stored_threshold_once
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore
from mmdet_mitosis.evaluation.scoring import MERGE_RADIUS_UM
from mmdet_mitosis.evaluation.windows import CENTERS, WindowDetections, window_detections
from mmdet_mitosis.inference.records import SlideResult
from mmdet_mitosis.inference.slide_run import SlideRun
from mmdet_mitosis.inference.slides import Slide, open_slide
from mmdet_mitosis.inference.slides.whole_image import WholeImage
from mmdet_mitosis.inference.speed import Speed
from mmdet_mitosis.inference.tiling import MIN_SIDE
from mmdet_mitosis.json_file import finite, short, shown
from mmdet_mitosis.report.provenance import versions
from mmdet_mitosis.stain import Fit, StainNormalizer
from mmdet_mitosis.transforms import StainNormalize

MODEL_MPP = 0.25
"""Resolution that detectors are trained at, where their config says none, µm."""
MAX_WINDOW = 16384
"""Longest side of a window, px: such a one is 0.8 GB."""
TOO_HIGH = (
    "{path} stores no threshold for windows that overlap little, and that for windows that overlap "
    "much may be too high here: tools/choose_threshold.py chooses both"
)
READING = ("LoadWindow", "LoadImageFromFile", "LoadAnnotations")


class MitosisDetector:
    """A trained detector that takes images, fields and slides.

    Args:
        checkpoint: The ``.pth`` file, or a work folder with its best one.
        config: Config file; by default the one that the checkpoint carries, which is read and not
            run.
        threshold: Lowest score that counts; by default the one that the checkpoint stores.
        device: As ``cuda:0``; by default a GPU where there is one.
        batch_size: Windows computed at once.
        workers: Threads that read and normalise windows meanwhile; 0: none. On the CPU the threads
            that compute do it, each on windows of its own: as many as torch may use, but no more
            than the batch has windows. Two of them take less time than one network in two threads.
        speed: How the network is run.

    Attributes:
        mpp: Resolution that images are brought to, µm a pixel.
        window_size: Side of a window, px.
        threshold: Lowest score that counts.
        threshold_from: Where it was chosen.
        note: What is to be said of it, or None.
        parallel: Number of threads that may call :meth:`detect` side by side.
        center: Point of a detection, ``box`` or ``mask``, as the metric of the config has it.
        merge_radius_um: Detections of different windows this close are one, µm; likewise.
        record: ``config``, ``config_sha256`` (of what decides results), ``checkpoint``,
            ``checkpoint_sha256``, ``precision`` and ``versions``.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If the checkpoint is of another model, there is no threshold, or the network
            cannot be compiled here.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        config: str | Path | None = None,
        threshold: float | None = None,
        device: str | None = None,
        batch_size: int = 4,
        workers: int = 2,
        speed: Speed | None = None,
    ) -> None:
        path = find_checkpoint(checkpoint)
        stored = read_checkpoint(path)
        self.cfg = (
            config_of_checkpoint(stored, path)
            if config is None
            else load_config(str(config), None, None)
        )
        self.mpp, self.window_size = _lengths(self.cfg, path)
        self.batch_size, self.workers, self.speed = batch_size, workers, speed or Speed()
        self.device = device or ("cuda:0" if torch.cuda.is_available() else "cpu")
        side_by_side = torch.device(self.device).type == "cpu" and workers > 0
        self.parallel = min(batch_size, torch.get_num_threads()) if side_by_side else 1
        self.threshold, self.threshold_from = choose_threshold(stored, path, threshold, once=True)
        fits = threshold is not None or stored_threshold_once(stored, path) is not None
        self.note = None if fits else TOO_HIGH.format(path=path)
        self.model = _build_model(self.cfg, stored["state_dict"], path).to(self.device)
        self.pipeline, self.normalizer = _build_pipeline(self.cfg, path)
        self.center, self.merge_radius_um = _rule(self.cfg, path)
        self.record = _record(path, config, stored, self.speed.precision(self.device))
        self.record["config_sha256"] = self._digest_config()
        self.speed.apply(self.model, self.device)
        if self.speed.compiled:
            self._warm_up()

    def __call__(
        self, image: np.ndarray | str | Path, mpp: float | None = None, **options: Any
    ) -> SlideResult:
        """Find the mitoses of an image.

        Args:
            image: (H, W, 3) uint8 RGB, or the file of an image or slide.
            mpp: Size of its pixels, µm; needed where the file does not say.
            options: As :class:`~mmdet_mitosis.inference.slide_run.SlideRun`.

        Returns:
            What was found, px of the image.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it cannot be read, or its resolution is not known.
        """
        with _open(image, mpp) as slide:
            return SlideRun(self, slide, **options).run()

    def prepare(self, window_rgb: np.ndarray, fit: Fit | None) -> dict:
        """Normalise a window and pack it for the model.

        Args:
            window_rgb: (h, w, 3) uint8.
            fit: The stains of the slide; None where it shows too little tissue.

        Returns:
            ``inputs`` and ``data_samples``, as MMDetection's pipelines give them.
        """
        size = window_rgb.shape[:2]
        record = {
            "img": np.ascontiguousarray(window_rgb[..., ::-1]),
            "img_id": 0,
            "img_path": None,
            "img_shape": size,
            "ori_shape": size,
            "scale_factor": (1.0, 1.0),
            "window_xyxy": (0, 0, size[1], size[0]),
            "stain_fit": None if fit is None else fit.to_dict(),
            "stain_normalized": False,
        }
        return self.pipeline(record)

    @torch.no_grad()
    def detect(
        self, prepared: Sequence[dict], windows_xyxy: Sequence[Sequence[int]]
    ) -> list[WindowDetections]:
        """Run the model on a batch of windows.

        Args:
            prepared: Of :meth:`prepare`, all of one size.
            windows_xyxy: Their places, px at the model's resolution.

        Returns:
            What was found in each, in the frame of its place.
        """
        samples = self.model.test_step(pseudo_collate(list(prepared)))
        return [
            window_detections(sample.pred_instances, 0, tuple(window), self.center)
            for sample, window in zip(samples, windows_xyxy, strict=True)
        ]

    def _digest_config(self) -> str:
        """Digest what of the config decides results."""
        steps = get_test_pipeline_cfg(self.cfg)
        decides = [self.cfg.model, steps, self.center, self.merge_radius_um]
        return hashlib.sha256(json.dumps(decides, default=str).encode()).hexdigest()

    def _warm_up(self) -> None:
        """Compile now, so that what hinders it is told before the first slide."""
        blank = np.full((self.window_size, self.batch_size * self.window_size, 3), 255, np.uint8)
        try:
            self(blank, self.mpp)
        except Exception as error:  # torch and its compilers raise their own kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"torch.compile does not work here: {reason[:300]}") from error


def _open(image: np.ndarray | str | Path, mpp: float | None) -> Slide:
    """Open a file, or take an array as a slide."""
    if not isinstance(image, np.ndarray):
        return open_slide(image, mpp)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if mpp is None or not mpp > 0:
        raise ValueError(f"an array has no resolution: give it with mpp, µm a pixel, got {mpp}")
    size = (image.shape[1], image.shape[0])
    return Slide(Path("array"), WholeImage(size, lambda: image), mpp, "given")


def _build_model(cfg: Config, weights: dict, path: Path) -> torch.nn.Module:
    """Build the model with its weights, ready to predict."""
    try:
        init_default_scope(cfg.get("default_scope", "mmdet"))
        model = MODELS.build(cfg.model)
    except Exception as error:  # what a config describes can raise anything
        raise _not_built(path, error) from error
    check_weights(model, weights, path)
    weights = {name.removeprefix("module."): value for name, value in weights.items()}
    model.load_state_dict(weights, strict=False)
    return model.eval()


def _build_pipeline(cfg: Config, path: Path) -> tuple[Compose, StainNormalizer | None]:
    """Build what follows the reading of a window, and give its normaliser, if it has one."""
    try:
        steps = [step for step in get_test_pipeline_cfg(cfg) if step["type"] not in READING]
        transforms = [TRANSFORMS.build(step) for step in steps]
    except Exception as error:  # as above
        raise _not_built(path, error) from error
    found = [t.fits.normalizer for t in transforms if isinstance(t, StainNormalize) and t.fits]
    return Compose(transforms), found[0] if found else None


def _not_built(path: Path, error: Exception) -> ValueError:
    """Say that a config cannot be built, and in short why."""
    return ValueError(f"the config of {path} cannot be built: {short(error)}")


def _lengths(cfg: Config, path: Path) -> tuple[float, int]:
    """Take the resolution and the window of a detector's config: µm a pixel, and px."""
    parts = [cfg.get("model"), cfg.get("test_dataloader")]
    for key, part in zip(("model", "test_dataloader"), parts, strict=True):
        if not isinstance(part, dict):
            raise ValueError(f"the config of {path} is no detector's: it has no {key!r}")
    dataset, mpp = parts[1].get("dataset"), finite(cfg.get("mpp", MODEL_MPP))
    window = dataset.get("window_size", 512) if isinstance(dataset, dict) else None
    if type(window) is not int or not MIN_SIDE <= window <= MAX_WINDOW:
        raise ValueError(
            f"the config of {path} has the window_size {shown(window)} in "
            f"test_dataloader.dataset; expected {MIN_SIDE} to {MAX_WINDOW} px"
        )
    if mpp is None or not MIN_MPP <= mpp <= MAX_MPP:
        raise ValueError(
            f"the config of {path} has mpp {shown(cfg.get('mpp'))}; expected {MIN_MPP:g} to "
            f"{MAX_MPP:g} µm a pixel"
        )
    return mpp, window


def _rule(cfg: Config, path: Path) -> tuple[str, float]:
    """Take from the metric how detections are placed and merged: the threshold is for those."""
    evaluator = cfg.get("test_evaluator") or {}
    metrics = evaluator if isinstance(evaluator, list) else [evaluator]
    for metric in metrics:
        if isinstance(metric, dict) and metric.get("type") == CentroidFScore.__name__:
            center = metric.get("center", CENTERS[0])
            radius = finite(metric.get("merge_radius_um", MERGE_RADIUS_UM))
            if center not in CENTERS or radius is None or radius < 0:
                raise ValueError(
                    f"the config of {path} has the center {shown(center)} and the merge_radius_um "
                    f"{shown(metric.get('merge_radius_um'))} in test_evaluator; expected "
                    f"{' or '.join(CENTERS)}, and µm"
                )
            return center, radius
    return CENTERS[0], MERGE_RADIUS_UM


def _record(path: Path, config: str | Path | None, stored: dict, precision: str) -> dict[str, Any]:
    """Say what the detector is."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    meta = stored.get("meta", {})
    name = Path(config).name if config else str(meta.get("experiment_name", "of the checkpoint"))
    return {
        "config": name,
        "checkpoint": path.name,
        "checkpoint_sha256": digest.hexdigest(),
        "precision": precision,
        "versions": versions(),
    }
