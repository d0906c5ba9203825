"""Deformable convolution by torchvision, deformable attention by mmcv's own PyTorch function.

The functions carry the names, and take the arguments, of those in mmcv's compiled module. The
number of groups follows from the tensors' shapes, and ``im2col_step`` only bounded a buffer.
"""

from __future__ import annotations

from typing import Any

import torch
import torchvision
from torch import Tensor

from mmdet_mitosis.compat.gradients import fill_gradients, working_dtype


def _deform_conv(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    names: dict[str, Any],
    mask: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Convolve at deformed points; ``names`` are mmcv's keyword arguments, of either version."""
    modulated = "stride_h" in names
    stride, padding, dilation = (
        [("stride_h", "stride_w"), ("pad_h", "pad_w"), ("dilation_h", "dilation_w")]
        if modulated
        else [("dH", "dW"), ("padH", "padW"), ("dilationH", "dilationW")]
    )
    dtype = working_dtype(input)
    return torchvision.ops.deform_conv2d(
        input.to(dtype),
        offset.to(dtype),
        weight.to(dtype),
        bias=None if bias is None else bias.to(dtype),
        stride=(names[stride[0]], names[stride[1]]),
        padding=(names[padding[0]], names[padding[1]]),
        dilation=(names[dilation[0]], names[dilation[1]]),
        mask=None if mask is None else mask.to(dtype),
    )


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **names: Any,
) -> None:
    """Fill ``output`` (N, O, h, w) with the deformable convolution (Dai et al., 2017)."""
    output.copy_(_deform_conv(input, offset, weight, names))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **names: Any,
) -> None:
    """Fill the gradients of input and offset."""
    fill_gradients(
        [grad_input, grad_offset],
        lambda x, at: _deform_conv(x, at, weight, names),
        [input, offset],
        grad_output,
    )


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float = 1.0,
    **names: Any,
) -> None:
    """Add the gradient of the weight, times ``scale``, to ``grad_weight``."""
    # The convolution is linear in the weight: its gradient is the same at zero.
    gradient = torch.zeros_like(grad_weight)
    fill_gradients(
        [gradient],
        lambda weight: _deform_conv(input, offset, weight, names),
        [torch.zeros_like(grad_weight)],
        grad_output,
    )
    grad_weight.add_(gradient, alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **names: Any,
) -> None:
    """Fill ``output`` (N, O, h, w) with the modulated convolution (Zhu et al., 2019)."""
    output.copy_(_deform_conv(input, offset, weight, names, mask, bias if with_bias else None))


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **names: Any,
) -> None:
    """Fill the gradients of all that has one."""
    sources = [input, offset, weight, mask]
    buffers = [grad_input, grad_offset, grad_weight, grad_mask]
    if with_bias:
        sources.append(bias)
        buffers.append(grad_bias)
    fill_gradients(
        buffers,
        lambda x, at, kernel, *more: _deform_conv(x, at, kernel, names, *more),
        sources,
        grad_output,
    )


def _ms_deform_attn(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """Sample and weigh the levels of ``value``."""
    # Only here, as mmcv.ops looks up all of its operators while it is imported.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    dtype = working_dtype(value)
    return multi_scale_deformable_attn_pytorch(
        value.to(dtype), shapes, locations.to(dtype), weights.to(dtype)
    )


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Give the attention's output (N, queries, heads * channels) (Zhu et al., 2021)."""
    output = _ms_deform_attn(value, spatial_shapes, sampling_locations, attention_weights)
    return output.to(value.dtype)


def ms_deform_attn_backward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Fill the gradients of value, locations and weights."""
    fill_gradients(
        [grad_value, grad_sampling_loc, grad_attn_weight],
        lambda v, locations, weights: _ms_deform_attn(v, spatial_shapes, locations, weights),
        [value, sampling_locations, attention_weights],
        grad_output,
    )
