"""A module in the place of mmcv's compiled one, and its operators on boxes and regions.

The functions carry the names, and take the arguments, of those in mmcv's compiled module.
"""

from __future__ import annotations

import importlib.machinery
import types
from typing import Any

import torch
import torchvision
from torch import Tensor

from mmdet_mitosis.compat import deformable
from mmdet_mitosis.compat.gradients import fill_gradients, working_dtype


class MissingOperatorError(RuntimeError):
    """An mmcv operator that neither torchvision nor pure PyTorch answers."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"mmcv's operator {name!r} has no source here: install compiled mmcv "
            "('mmcv>=2.0,<2.2', beside a torch that it builds with, such as 2.1)"
        )


class Operators(types.ModuleType):
    """Stands in for ``mmcv._ext``: any operator can be looked up, an unknown one not be called.

    Args:
        fault: Why compiled mmcv, which is installed, does not import.
    """

    def __init__(self, fault: str = "") -> None:
        super().__init__("mmcv._ext", "mmcv's operators, answered by torchvision.")
        self.fault = fault
        self.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
        for operator in (
            get_compiler_version,
            get_compiling_cuda_version,
            nms,
            roi_align_forward,
            roi_align_backward,
            sigmoid_focal_loss_forward,
            sigmoid_focal_loss_backward,
            deformable.deform_conv_forward,
            deformable.deform_conv_backward_input,
            deformable.deform_conv_backward_parameters,
            deformable.modulated_deform_conv_forward,
            deformable.modulated_deform_conv_backward,
            deformable.ms_deform_attn_forward,
            deformable.ms_deform_attn_backward,
        ):
            setattr(self, operator.__name__, operator)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def missing(*args: Any, **kwargs: Any) -> None:
            raise MissingOperatorError(name)

        missing.__name__ = name
        return missing


def get_compiler_version() -> str:
    """Say what mmcv's report on the environment says where nothing is compiled."""
    return "n/a"


def get_compiling_cuda_version() -> str:
    """Say what mmcv's report on the environment says where nothing is compiled."""
    return "n/a"


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
    dtype = working_dtype(boxes, scores)
    boxes = boxes.to(dtype)
    # Growing every box by the offset at its far corner is what mmcv adds to each length.
    grown = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return torchvision.ops.nms(grown, scores.to(dtype), iou_threshold)


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
    dtype = working_dtype(input)
    # Not torchvision.ops.roi_align: in deterministic mode it compiles another implementation.
    output.copy_(
        torch.ops.torchvision.roi_align(
            input.to(dtype),
            rois.to(dtype),
            spatial_scale,
            aligned_height,
            aligned_width,
            sampling_ratio,
            aligned,
        )
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
    dtype = working_dtype(grad_output)
    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(
            grad_output.to(dtype),
            rois.to(dtype),
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
    """Sigmoid focal loss (Lin et al., 2017), (N, C), of class indices (N,); others: background."""
    n_classes = input.shape[1]
    classes = torch.arange(n_classes, device=target.device)
    scores = input.to(working_dtype(input))
    truth = (target[:, None] == classes).to(scores.dtype)
    loss = torchvision.ops.sigmoid_focal_loss(scores, truth, alpha=alpha, gamma=gamma)
    if weight.numel():
        # A weight belongs to the sample's class and so to its whole row; background has none.
        padded = torch.cat([weight.to(scores.dtype), weight.new_ones(1, dtype=scores.dtype)])
        known = (target >= 0) & (target < n_classes)
        loss = loss * padded[target.where(known, n_classes)][:, None]
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
    fill_gradients(
        [grad_input],
        lambda scores: _focal_loss(scores, target, weight, gamma, alpha).sum(),
        [input],
        torch.ones((), device=input.device),
    )
