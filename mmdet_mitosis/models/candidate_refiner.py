"""Stage 2: a classifier of crops around candidates."""

from __future__ import annotations

import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional

MITOSIS = 1
"""Class of mitoses; 0 is everything else."""


@MODELS.register_module()
class CandidateRefiner(BaseModel):
    """Tell mitoses from look-alikes by the crop around a candidate.

    A backbone, global average pooling of its last level, and one linear layer.

    Source: stage 2 of the two-stage baseline in Sohail et al., arXiv 2003.08803, section 3.4.

    Args:
        backbone: Config of the backbone; its last output is taken.
        num_classes: Number of classes; 1 is the mitosis.
        loss_cls: Config of the loss; by default MMDetection's cross-entropy.
        crop_size: Side of a crop in px of the field. Crops are cut with it by the pipeline and by
            ``TwoStageMitosisDetector``.
        input_size: Crops of another side are resized to this one, px; None: they are taken as
            they come.
        in_channels: Channels of the backbone's last output; None: ``feat_dim`` of a ``ResNet``.
        data_preprocessor: Config of what normalises the crops; by default an
            ``ImgDataPreprocessor`` that leaves the grey levels as they are.
        init_cfg: As ``mmengine.model.BaseModule``.

    Raises:
        ValueError: If ``num_classes`` is less than 2, a size is not positive, or
            ``in_channels`` is needed and not given.
    """

    def __init__(
        self,
        backbone: dict,
        num_classes: int = 2,
        loss_cls: dict | None = None,
        crop_size: int = 80,
        input_size: int | None = None,
        in_channels: int | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        # MMEngine itself would not find what MMDetection registers.
        super().__init__(
            MODELS.build(data_preprocessor or {"type": "ImgDataPreprocessor"}), init_cfg
        )
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        if crop_size < 1 or (input_size is not None and input_size < 1):
            raise ValueError(
                f"crop_size and input_size must be at least 1 px, got {crop_size} and {input_size}"
            )
        self.num_classes = num_classes
        self.crop_size, self.input_size = crop_size, input_size
        self.backbone = MODELS.build(backbone)
        if in_channels is None:
            in_channels = getattr(self.backbone, "feat_dim", None)
        if in_channels is None:
            name = type(self.backbone).__name__
            raise ValueError(
                f"in_channels must say how many channels the last output of {name} has"
            )
        self.fc = nn.Linear(in_channels, num_classes)
        self.loss_cls = MODELS.build(loss_cls or {"type": "CrossEntropyLoss"})

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DetDataSample] | None = None,
        mode: str = "tensor",
    ) -> dict[str, Tensor] | list[DetDataSample] | Tensor:
        """Run the network as MMEngine asks for it.

        Args:
            inputs: Normalised crops, (N, 3, S, S).
            data_samples: One a crop; ``label`` in its metainfo is read by ``loss`` alone.
            mode: ``loss``, ``predict`` or ``tensor``.

        Returns:
            The losses; the data samples with ``pred_score``, the probability of a mitosis; or the
            class scores, (N, num_classes).

        Raises:
            ValueError: For another mode.
        """
        scores = self._class_scores(inputs)
        if mode == "tensor":
            return scores
        if mode == "loss":
            labels = torch.tensor([s.label for s in data_samples], device=scores.device)
            return {"loss_cls": self.loss_cls(scores, labels)}
        if mode == "predict":
            for sample, probability in zip(data_samples, _mitosis(scores), strict=True):
                sample.pred_score = probability
            return data_samples
        raise ValueError(f"mode must be loss, predict or tensor, got {mode!r}")

    def classify(self, crops: Tensor) -> Tensor:
        """Give the probability that each crop shows a mitosis.

        Args:
            crops: (N, 3, S, S), BGR, grey levels 0 to 255 as the pipeline packs them; the refiner
                normalises them itself.

        Returns:
            (N,) in [0, 1].
        """
        if not len(crops):
            return crops.new_zeros(0, dtype=torch.float32)
        data = self.data_preprocessor({"inputs": crops, "data_samples": None})
        return _mitosis(self._class_scores(data["inputs"]))

    def _class_scores(self, inputs: Tensor) -> Tensor:
        """Score normalised crops, (N, num_classes)."""
        if self.input_size is not None and inputs.shape[-2:] != (self.input_size,) * 2:
            inputs = functional.interpolate(
                inputs,
                size=(self.input_size, self.input_size),
                mode="bilinear",
                align_corners=False,
                antialias=True,
            )
        features = self.backbone(inputs)[-1]
        return self.fc(functional.adaptive_avg_pool2d(features, 1).flatten(1))


def _mitosis(scores: Tensor) -> Tensor:
    """Probability of the mitosis, (N,)."""
    return scores.float().softmax(dim=1)[:, MITOSIS]
