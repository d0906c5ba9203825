"""Precision and gradients of operators that mmcv hands buffers to fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def working_dtype(*tensors: Tensor) -> torch.dtype:
    """Give the type to compute in: torchvision knows no half or bfloat16 on every device.

    Args:
        *tensors: The operator's inputs.

    Returns:
        The widest of their types, and at least float32.
    """
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def fill_gradients(
    buffers: Sequence[Tensor],
    function: Callable[..., Tensor],
    sources: Sequence[Tensor],
    grad_output: Tensor,
) -> None:
    """Differentiate a function once more, as mmcv keeps no graph, and fill buffers with the result.

    Args:
        buffers: One for the gradient of each source.
        function: Takes the sources.
        sources: Where to differentiate.
        grad_output: Gradient of the function's value.
    """
    with torch.enable_grad():
        leaves = [source.detach().requires_grad_() for source in sources]
        output = function(*leaves)
    gradients = torch.autograd.grad(output, leaves, grad_output.to(output.dtype))
    for buffer, gradient in zip(buffers, gradients, strict=True):
        buffer.copy_(gradient)
