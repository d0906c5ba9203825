"""Training in mixed precision that needs no scaling of the loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmdet.registry import OPTIM_WRAPPERS
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Compute forward passes in bfloat16 where that is safe; on a GPU or on the CPU.

    bfloat16 has the range of float32, so that, unlike with float16, no gradient is lost and the
    loss needs no scaling. MMEngine's ``AmpOptimWrapper`` refuses to work without a GPU. Arguments
    are those of ``mmengine.optim.OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Enter the context that a forward pass runs in.

        Args:
            model: The model.

        Yields:
            Nothing.

        Raises:
            RuntimeError: If the GPU has no bfloat16.
        """
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield


def use_mixed_precision(optim_wrapper: ConfigDict) -> None:
    """Let a config train in mixed precision: bfloat16, or float16 on a GPU that has none.

    Args:
        optim_wrapper: The config's; changed in place.
    """
    optim_wrapper.pop("dtype", None)
    # Before the Ampere generation, 8.0, GPUs only emulate bfloat16, and are slow at it.
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0):
        optim_wrapper.update(type="AmpOptimWrapper", loss_scale="dynamic")
    else:
        optim_wrapper.pop("loss_scale", None)
        optim_wrapper.type = BFloat16OptimWrapper.__name__
