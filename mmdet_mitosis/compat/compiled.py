"""What compiled mmcv needs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

READS_PLANES = (
    "roi_align_forward",
    "roi_pool_forward",
    "deform_conv_forward",
    "modulated_deform_conv_forward",
)
"""Operators whose first tensor, (N, C, H, W), is read plane by plane, however it lies in memory."""


def lay_out_inputs(module: ModuleType) -> None:
    """Give mmcv's operators features in the layout that they take for granted.

    Those that are channels last would be read as if they were not, and no error would be raised:
    regions of other places, other channels.

    Args:
        module: ``mmcv._ext``; a second call changes nothing.
    """
    for name in READS_PLANES:
        operator = getattr(module, name, None)
        if operator is not None and not hasattr(operator, "__wrapped__"):
            setattr(module, name, _laid_out(operator))


def _laid_out(operator: Callable) -> Callable:
    """Wrap an operator whose first tensor has to be contiguous."""

    @functools.wraps(operator)
    def run(features: torch.Tensor, *args: Any, **options: Any) -> Any:
        return operator(features.contiguous(), *args, **options)

    return run
