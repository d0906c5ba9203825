"""The two stages as one detector."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet_mitosis.transforms.crop_candidate import crop_indices


@MODELS.register_module()
class TwoStageMitosisDetector(BaseDetector):
    """Let stage 1 find candidates and stage 2 judge them.

    Source: Sohail et al., arXiv 2003.08803, section 3.4. ``tools/join_stages.py`` makes its
    checkpoint of those of the two stages; it is not trained as a whole.

    A candidate's crop comes from the window; where it reaches beyond, it is reflected. With
    overlapping windows the merge takes such a candidate from the window that has it whole.

    Args:
        candidates: Config of stage 1: a ``CandidateDetector``, or any other detector of mitoses.
        refiner: Config of stage 2, a ``CandidateRefiner``.
        candidate_threshold: Lowest score of stage 1 that is refined. A checkpoint brings its own.
        refine_batch_size: Most crops that are refined at once.
        data_preprocessor: As ``mmdet.models.detectors.BaseDetector``. It has to leave grey levels
            and the order of channels alone, as by default: each stage normalises by itself.
        init_cfg: As ``mmengine.model.BaseModule``.

    Raises:
        ValueError: If the batch size is not positive.
    """

    def __init__(
        self,
        candidates: dict,
        refiner: dict,
        candidate_threshold: float = 0.0,
        refine_batch_size: int = 64,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if refine_batch_size < 1:
            raise ValueError(f"refine_batch_size must be at least 1, got {refine_batch_size}")
        super().__init__(
            data_preprocessor=data_preprocessor or {"type": "DetDataPreprocessor"},
            init_cfg=init_cfg,
        )
        self.candidates = MODELS.build(candidates)
        self.refiner = MODELS.build(refiner)
        self.refine_batch_size = refine_batch_size
        threshold = torch.tensor(candidate_threshold, dtype=torch.float64)
        self.register_buffer("candidate_threshold", threshold)

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> NoReturn:
        """Refuse to be trained.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "TwoStageMitosisDetector is not trained as a whole: train its two stages by their own "
            "configs, and join their checkpoints with tools/join_stages.py"
        )

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Extract the features of stage 1.

        Args:
            batch_inputs: Windows as they are, (B, 3, H, W), BGR, grey levels 0 to 255.

        Returns:
            Those of its backbone.
        """
        data = self.candidates.data_preprocessor({"inputs": list(batch_inputs)})
        return self.candidates.extract_feat(data["inputs"])

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> Tensor | tuple:
        """Give what stage 1 computes without judging it, such as logits (B, classes, H, W)."""
        data = self.candidates.data_preprocessor({"inputs": list(batch_inputs)})
        return self.candidates._forward(data["inputs"], batch_data_samples)

    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: list[DetDataSample],
        rescale: bool = True,
    ) -> list[DetDataSample]:
        """Find mitoses.

        Args:
            batch_inputs: Windows as they are, (B, 3, H, W), BGR, grey levels 0 to 255.
            batch_data_samples: With ``img_shape``; what lies beyond it was added to fill the batch.
            rescale: Whether boxes are in px of the image before the pipeline resized it
                (``scale_factor``), as MMDetection's are.

        Returns:
            The same samples with ``pred_instances``: ``bboxes`` (N, 4), ``scores`` (N,) of stage 2
            by descending value, ``labels`` (N,), all 0, ``candidate_scores`` (N,) of stage 1, and
            what else stage 1 gives, as ``masks``.
        """
        shapes = [sample.img_shape[:2] for sample in batch_data_samples]
        windows = [x[:, :h, :w] for x, (h, w) in zip(batch_inputs, shapes, strict=True)]
        data = self.candidates.data_preprocessor(
            {"inputs": windows, "data_samples": batch_data_samples}
        )
        samples = self.candidates.predict(data["inputs"], data["data_samples"], rescale=rescale)
        found = [self._above(sample.pred_instances) for sample in samples]
        centers = [
            _centers(boxes, sample.get("scale_factor", (1.0, 1.0)) if rescale else (1.0, 1.0))
            for boxes, sample in zip(found, batch_data_samples, strict=True)
        ]
        size = self.refiner.crop_size
        crops = [crop_windows(w, xy, size) for w, xy in zip(windows, centers, strict=True)]
        scores = self._refine(torch.cat(crops)).split([len(boxes) for boxes in found])
        results = [_rescored(*pair) for pair in zip(found, scores, strict=True)]
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _above(self, boxes: InstanceData) -> InstanceData:
        """Take what stage 2 is asked about."""
        return boxes[(boxes.scores.double() >= self.candidate_threshold) & (boxes.labels == 0)]

    def _refine(self, crops: Tensor) -> Tensor:
        """Run stage 2 on (N, 3, S, S) crops, in batches: (N,)."""
        batches = crops.split(self.refine_batch_size)
        return torch.cat([self.refiner.classify(batch) for batch in batches])


def crop_windows(window: Tensor, centers_xy: Tensor, size: int) -> Tensor:
    """Cut squares around points, reflected where they reach beyond the window.

    The same pixels as :func:`~mmdet_mitosis.transforms.crop_candidate.crop_around` gives.

    Args:
        window: (3, H, W).
        centers_xy: (N, 2), px of the window, x first.
        size: Side of a square, px.

    Returns:
        (N, 3, size, size).
    """
    height, width = window.shape[1:]
    columns, rows = (
        torch.as_tensor(
            np.array([crop_indices(c, size, length) for c in along]).reshape(-1, size),
            device=window.device,
        ).long()
        for along, length in zip(centers_xy.T.tolist(), (width, height), strict=True)
    )
    return window[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)


def _centers(boxes: InstanceData, scale_factor: tuple[float, float]) -> Tensor:
    """Give the middles of boxes, (N, 2), px of the window: what ``scale_factor`` has made of it."""
    middles = (boxes.bboxes[:, :2] + boxes.bboxes[:, 2:]) / 2
    return middles * middles.new_tensor(scale_factor)


def _rescored(boxes: InstanceData, scores: Tensor) -> InstanceData:
    """Put the scores of stage 2 in place of those of stage 1, and sort by them."""
    order = scores.argsort(descending=True, stable=True)
    result = boxes[order]
    result.candidate_scores, result.scores = boxes.scores[order], scores[order]
    return result
