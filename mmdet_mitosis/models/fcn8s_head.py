"""FCN-8s: scores of three levels, brought to the size of the window."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn


@MODELS.register_module()
class FCN8sHead(BaseModule):
    """Score ``pool3``, ``pool4`` and ``fc7``, and add the scores up at the size of the window.

    Source: Long, Shelhamer and Darrell, arXiv 1411.4038, section 4: deconvolutions start as
    bilinear interpolation; those that double a map are learned, the last one is not. The scores of
    the skips start at zero.

    Args:
        in_channels: Of ``pool3``, ``pool4`` and ``fc7``.
        num_classes: Number of maps, one a class.
        prior: Probability that an untrained head gives everywhere, so that the first steps are not
            spent on learning that mitoses are rare (Lin et al., arXiv 1708.02002, section 3.3).
        init_cfg: As ``mmengine.model.BaseModule``.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (256, 512, 4096),
        num_classes: int = 1,
        prior: float = 0.01,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        pool3, pool4, fc7 = in_channels
        self.score_pool3 = _score_layer(pool3, num_classes)
        self.score_pool4 = _score_layer(pool4, num_classes)
        self.score_fc7 = _score_layer(
            fc7, num_classes, std=0.01, bias=math.log(prior / (1 - prior))
        )
        self.up_fc7 = _Upsample(num_classes, 2)
        self.up_pool4 = _Upsample(num_classes, 2)
        self.up_pool3 = _Upsample(num_classes, 8).requires_grad_(False)

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Score each pixel.

        Args:
            features: ``pool3``, ``pool4`` and ``fc7`` of :class:`VGG16FCN`.
            size: Height and width of the window, px.

        Returns:
            Logits, (B, num_classes, H, W).
        """
        pool3, pool4, fc7 = features
        scores = _crop(self.up_fc7(self.score_fc7(fc7)), pool4.shape[2:])
        scores = _crop(self.up_pool4(scores + self.score_pool4(pool4)), pool3.shape[2:])
        return _crop(self.up_pool3(scores + self.score_pool3(pool3)), size)


class _Upsample(nn.ConvTranspose2d):
    """A deconvolution of each channel by itself that starts as bilinear interpolation.

    The border is repeated, so that a map that is the same everywhere stays so; zeros around it
    would draw the logits at the border towards 0, a probability of one half.
    """

    def __init__(self, channels: int, factor: int) -> None:
        # Half a cell as always, and the cell that the repeated border adds.
        padding = factor // 2 + factor
        super().__init__(
            channels, channels, 2 * factor, factor, padding, groups=channels, bias=False
        )
        offsets = torch.arange(2 * factor) - (2 * factor - 1) / 2
        weights = 1 - offsets.abs() / factor
        with torch.no_grad():
            self.weight.copy_(torch.outer(weights, weights))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (B, C, H, W) by the factor."""
        return super().forward(F.pad(x, (1, 1, 1, 1), mode="replicate"))


def _score_layer(n_in: int, n_out: int, std: float = 0.0, bias: float = 0.0) -> nn.Conv2d:
    """Make a 1 x 1 convolution that starts with these weights."""
    layer = nn.Conv2d(n_in, n_out, 1)
    nn.init.normal_(layer.weight, std=std)
    nn.init.constant_(layer.bias, bias)
    return layer


def _crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Cut what rounding up has added, at the far sides."""
    return x[..., : size[0], : size[1]]
