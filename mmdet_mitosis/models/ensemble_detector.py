"""Several detectors, or one in several views, as one detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmdet_mitosis.models.consensus import merge_views
from mmdet_mitosis.models.views import (
    VIEW_SETS,
    VIEWS,
    turn,
    turn_back,
    turn_boxes_back,
    turned_pair,
)


@MODELS.register_module()
class EnsembleDetector(BaseDetector):
    """Let several detectors, or one in several views (test-time augmentation), judge together.

    Every detector sees every view. Detections of one object are merged by
    :func:`~mmdet_mitosis.models.consensus.merge_views`: box and mask are those of the surest one,
    the score is the mean over all detectors and views, where one without it counts as 0. It costs
    as many forward passes. ``tools/ensemble.py`` makes its checkpoint of trained ones and chooses
    its threshold; it is not trained as a whole. (MMDetection's ``DetTTAModel`` merges by
    non-maximum suppression, has no rotations, and refuses masks.)

    Args:
        detectors: Configs of the detectors, at least one.
        views: Names of :data:`~mmdet_mitosis.models.views.VIEWS`, or that of a set of them: ``one``
            (the image as it is), ``flips`` (4), ``all`` (8).
        merge_radius: Detections at most this far apart can be one object, px of the window; by
            default 6.25 µm at 0.25 µm/px.
        data_preprocessor: As ``mmdet.models.detectors.BaseDetector``. It has to leave grey levels
            and the order of channels alone, as by default: each detector normalises by itself.
        init_cfg: As ``mmengine.model.BaseModule``.

    Raises:
        ValueError: If there is no detector or view, a view is unknown or there twice, or the
            radius is negative.
    """

    def __init__(
        self,
        detectors: Sequence[dict],
        views: str | Sequence[str] = "one",
        merge_radius: float = 25.0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        self.views = _checked_views(views)
        if not detectors:
            raise ValueError("an ensemble needs at least one detector")
        if not merge_radius >= 0:
            raise ValueError(f"merge_radius must not be negative, got {merge_radius}")
        super().__init__(
            data_preprocessor=data_preprocessor or {"type": "DetDataPreprocessor"},
            init_cfg=init_cfg,
        )
        self.detectors = nn.ModuleList(MODELS.build(config) for config in detectors)
        self.merge_radius = merge_radius

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> NoReturn:
        """Refuse to be trained.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "EnsembleDetector is not trained as a whole: train its detectors by their own configs, "
            "and join their checkpoints with tools/ensemble.py"
        )

    def extract_feat(self, batch_inputs: Tensor) -> list[tuple[Tensor, ...]]:
        """Extract the features of each detector from the windows as they are.

        Args:
            batch_inputs: (B, 3, H, W), BGR, grey levels 0 to 255.

        Returns:
            Those of each detector.
        """
        data = {"inputs": list(batch_inputs)}
        return [d.extract_feat(d.data_preprocessor(data)["inputs"]) for d in self.detectors]

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> list:
        """Give what each detector's network makes of the windows as they are."""
        data = {"inputs": list(batch_inputs), "data_samples": batch_data_samples}
        return [d(**d.data_preprocessor(data)) for d in self.detectors]

    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: list[DetDataSample],
        rescale: bool = True,
    ) -> list[DetDataSample]:
        """Find mitoses.

        Args:
            batch_inputs: Windows as they are, (B, 3, H, W), BGR, grey levels 0 to 255.
            batch_data_samples: With ``img_shape`` and ``ori_shape``; what lies beyond the former
                was added to fill the batch.
            rescale: Whether predictions are in px of the image before the pipeline resized it
                (``scale_factor``), as MMDetection's are.

        Returns:
            The same samples with ``pred_instances``: ``bboxes`` (N, 4), ``scores`` (N,) by
            descending value and ``labels`` (N,); and what else all detectors give of each
            detection, ``masks`` (N, H, W) or single values.
        """
        shapes = [sample.img_shape[:2] for sample in batch_data_samples]
        windows = [x[:, :h, :w] for x, (h, w) in zip(batch_inputs, shapes, strict=True)]
        found = [
            self._look(detector, view, windows, batch_data_samples, rescale)
            for detector in self.detectors
            for view in self.views
        ]
        merged = [self._merge(of_window) for of_window in zip(*found, strict=True)]
        return self.add_pred_to_datasample(batch_data_samples, merged)

    def _look(
        self,
        detector: nn.Module,
        view: str,
        windows: list[Tensor],
        samples: list[DetDataSample],
        rescale: bool,
    ) -> list[InstanceData]:
        """Run a detector on a view of the windows, and turn what it finds back."""
        data = {
            "inputs": [turn(window, view) for window in windows],
            "data_samples": [_turned_sample(sample, view) for sample in samples],
        }
        data = detector.data_preprocessor(data)
        found = detector.predict(data["inputs"], data["data_samples"], rescale=rescale)
        frames = [(s.ori_shape if rescale else s.img_shape)[:2] for s in samples]
        return [
            _turned_back(one.pred_instances, view, shape)
            for one, shape in zip(found, frames, strict=True)
        ]

    def _merge(self, found: Sequence[InstanceData]) -> InstanceData:
        """Bring together what all detectors saw in all views of one window."""
        stacked = _stack(found)
        scores, labels = stacked.scores.cpu().numpy(), stacked.labels.cpu().numpy()
        centers_xy = ((stacked.bboxes[:, :2] + stacked.bboxes[:, 2:]) / 2).cpu().numpy()
        view_index = np.repeat(np.arange(len(found)), [len(one) for one in found])
        surest, means = np.empty(0, dtype=int), np.empty(0)
        for label in np.unique(labels):
            at = np.flatnonzero(labels == label)
            chosen, mean = merge_views(
                centers_xy[at], scores[at], view_index[at], len(found), self.merge_radius
            )
            surest, means = np.append(surest, at[chosen]), np.append(means, mean)
        order = np.argsort(-means, kind="stable")
        merged = stacked[torch.as_tensor(surest[order], device=stacked.scores.device)]
        merged.scores = stacked.scores.new_tensor(means[order])
        return merged


