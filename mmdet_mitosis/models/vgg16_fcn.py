"""VGG-16 as a fully convolutional network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

CONVS_PER_STAGE = (2, 2, 3, 3, 3)
FC6_SIDE = 7
"""Side of the pooled features that VGG-16's first fully connected layer takes, at 224 px."""


@MODELS.register_module()
class VGG16FCN(BaseModule):
    """VGG-16 with its fully connected layers as convolutions.

    Source: Simonyan and Zisserman, arXiv 1409.1556, configuration D; Long, Shelhamer and Darrell,
    arXiv 1411.4038. ``fc6`` is a 7 x 7 convolution padded by 3, in place of the latter's 100 px
    around the image: the centre of each of its cells is the same, and no more is computed. Pooling
    rounds up, so that no pixel of a window of any size is lost.

    The layers carry the names of torchvision's ``vgg16`` (with ``norm_cfg``: ``vgg16_bn``), whose
    weights load: those of ``classifier.0`` and ``classifier.3`` become ``fc6`` and ``fc7``, and
    ``classifier.6``, the scores of ImageNet's classes, is left out.

    Args:
        channels: Width of the five stages. The paper has 64, 128, 256, 512, 512.
        fc_channels: Width of ``fc6`` and ``fc7``.
        dropout: Share of the channels of ``fc6`` and ``fc7`` dropped in training.
        norm_cfg: A norm layer after each of the 13 convolutions; None: none, as in the paper.
        init_cfg: As ``mmengine.model.BaseModule``; by default He et al.'s for training from
            scratch.

    Raises:
        ValueError: If there are not five widths.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 128, 256, 512, 512),
        fc_channels: int = 4096,
        dropout: float = 0.5,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg or {"type": "Kaiming", "layer": "Conv2d"})
        if len(channels) != len(CONVS_PER_STAGE):
            raise ValueError(f"channels must be the widths of five stages, got {channels}")
        layers: list[nn.Module] = []
        self.ends: list[int] = []
        n_in = 3
        for n_out, n_convs in zip(channels, CONVS_PER_STAGE, strict=True):
            for _ in range(n_convs):
                layers.append(nn.Conv2d(n_in, n_out, 3, padding=1))
                if norm_cfg:
                    layers.append(build_norm_layer(norm_cfg, n_out)[1])
                layers.append(nn.ReLU(inplace=True))
                n_in = n_out
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=True))
            self.ends.append(len(layers))
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Conv2d(n_in, fc_channels, FC6_SIDE, padding=FC6_SIDE // 2)
        self.fc7 = nn.Conv2d(fc_channels, fc_channels, 1)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Extract the features that FCN-8s scores.

        Args:
            images: (B, 3, H, W).

        Returns:
            ``pool3``, ``pool4`` and ``fc7``: at strides of 8, 16 and 32 px, sizes rounded up.
        """
        pooled = []
        x, start = images, 0
        for end in self.ends:
            x = self.features[start:end](x)
            pooled.append(x)
            start = end
        x = self.dropout(self.relu(self.fc6(x)))
        x = self.dropout(self.relu(self.fc7(x)))
        return pooled[2], pooled[3], x

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Take the fully connected layers of a classifier for convolutions."""
        for name, layer, side in (("classifier.0", "fc6", FC6_SIDE), ("classifier.3", "fc7", 1)):
            weight = state_dict.pop(f"{prefix}{name}.weight", None)
            if weight is not None:
                weight = weight.reshape(len(weight), -1, side, side)
                state_dict[f"{prefix}{layer}.weight"] = weight
                state_dict[f"{prefix}{layer}.bias"] = state_dict.pop(f"{prefix}{name}.bias")
        for part in ("weight", "bias"):
            state_dict.pop(f"{prefix}classifier.6.{part}", None)
        super()._load_from_state_dict(state_dict, prefix, *args)
