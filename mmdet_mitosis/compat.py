"""What makes MMDetection run on today's torch; the only place with such knowledge.

mmcv's compiled operators are answered by torchvision where compiled mmcv is not importable, and
checkpoints that mmengine wrote load under ``weights_only=True``.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor

COMPILED, TORCHVISION = "compiled mmcv", "torchvision"


class MissingOperatorError(RuntimeError):
    """An mmcv operator that neither torchvision nor pure PyTorch answers."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"mmcv's operator {name!r} has no source here: install compiled mmcv "
            "(pip install 'mmcv>=2.0,<2.2', against a torch that it builds with)"
        )


def install() -> str:
    """Make mmcv's operators and mmengine's checkpoints work; a second call changes nothing.

    Returns:
        What answers the operators: ``'compiled mmcv'`` or ``'torchvision'``.
    """
    _allow_checkpoints()
    if isinstance(sys.modules.get("mmcv._ext"), _Operators):
        return TORCHVISION
    if importlib.util.find_spec("mmcv._ext") is not None:
        return COMPILED
    sys.modules["mmcv._ext"] = _Operators()
    return TORCHVISION


class _Operators(types.ModuleType):
    """Stands in for ``mmcv._ext``: any operator can be looked up, an unknown one not be called."""

    def __init__(self) -> None:
        super().__init__("mmcv._ext", "mmcv's operators, answered by torchvision.")
        self.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
        for operator in (
            nms,
            roi_align_forward,
            roi_align_backward,
            sigmoid_focal_loss_forward,
            sigmoid_focal_loss_backward,
            deform_conv_forward,
            deform_conv_backward_input,
            deform_conv_backward_parameters,
            modulated_deform_conv_forward,
            modulated_deform_conv_backward,
            ms_deform_attn_forward,
            ms_deform_attn_backward,
        ):
            setattr(self, operator.__name__, operator)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> None:
            raise MissingOperatorError(name)

        missing.__name__ = name
        return missing


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap a surer one.

    Args:
        boxes: x1, y1, x2, y2, (N, 4).
        scores: (N,).
        iou_threshold: Overlap above which the less sure box goes.
        offset: 0, or 1 where x2 and y2 are the last pixel of the box.

    Returns:
        Indices that stay, by descending score.
    """
    # Growing every box by the offset at its far corner is what mmcv adds to each length.
    grown = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return torchvision.ops.nms(grown, scores, iou_threshold)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``output`` (K, C, h, w) with the mean of bilinear samples in each region."""
    if pool_mode != 1:
        raise MissingOperatorError("roi_align_forward with pool_mode='max'")
    size = (aligned_height, aligned_width)
    output.copy_(
        torchvision.ops.roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned)
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill ``grad_input`` (N, C, H, W)."""
    if pool_mode != 1:
        raise MissingOperatorError("roi_align_backward with pool_mode='max'")
    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    )


def _focal_loss(
    input: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float
) -> Tensor:
    """Sigmoid focal loss (Lin et al., 2017), (N, C), of class indices (N,); C is background."""
    n_classes = input.shape[1]
    truth = torch.nn.functional.one_hot(target, n_classes + 1)[:, :n_classes].to(input.dtype)
    loss = torchvision.ops.sigmoid_focal_loss(input, truth, alpha=alpha, gamma=gamma)
    if weight.numel():
        scale = torch.cat([weight, weight.new_ones(1)])[target]
        loss = loss * scale[:, None]
    return loss


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``output`` (N, C)."""
    output.copy_(_focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill ``grad_input`` (N, C)."""
    with torch.enable_grad():
        leaf = input.detach().requires_grad_()
        loss = _focal_loss(leaf, target, weight, gamma, alpha).sum()
    grad_input.copy_(torch.autograd.grad(loss, leaf)[0])


def _deform_conv(input: Tensor, weight: Tensor, offset: Tensor, geometry: dict) -> Tensor:
    """DCNv1 or, with a mask, DCNv2."""
    return torchvision.ops.deform_conv2d(
        input,
        offset,
        weight,
        bias=geometry.get("bias"),
        stride=(geometry["dH"], geometry["dW"]),
        padding=(geometry["padH"], geometry["padW"]),
        dilation=(geometry["dilationH"], geometry["dilationW"]),
        mask=geometry.get("mask"),
    )


def _geometry(names: dict) -> dict:
    """Take mmcv's keyword arguments of DCNv1."""
    keys = ("dH", "dW", "padH", "padW", "dilationH", "dilationW")
    return {key: names[key] for key in keys}


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **kwargs: Any,
) -> None:
    """Fill ``output`` (N, O, h, w) with the deformable convolution."""
    output.copy_(_deform_conv(input, weight, offset, _geometry(kwargs)))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **kwargs: Any,
) -> None:
    """Fill the gradients of input and offset."""
    with torch.enable_grad():
        leaves = [input.detach().requires_grad_(), offset.detach().requires_grad_()]
        out = _deform_conv(leaves[0], weight.detach(), leaves[1], _geometry(kwargs))
    for buffer, grad in zip(
        (grad_input, grad_offset), torch.autograd.grad(out, leaves, grad_output), strict=True
    ):
        buffer.copy_(grad)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    scale: float = 1.0,
    **kwargs: Any,
) -> None:
    """Add the gradient of the weight to ``grad_weight``."""
    with torch.enable_grad():
        leaf = torch.zeros_like(grad_weight).requires_grad_()
        out = _deform_conv(input.detach(), leaf, offset.detach(), _geometry(kwargs))
    grad_weight.add_(torch.autograd.grad(out, leaf, grad_output)[0], alpha=scale)


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
    **kwargs: Any,
) -> None:
    """Fill ``output`` (N, O, h, w) with the modulated deformable convolution."""
    geometry = _modulated_geometry(kwargs, mask, bias if with_bias else None)
    output.copy_(_deform_conv(input, weight, offset, geometry))


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
    **kwargs: Any,
) -> None:
    """Fill the gradients of all that has one."""
    sources = [input, weight, offset, mask]
    buffers = [grad_input, grad_weight, grad_offset, grad_mask]
    if with_bias:
        sources.append(bias)
        buffers.append(grad_bias)
    with torch.enable_grad():
        leaves = [source.detach().requires_grad_() for source in sources]
        geometry = _modulated_geometry(kwargs, leaves[3], leaves[4] if with_bias else None)
        out = _deform_conv(leaves[0], leaves[1], leaves[2], geometry)
    for buffer, grad in zip(buffers, torch.autograd.grad(out, leaves, grad_output), strict=True):
        buffer.copy_(grad)


