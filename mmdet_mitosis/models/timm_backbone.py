"""Networks of timm as backbones."""

from __future__ import annotations

from collections.abc import Sequence

from mmdet.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A network of timm, by its name there, without its classifier.

    Weights are never fetched: name a file with ``load_from`` (``tools/train.py --load-from``).
    Those of timm and, for EfficientNets, of EfficientNet-PyTorch find their place.

    Source: https://github.com/huggingface/pytorch-image-models.

    Args:
        model_name: As ``tf_efficientnet_lite0`` or ``resnet50d``; ``timm.list_models()`` has them.
        out_indices: Which of its levels are given; each has twice the stride of the one before it,
            from 2 px (most convolutional networks) or 4 px (most others).
        norm_eval: Whether batch normalisation keeps the means and variances that were loaded.
        init_cfg: As ``mmengine.model.BaseModule``.
        **options: Further arguments of ``timm.create_model``, such as ``drop_path_rate``; not
            ``checkpoint_path``, which timm would unpickle unsafely.

    Attributes:
        channels: Widths of the levels that are given, for the neck's ``in_channels``.
        strides: Their strides in px.

    Raises:
        ImportError: If timm is not installed.
        ValueError: If timm knows no such network or level, or a file of weights is named.
    """

    def __init__(
        self,
        model_name: str,
        out_indices: Sequence[int] = (1, 2, 3, 4),
        norm_eval: bool = False,
        init_cfg: dict | None = None,
        **options: object,
    ) -> None:
        super().__init__(init_cfg)
        if "checkpoint_path" in options:
            raise ValueError("TimmBackbone takes no checkpoint_path: name weights with load_from")
        try:
            import timm
        except ImportError as error:
            raise ImportError("TimmBackbone needs timm: pip install timm") from error
        if not timm.is_model(model_name):
            near = ", ".join(timm.list_models(f"*{model_name.split('_')[-1]}*")[:5])
            hint = f"; near it: {near}" if near else ""
            raise ValueError(f"timm {timm.__version__} has no model {model_name!r}{hint}")
        try:
            self.model = timm.create_model(
                model_name,
                pretrained=False,
                features_only=True,
                out_indices=tuple(out_indices),
                **options,
            )
        except (AssertionError, IndexError, RuntimeError) as error:
            levels = tuple(out_indices)
            raise ValueError(f"{model_name} of timm gives no levels {levels}: {error}") from error
        self.norm_eval = norm_eval
        self.channels: list[int] = self.model.feature_info.channels()
        self.strides: list[int] = self.model.feature_info.reduction()

    def init_weights(self) -> None:
        """Keep timm's own values where ``init_cfg`` names no others."""
        if self.init_cfg:
            super().init_weights()

    def train(self, mode: bool = True) -> TimmBackbone:
        """Switch to training; batch normalisation stays as it is with ``norm_eval``."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            images: (B, 3, H, W).

        Returns:
            A (B, channels, H / stride, W / stride) tensor for each of ``out_indices``.
        """
        return tuple(self.model(images))
