"""mmcv's deformable convolutions against slow ones, written from the definition."""

import itertools
import math

import numpy as np
import pytest
import torch
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)
from torch import nn
from torch.autograd import gradcheck

from tests.installed import needs_torchvision_operators

pytestmark = needs_torchvision_operators


def bilinear(image, y: float, x: float) -> float:
    """Interpolate (H, W) at a point; what lies outside is zero."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < len(image) and 0 <= column < len(image[0]):
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * image[row][column]
    return total


def slow_deform_conv(x, offset, weight, stride, padding, dilation, mask=None, bias=None):
    """Sum over the kernel's points, each moved by its offset (y, x) and scaled by its mask."""
    n_out, n_in_group, kernel_h, kernel_w = weight.shape
    points = kernel_h * kernel_w
    n_deform = offset.shape[1] // (2 * points)
    groups = x.shape[1] // n_in_group
    out = torch.zeros(len(x), n_out, *offset.shape[2:], dtype=x.dtype)
    for n, o, i, j in itertools.product(*map(range, out.shape)):
        total = 0.0 if bias is None else bias[o].item()
        for c, a, b in itertools.product(range(n_in_group), range(kernel_h), range(kernel_w)):
            channel = o // (n_out // groups) * n_in_group + c
            point = channel // (x.shape[1] // n_deform) * points + a * kernel_w + b
            y = i * stride[0] - padding[0] + a * dilation[0] + offset[n, 2 * point, i, j].item()
            z = j * stride[1] - padding[1] + b * dilation[1] + offset[n, 2 * point + 1, i, j].item()
            value = bilinear(x[n, channel].tolist(), y, z) * weight[o, c, a, b].item()
            total += value if mask is None else value * mask[n, point, i, j].item()
        out[n, o, i, j] = total
    return out


CASES = {
    "plain": {"kernel": (3, 3), "stride": (1, 1), "padding": (1, 1), "dilation": (1, 1)},
    "oblong": {"kernel": (2, 3), "stride": (2, 1), "padding": (0, 2), "dilation": (1, 2)},
    "groups": {"kernel": (1, 2), "stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)}
    | {"groups": 2, "deform_groups": 1},
    "both": {"kernel": (2, 2), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1)}
    | {"groups": 2, "deform_groups": 4},
}


def make(case: str, batch: int = 2) -> tuple[dict, dict]:
    """Draw the tensors of a case, with offsets far enough to leave the image; give its layout."""
    layout = {"groups": 1, "deform_groups": 1} | CASES[case]
    kernel = layout.pop("kernel")
    size = [
        (edge + 2 * p - d * (k - 1) - 1) // s + 1
        for edge, k, s, p, d in zip(
            (5, 6), kernel, layout["stride"], layout["padding"], layout["dilation"], strict=True
        )
    ]
    points = kernel[0] * kernel[1] * layout["deform_groups"]
    rng = np.random.default_rng(11)
    tensors = {
        "x": rng.normal(size=(batch, 4, 5, 6)),
        "offset": rng.normal(0, 2, size=(batch, 2 * points, *size)),
        "mask": rng.uniform(size=(batch, points, *size)),
        "weight": rng.normal(size=(2, 4 // layout["groups"], *kernel)),
        "bias": rng.normal(size=2),
    }
    return {name: torch.from_numpy(value) for name, value in tensors.items()}, layout


def arguments(layout: dict) -> list:
    """Give a layout in mmcv's order."""
    return [layout[k] for k in ("stride", "padding", "dilation", "groups", "deform_groups")]


def slow(t: dict, layout: dict, mask=None, bias=None) -> torch.Tensor:
    """Convolve slowly; the groups follow from the shapes."""
    places = [layout[k] for k in ("stride", "padding", "dilation")]
    return slow_deform_conv(t["x"], t["offset"], t["weight"], *places, mask, bias)


@pytest.mark.parametrize("case", CASES)
def test_deform_conv_is_the_slow_one(case: str) -> None:
    t, layout = make(case)
    out = deform_conv2d(t["x"], t["offset"], t["weight"], *arguments(layout))
    assert torch.allclose(out, slow(t, layout))


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_modulated_deform_conv_is_the_slow_one(case: str, with_bias: bool) -> None:
    t, layout = make(case)
    bias = t["bias"] if with_bias else None
    out = modulated_deform_conv2d(
        t["x"], t["offset"], t["mask"], t["weight"], bias, *arguments(layout)
    )
    assert torch.allclose(out, slow(t, layout, t["mask"], bias))


@pytest.mark.parametrize("case", CASES)
def test_deform_conv_gradients(case: str) -> None:
    t, layout = make(case, batch=1)
    leaves = [t[name].requires_grad_() for name in ("x", "offset", "weight")]
    assert gradcheck(lambda *args: deform_conv2d(*args, *arguments(layout)), leaves)


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_modulated_deform_conv_gradients(case: str, with_bias: bool) -> None:
    t, layout = make(case, batch=1)
    names = ["x", "offset", "mask", "weight"] + ["bias"] * with_bias
    leaves = [t[name].requires_grad_() for name in names]
    more = [] if with_bias else [None]
    assert gradcheck(
        lambda *args: modulated_deform_conv2d(*args, *more, *arguments(layout)), leaves
    )


@pytest.mark.parametrize("batch", [3, 4])
def test_deform_conv_does_not_depend_on_the_step(batch: int) -> None:
    t, layout = make("plain", batch)
    whole = deform_conv2d(t["x"], t["offset"], t["weight"], *arguments(layout))
    step = {3: 1, 4: 2}[batch]
    steps = deform_conv2d(t["x"], t["offset"], t["weight"], *arguments(layout), False, step)
    assert torch.equal(whole, steps)


def test_offsets_of_zero_are_a_convolution() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 4, 5, 6)
    deform = DeformConv2dPack(4, 6, 3, padding=1, deform_groups=2)
    modulated = ModulatedDeformConv2dPack(4, 6, 3, padding=1, deform_groups=2)
    for layer, scale in ((deform, 1.0), (modulated, 0.5)):
        # Both start with offsets of zero, and masks of sigmoid(0).
        plain = nn.functional.conv2d(x, layer.weight, padding=1) * scale
        assert torch.allclose(layer(x), plain, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision(dtype: torch.dtype) -> None:
    t, layout = make("both")
    low = {name: value.to(dtype) for name, value in t.items()}
    exact = {name: value.double() for name, value in low.items()}
    weight = low["weight"].requires_grad_()
    plain = deform_conv2d(low["x"], low["offset"], weight, *arguments(layout))
    out = modulated_deform_conv2d(
        low["x"], low["offset"], low["mask"], weight, low["bias"], *arguments(layout)
    )
    assert plain.dtype == out.dtype == dtype
    assert torch.allclose(plain.double(), slow(exact, layout), atol=0.05)
    expected = slow(exact, layout, exact["mask"], exact["bias"])
    assert torch.allclose(out.double(), expected, atol=0.05)
    (plain.sum() + out.sum()).backward()
    assert weight.grad.dtype == dtype
    assert weight.grad.abs().max() > 0


def test_autocast_trains() -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 4, 5, 6)
    for layer in (DeformConv2dPack(4, 2, 3, padding=1), ModulatedDeformConv2dPack(4, 2, 3)):
        exact = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            out = layer(x)
        out.float().sum().backward()
        assert torch.allclose(out.float(), exact, atol=0.05)
        assert layer.weight.grad.dtype == torch.float32
        assert layer.weight.grad.abs().max() > 0
        assert layer.conv_offset.weight.grad.abs().max() > 0