def _modulated_geometry(names: dict, mask: Tensor, bias: Tensor | None) -> dict:
    """Take mmcv's keyword arguments of DCNv2."""
    return {
        "dH": names["stride_h"],
        "dW": names["stride_w"],
        "padH": names["pad_h"],
        "padW": names["pad_w"],
        "dilationH": names["dilation_h"],
        "dilationW": names["dilation_w"],
        "mask": mask,
        "bias": bias,
    }


def _ms_deform_attn(value: Tensor, shapes: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
    """mmcv's own pure-PyTorch function."""
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, shapes, locations, weights)


def ms_deform_attn_forward(
    value: Tensor,
    spatial_shapes: Tensor,
    level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Give the attention's output, (N, Q, C)."""
    return _ms_deform_attn(value, spatial_shapes, sampling_locations, attention_weights)


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
    with torch.enable_grad():
        leaves = [
            t.detach().requires_grad_() for t in (value, sampling_locations, attention_weights)
        ]
        out = _ms_deform_attn(leaves[0], spatial_shapes, leaves[1], leaves[2])
    buffers = (grad_value, grad_sampling_loc, grad_attn_weight)
    for buffer, grad in zip(buffers, torch.autograd.grad(out, leaves, grad_output), strict=True):
        buffer.copy_(grad)


def _history_method(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` in a checkpoint: admits only what a HistoryBuffer stores."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ("min", "max", "mean", "current"):
        raise ValueError(f"a checkpoint may not look up {name!r} of {owner!r}")
    return builtins.getattr(owner, name)


def _allow_checkpoints() -> None:
    """Name what mmengine stores beside tensors to torch's safe loader."""
    if not hasattr(torch.serialization, "add_safe_globals"):
        warnings.warn(
            f"torch {torch.__version__} cannot load checkpoints safely (2.6 and later can): "
            "load only those that you trust",
            stacklevel=3,
        )
        return
    from mmengine.logging import HistoryBuffer

    dtypes = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_history_method, "builtins.getattr"),
            (np._core.multiarray.scalar, "numpy.core.multiarray.scalar"),
            np._core.multiarray.scalar,
            (np._core.multiarray._reconstruct, "numpy.core.multiarray._reconstruct"),
            np._core.multiarray._reconstruct,
            np.ndarray,
            np.dtype,
            *sorted(dtypes, key=lambda kind: kind.__name__),
        ]
    )
