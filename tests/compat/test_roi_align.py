"""mmcv's RoIAlign against a slow one, written from the definition."""

import itertools
import math

import numpy as np
import pytest
import torch
from mmcv.ops import RoIAlign, roi_align
from torch.autograd import gradcheck

from tests.installed import needs_torchvision_operators

pytestmark = needs_torchvision_operators


def sample(image, y: float, x: float) -> float:
    """Interpolate (H, W) at a point: beyond one pixel outside 0, within it the border's."""
    height, width = len(image), len(image[0])
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    total = 0.0
    for row, column in itertools.product(range(height), range(width)):
        total += max(0.0, 1 - abs(y - row)) * max(0.0, 1 - abs(x - column)) * image[row][column]
    return total


def slow_roi_align(images, rois, size, scale: float, ratio: int, aligned: bool) -> torch.Tensor:
    """Mean of the samples in each cell of each region (He et al., 2017)."""
    out = torch.zeros(len(rois), images.shape[1], *size, dtype=torch.float64)
    for k, (index, *box) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (value * scale - (0.5 if aligned else 0.0) for value in box)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        cell_h, cell_w = height / size[0], width / size[1]
        rows = ratio if ratio > 0 else math.ceil(cell_h)
        columns = ratio if ratio > 0 else math.ceil(cell_w)
        for channel, i, j in itertools.product(range(images.shape[1]), *map(range, size)):
            total = 0.0
            for a, b in itertools.product(range(rows), range(columns)):
                y = y1 + (i + (a + 0.5) / rows) * cell_h
                x = x1 + (j + (b + 0.5) / columns) * cell_w
                total += sample(images[int(index), channel].tolist(), y, x)
            out[k, channel, i, j] = total / max(rows * columns, 1)
    return out


ROIS = torch.tensor(
    [
        [0, 2.3, 1.1, 9.7, 8.2],
        [1, 0.0, 0.0, 13.9, 11.9],
        [1, -4.5, -3.2, 5.0, 6.1],
        [0, 9.0, 7.5, 21.0, 30.0],
        [0, 40.0, 40.0, 50.0, 52.0],
        [1, -30.0, -20.0, -10.0, -9.0],
        [0, 5.2, 4.1, 5.2, 4.1],
        [1, 3.3, 2.0, 3.3, 8.0],
    ],
    dtype=torch.float64,
)
"""Inside; all of the image; partly outside; wholly outside; without area; a line."""


def features(channels: int = 2) -> torch.Tensor:
    rng = np.random.default_rng(3)
    return torch.from_numpy(rng.normal(size=(2, channels, 6, 7)))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align_is_the_slow_one(ratio: int, aligned: bool) -> None:
    layer = RoIAlign((2, 3), spatial_scale=0.5, sampling_ratio=ratio, aligned=aligned)
    expected = slow_roi_align(features(), ROIS, (2, 3), 0.5, ratio, aligned)
    assert torch.allclose(layer(features(), ROIS), expected, atol=1e-9)
    assert expected[4:6].abs().max() == 0
    assert expected[:4].flatten(1).abs().max(1).values.min() > 0


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
def test_roi_align_gradient(ratio: int, aligned: bool) -> None:
    layer = RoIAlign((2, 3), spatial_scale=0.5, sampling_ratio=ratio, aligned=aligned)
    assert gradcheck(lambda x: layer(x, ROIS), [features().requires_grad_()])


@pytest.mark.parametrize("batch", [0, 2])
def test_roi_align_of_no_region(batch: int) -> None:
    x = features()[:batch].requires_grad_()
    out = roi_align(x, torch.zeros(0, 5, dtype=torch.float64), (2, 3), 0.5, 0, "avg", True)
    assert out.shape == (0, 2, 2, 3)
    out.sum().backward()
    assert torch.equal(x.grad, torch.zeros_like(x))


def test_roi_align_takes_a_gradient_with_gaps() -> None:
    x = features().requires_grad_()
    out = RoIAlign((2, 3), 0.5)(x, ROIS)
    out.permute(0, 1, 3, 2)[..., :1].square().sum().backward()
    y = features().requires_grad_()
    again = RoIAlign((2, 3), 0.5)(y, ROIS)
    grad = torch.zeros_like(again)
    grad[:, :, :1] = 2 * again[:, :, :1].detach()
    again.backward(grad)
    assert torch.allclose(x.grad, y.grad)
    assert x.grad.abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_roi_align_in_low_precision(dtype: torch.dtype) -> None:
    x = features().to(dtype).requires_grad_()
    rois = ROIS[:4].to(dtype)
    exact = slow_roi_align(x.detach().double(), rois.double(), (2, 3), 0.5, 2, True)
    out = RoIAlign((2, 3), 0.5, sampling_ratio=2)(x, rois)
    assert out.dtype == dtype
    assert torch.allclose(out.double(), exact, atol=0.02)
    out.sum().backward()
    assert x.grad.dtype == dtype
    # Samples inside the image weigh one each, 6 cells a region: all of the first region's.
    assert x.grad[0, 0].sum().item() > 5.5


def test_roi_align_under_autocast() -> None:
    x = features().float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = RoIAlign((2, 3), 0.5, sampling_ratio=2)(x, ROIS.float())
    out.sum().backward()
    exact = slow_roi_align(features(), ROIS, (2, 3), 0.5, 2, True)
    assert torch.allclose(out.double(), exact, atol=1e-5)
    assert x.grad.abs().sum() > 0
