"""Colour arithmetic on batches of pixels, in single precision on any device.

Nothing here is a matrix product: those lose whole grey levels where TensorFloat-32 or autocast is
on, as it is in inference with ``fp16``.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_RGB_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_TO_XYZ = _RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)
"""Linear sRGB to CIE XYZ, each 1 for white."""
_TO_RGB = np.linalg.inv(_TO_XYZ)


def transform(values: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the three channels of every pixel by a matrix.

    Args:
        values: (N, 3, ...) float32.
        matrices: (N, C, 3) float32; (1, C, 3) is one for all.

    Returns:
        (N, C, ...) float32.
    """
    columns = matrices.reshape(*matrices.shape, *[1] * (values.ndim - 2)).unbind(2)
    out = columns[0] * values[:, :1]
    for channel in (1, 2):
        out.addcmul_(columns[channel], values[:, channel : channel + 1])
    return out


def densities(levels: Tensor, io: float) -> Tensor:
    """Give the optical density of grey levels, ``-ln((level + 1) / io)``.

    Args:
        levels: Of any shape; uint8 or float, 0 to 255.
        io: Transmitted light, grey level.

    Returns:
        The same shape, float32.
    """
    values = levels.to(torch.float32, copy=True).clamp_(0, 255)
    return values.log1p_().neg_().add_(math.log(io))


def remix(levels: Tensor, matrices: Tensor, io: float) -> Tensor:
    """Give images other colours, each by a matrix of densities.

    Args:
        levels: (N, 3, H, W); uint8 or float, 0 to 255.
        matrices: (N, 3, 3) float32; turns the density of each channel into the new one.
        io: Transmitted light, grey level.

    Returns:
        (N, 3, H, W) float32 grey levels; a very bright one may be over 255.
    """
    return transform(densities(levels, io), matrices).neg_().exp_().mul_(io)


def rgb_to_lab(levels: Tensor) -> Tensor:
    """Turn sRGB into CIELAB.

    Source: IEC 61966-2-1 (sRGB, D65); CIE 15 (CIELAB). Constants as in ``skimage.color``.

    Args:
        levels: (N, 3, ...) R, G, B; uint8 or float, 0 to 255.

    Returns:
        (N, 3, ...) float32: L (0 to 100), a and b.
    """
    srgb = levels.to(torch.float32).clamp(0, 255) / 255
    linear = torch.where(srgb > 0.04045, ((srgb + 0.055) / 1.055) ** 2.4, srgb / 12.92)
    xyz = transform(linear, on(linear.device, _TO_XYZ[None]))
    x, y, z = torch.where(xyz > 0.008856, xyz ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Turn CIELAB into sRGB.

    Source: as of :func:`rgb_to_lab`.

    Args:
        lab: (N, 3, ...) float32: L (0 to 100), a and b.

    Returns:
        (N, 3, ...) float32: R, G, B, 0 to 255; a colour that sRGB has not is cut to that range.
    """
    y = (lab[:, 0] + 16) / 116
    x, z = y + lab[:, 1] / 500, (y - lab[:, 2] / 200).clamp(min=0)
    f = torch.stack([x, y, z], dim=1)
    xyz = torch.where(f > 0.2068966, f**3, (f - 16 / 116) / 7.787)
    linear = transform(xyz, on(xyz.device, _TO_RGB[None])).clamp(0, 1)
    srgb = torch.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    return srgb.mul_(255)


def on(device: torch.device, values: np.ndarray) -> Tensor:
    """Put values on a device, in single precision: not every device has double.

    Args:
        device: Where to.
        values: Of any shape.

    Returns:
        The same shape, float32.
    """
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)