def _checked_views(views: str | Sequence[str]) -> tuple[str, ...]:
    """Give the names of the views."""
    if isinstance(views, str):
        if views not in VIEW_SETS:
            raise ValueError(f"views must be {', '.join(VIEW_SETS)} or a list, got {views!r}")
        return VIEW_SETS[views]
    for view in views:
        if view not in VIEWS:
            raise ValueError(f"unknown view {view!r}; choose of {', '.join(VIEWS)}")
    if not views or len(set(views)) < len(views):
        raise ValueError(f"expected at least one view, and each once, got {list(views)}")
    return tuple(views)


def _turned_sample(sample: DetDataSample, view: str) -> DetDataSample:
    """Describe a turned window as the pipeline would."""
    meta = dict(sample.metainfo)
    for name in ("img_shape", "ori_shape", "scale_factor"):
        if name in meta:
            meta[name] = turned_pair(meta[name], view)
    return DetDataSample(metainfo=meta)


def _turned_back(found: InstanceData, view: str, shape: tuple[int, int]) -> InstanceData:
    """Take a prediction on a turned window to the window of this height and width."""
    # Of other fields, single values do not depend on how the window lies.
    result = InstanceData(**{k: v for k, v in found.items() if torch.is_tensor(v) and v.ndim == 1})
    result.scores = found.scores.float()
    # Half precision, where the network runs in it, has too few digits for places.
    result.bboxes = turn_boxes_back(found.bboxes.float(), view, shape)
    if "masks" in found:
        result.masks = turn_back(found.masks, view)
    return result


def _stack(found: Sequence[InstanceData]) -> InstanceData:
    """Stack predictions, by the fields that all of them have."""
    names = set.intersection(*(set(one.keys()) for one in found))
    return InstanceData.cat([InstanceData(**{n: one[n] for n in sorted(names)}) for one in found])
