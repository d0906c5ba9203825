"""Stage 1 of the two-stage baseline: a segmentation whose peaks are candidates."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmdet_mitosis.models.peaks import find_peaks, smooth_maps


@MODELS.register_module()
class CandidateDetector(BaseDetector):
    """Find candidates at the peaks of a map of probabilities.

    Source: Sohail et al., arXiv 2003.08803, section 3.4, after Wahab et al.: an FCN on VGG-16 finds
    candidates, which a classifier refines. It learns the union of the objects' masks. A prediction
    is a box of fixed size around a peak of the smoothed probabilities; it may reach beyond the
    window, as its middle is what counts.

    Args:
        backbone: Gives the features, such as ``VGG16FCN``.
        head: Gives logits at the size of the window, one map a class, such as ``FCN8sHead``.
        loss_pixel: Compares logits and targets of (pixels, classes), such as ``CrossEntropyLoss``
            with ``use_sigmoid``.
        loss_region: Compares logits and targets of (classes, pixels), the pixels of the whole
            batch, such as ``DiceLoss``; None: nothing. Taken over the batch, a window without
            mitoses counts by what is found in it.
        box_size: Side of the boxes, px.
        smooth_sigma: Deviation of the Gaussian that smooths the probabilities, px.
        min_distance: Candidates of a window are further apart than this, px.
        score_thr: Lowest score of a candidate.
        max_per_img: Most candidates of a window.
        data_preprocessor: As ``mmdet.models.detectors.BaseDetector``.
        init_cfg: As ``mmengine.model.BaseModule``.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        loss_pixel: dict,
        loss_region: dict | None = None,
        box_size: float = 32,
        smooth_sigma: float = 4.0,
        min_distance: int = 12,
        score_thr: float = 0.001,
        max_per_img: int = 300,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.loss_pixel = MODELS.build(loss_pixel)
        self.loss_region = MODELS.build(loss_region) if loss_region else None
        self.box_size = box_size
        self.smooth_sigma = smooth_sigma
        self.min_distance = min_distance
        self.score_thr = score_thr
        self.max_per_img = max_per_img

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Extract the features.

        Args:
            batch_inputs: Normalised windows, (B, 3, H, W).

        Returns:
            Those of the backbone.
        """
        return self.backbone(batch_inputs)

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None
    ) -> Tensor:
        """Give the logits, (B, classes, H, W)."""
        return self.head(self.extract_feat(batch_inputs), batch_inputs.shape[2:])

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]
    ) -> dict[str, Tensor]:
        """Compare the logits with the masks.

        Args:
            batch_inputs: Normalised windows, (B, 3, H, W).
            batch_data_samples: With ``gt_instances``: ``masks`` and ``labels``.

        Returns:
            ``loss_pixel``, and ``loss_region`` where there is one.
        """
        # Sums over a batch of pixels are beyond half precision.
        logits = self._forward(batch_inputs).float()
        targets = self._targets(batch_data_samples, logits)
        by_class = [maps.transpose(0, 1).flatten(1) for maps in (logits, targets)]
        losses = {"loss_pixel": self.loss_pixel(*(maps.T for maps in by_class))}
        if self.loss_region is not None:
            losses["loss_region"] = self.loss_region(*by_class)
        return losses

    def predict(
        self,
        batch_inputs: Tensor,
        batch_data_samples: list[DetDataSample],
        rescale: bool = True,
    ) -> list[DetDataSample]:
        """Find the candidates.

        Args:
            batch_inputs: Normalised windows, (B, 3, H, W).
            batch_data_samples: With ``img_shape``; what lies beyond it was added to fill the batch.
            rescale: Whether boxes are in px of the image before the pipeline resized it
                (``scale_factor``), as MMDetection's are.

        Returns:
            The same samples with ``pred_instances``: ``bboxes`` (N, 4), ``scores`` (N,) by
            descending value and ``labels`` (N,).
        """
        probabilities = self._forward(batch_inputs).float().sigmoid()
        results = []
        for maps, sample in zip(probabilities, batch_data_samples, strict=True):
            height, width = sample.img_shape[:2]
            found = self._peaks(maps[:, :height, :width])
            if rescale and "scale_factor" in sample:
                found.bboxes = found.bboxes / found.bboxes.new_tensor(sample.scale_factor).repeat(2)
            results.append(found)
        return self.add_pred_to_datasample(batch_data_samples, results)

    def _peaks(self, maps: Tensor) -> InstanceData:
        """Box the peaks of the maps of one window, (classes, h, w)."""
        smooth = smooth_maps(maps, self.smooth_sigma)
        peaks = find_peaks(smooth, self.min_distance, self.score_thr, self.max_per_img)
        centers = torch.cat([xy for xy, _ in peaks])
        scores = torch.cat([values for _, values in peaks])
        labels = [torch.full_like(v, c, dtype=torch.long) for c, (_, v) in enumerate(peaks)]
        order = scores.argsort(descending=True, stable=True)[: self.max_per_img]
        half = self.box_size / 2
        return InstanceData(
            bboxes=torch.cat([centers - half, centers + half], dim=1)[order],
            scores=scores[order],
            labels=torch.cat(labels)[order],
        )

    @staticmethod
    def _targets(samples: list[DetDataSample], like: Any) -> Tensor:
        """Paint the objects of each window into maps of the logits' shape."""
        targets = torch.zeros_like(like)
        for maps, sample in zip(targets, samples, strict=True):
            objects = sample.gt_instances
            masks = torch.from_numpy(objects.masks.to_ndarray()).to(like.device)
            for label, mask in zip(objects.labels, masks, strict=True):
                height, width = mask.shape
                maps[label, :height, :width].masked_fill_(mask.bool(), 1.0)
        return targets
