"""mmcv's multi-scale deformable attention against a slow one, written from the definition."""

import itertools

import numpy as np
import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch.autograd import gradcheck

from tests.compat.test_deform_conv import bilinear
from tests.installed import needs_torchvision_operators

pytestmark = needs_torchvision_operators

SHAPES = torch.tensor([[3, 4], [2, 1]])
STARTS = torch.tensor([0, 12])
HEADS, CHANNELS, POINTS = 2, 3, 2


def slow_attention(value, locations, weights) -> torch.Tensor:
    """Sum over levels and points of weight times value there (Zhu et al., 2021, equation 3)."""
    batch, queries = locations.shape[:2]
    out = torch.zeros(batch, queries, HEADS, CHANNELS, dtype=value.dtype)
    for n, q, h, c in itertools.product(*map(range, out.shape)):
        for level, point in itertools.product(range(len(SHAPES)), range(POINTS)):
            height, width = SHAPES[level].tolist()
            start = STARTS[level].item()
            plane = value[n, start : start + height * width, h, c].reshape(height, width).tolist()
            # A location of 0 to 1 spans the level; a pixel's value belongs to its middle.
            x, y = locations[n, q, h, level, point].tolist()
            weight = weights[n, q, h, level, point]
            out[n, q, h, c] += weight * bilinear(plane, y * height - 0.5, x * width - 0.5)
    return out.flatten(2)


def make(batch: int = 2, queries: int = 3) -> list[torch.Tensor]:
    """Draw values, locations (some beyond the levels) and weights that sum to one."""
    rng = np.random.default_rng(13)
    value = torch.from_numpy(rng.normal(size=(batch, 14, HEADS, CHANNELS)))
    locations = rng.uniform(-0.4, 1.4, size=(batch, queries, HEADS, len(SHAPES), POINTS, 2))
    weights = torch.from_numpy(rng.normal(size=(batch, queries, HEADS, len(SHAPES) * POINTS)))
    weights = weights.softmax(-1).reshape(batch, queries, HEADS, len(SHAPES), POINTS)
    return [value, torch.from_numpy(locations), weights]


def attend(value, locations, weights) -> torch.Tensor:
    return MultiScaleDeformableAttnFunction.apply(value, SHAPES, STARTS, locations, weights, 64)


def test_attention_is_the_slow_one() -> None:
    out = attend(*make())
    assert out.shape == (2, 3, HEADS * CHANNELS)
    assert torch.allclose(out, slow_attention(*make()))


def test_attention_beyond_the_levels_sees_nothing() -> None:
    value, locations, weights = make()
    assert attend(value, locations + 5, weights).abs().max() == 0


def test_attention_gradients() -> None:
    assert gradcheck(attend, [tensor.requires_grad_() for tensor in make(batch=1)])


def test_attention_of_no_query() -> None:
    value, locations, weights = make(queries=0)
    out = attend(value.requires_grad_(), locations, weights)
    assert out.shape == (2, 0, HEADS * CHANNELS)
    out.sum().backward()
    assert torch.equal(value.grad, torch.zeros_like(value))


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_attention_in_low_precision(dtype: torch.dtype, autocast: bool) -> None:
    value, locations, weights = make()
    value = value.to(dtype).requires_grad_()
    locations = locations.float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = attend(value, locations, weights.float())
    assert out.dtype == dtype
    low = [tensor.detach().to(dtype).double() for tensor in (value, locations, weights)]
    assert torch.allclose(out.double(), slow_attention(*low), atol=0.02)
    out.sum().backward()
    assert value.grad.dtype == dtype
    assert locations.grad.abs().max() > 0
