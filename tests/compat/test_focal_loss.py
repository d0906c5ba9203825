"""mmcv's focal loss against a slow one, written from the definition."""

import itertools
import math

import numpy as np
import pytest
import torch
from mmcv.ops import SigmoidFocalLoss, sigmoid_focal_loss
from torch.autograd import gradcheck

from tests.installed import needs_torchvision_operators

pytestmark = needs_torchvision_operators


def slow_focal_loss(scores, target, gamma: float, alpha: float, weight=None) -> torch.Tensor:
    """Minus alpha (1 - p) ** gamma log p, p the probability of what is true (Lin et al., 2017)."""
    out = torch.zeros_like(scores)
    for n, c in itertools.product(*map(range, scores.shape)):
        p = 1 / (1 + math.exp(-scores[n, c]))
        label = int(target[n])
        if label == c:
            loss = -alpha * (1 - p) ** gamma * math.log(p)
        else:
            loss = -(1 - alpha) * p**gamma * math.log(1 - p)
        known = weight is not None and 0 <= label < scores.shape[1]
        out[n, c] = loss * (weight[label].item() if known else 1.0)
    return out


SCORES = torch.from_numpy(np.random.default_rng(7).normal(0, 3, (7, 3)))
TARGET = torch.tensor([0, 1, 2, 3, 3, 1, 0])
"""Class 3 of 3 is background."""
WEIGHT = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize(("gamma", "alpha"), [(2.0, 0.25), (0.0, 0.5), (1.5, 0.9)])
def test_focal_loss_is_the_slow_one(gamma: float, alpha: float, weight) -> None:
    expected = slow_focal_loss(SCORES, TARGET, gamma, alpha, weight)
    for reduction, total in (
        ("none", expected),
        ("sum", expected.sum()),
        ("mean", expected.sum() / 7),
    ):
        loss = sigmoid_focal_loss(SCORES, TARGET, gamma, alpha, weight, reduction)
        assert torch.allclose(loss, total)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_focal_loss_gradient(reduction: str, weight) -> None:
    assert gradcheck(
        lambda x: sigmoid_focal_loss(x, TARGET, 2.0, 0.25, weight, reduction),
        [SCORES.clone().requires_grad_()],
    )


def test_focal_loss_of_a_label_beyond_the_classes_is_that_of_background() -> None:
    background = sigmoid_focal_loss(SCORES[:1], torch.tensor([3]), 2.0, 0.25, WEIGHT, "none")
    for label in (-1, -2, 255):
        loss = sigmoid_focal_loss(SCORES[:1], torch.tensor([label]), 2.0, 0.25, WEIGHT, "none")
        assert torch.equal(loss, background)


def test_focal_loss_of_nothing() -> None:
    x = torch.zeros(0, 3, requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.zeros(0, dtype=torch.long), 2.0, 0.25, None, "sum")
    loss.backward()
    assert loss.item() == 0
    assert x.grad.shape == (0, 3)


def test_focal_loss_in_low_precision_stays_finite() -> None:
    x = torch.tensor([[30.0, -30.0, 0.0]], dtype=torch.float16, requires_grad=True)
    loss = sigmoid_focal_loss(x, torch.tensor([1]), 2.0, 0.25, None, "none")
    loss.sum().backward()
    assert loss.dtype == x.grad.dtype == torch.float16
    # Class 0 is wrongly sure: 0.75 * 30; class 1 wrongly denied: 0.25 * 30.
    assert torch.allclose(
        loss.float(), torch.tensor([[22.5, 7.5, 0.75 * 0.25 * math.log(2)]]), 0.01
    )
    assert torch.isfinite(x.grad).all()


def test_focal_loss_layer_has_the_weight_of_each_class() -> None:
    loss = SigmoidFocalLoss(2.0, 0.25, WEIGHT, "sum")(SCORES, TARGET)
    assert torch.allclose(loss, slow_focal_loss(SCORES, TARGET, 2.0, 0.25, WEIGHT).sum())
