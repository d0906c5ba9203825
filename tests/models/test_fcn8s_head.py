"""FCN-8s, against interpolation and the sum of scores written out."""

import pytest
import torch
import torch.nn.functional as F

from mmdet_mitosis.models import FCN8sHead

CHANNELS = (3, 4, 5)


def features(height: int, width: int, batch: int = 1) -> list[torch.Tensor]:
    """Random features for a window, sizes rounded up."""
    strides = (8, 16, 32)
    return [
        torch.randn(batch, c, -(-height // s), -(-width // s))
        for c, s in zip(CHANNELS, strides, strict=True)
    ]


def head(num_classes: int = 1, skips: bool = True) -> FCN8sHead:
    """An untrained head whose scores are of the size of a trained one's."""
    torch.manual_seed(0)
    made = FCN8sHead(CHANNELS, num_classes)
    made.init_weights()
    torch.nn.init.normal_(made.score_fc7.weight)
    if skips:
        for layer in (made.score_pool3, made.score_pool4):
            torch.nn.init.normal_(layer.weight)
            torch.nn.init.normal_(layer.bias)
    return made


def bilinear(x: torch.Tensor, factor: int) -> torch.Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


@pytest.mark.parametrize("num_classes", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 47), (33, 8), (129, 65)])
def test_untrained_it_adds_interpolated_scores(height: int, width: int, num_classes: int) -> None:
    made = head(num_classes)
    pool3, pool4, fc7 = features(height, width, 2)
    with torch.no_grad():
        scores = bilinear(made.score_fc7(fc7), 2)[:, :, : pool4.shape[2], : pool4.shape[3]]
        scores = bilinear(scores + made.score_pool4(pool4), 2)
        scores = scores[:, :, : pool3.shape[2], : pool3.shape[3]] + made.score_pool3(pool3)
        expected = bilinear(scores, 8)[:, :, :height, :width]
        logits = made([pool3, pool4, fc7], (height, width))
    assert logits.shape == (2, num_classes, height, width)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_a_fresh_head_gives_the_prior_everywhere() -> None:
    made = FCN8sHead(CHANNELS, prior=0.02)
    made.init_weights()
    zeros = [torch.zeros_like(f) for f in features(70, 45)]
    probabilities = made(zeros, (70, 45)).sigmoid()
    torch.testing.assert_close(probabilities, torch.full_like(probabilities, 0.02))


def test_skips_start_at_zero_and_yet_all_but_the_last_deconvolution_learn() -> None:
    made = head(skips=False)
    levels = features(64, 64)
    logits = made(levels, (64, 64))
    other = [torch.randn_like(levels[0]), torch.randn_like(levels[1]), levels[2]]
    torch.testing.assert_close(made(other, (64, 64)), logits)
    logits.square().sum().backward()
    learning = {name for name, p in made.named_parameters() if p.grad is not None and p.grad.any()}
    fixed = {name for name, _ in made.named_parameters()} - learning
    assert fixed == {"up_pool3.weight"}


def test_an_object_is_where_its_features_are() -> None:
    made = head()
    with torch.no_grad():
        made.score_pool3.weight.fill_(1.0)
    levels = [torch.zeros_like(f) for f in features(96, 96)]
    levels[0][..., 5, 9] = 10  # px 40 to 48 and 72 to 80
    logits = made(levels, (96, 96))[0, 0].detach()
    row, column = divmod(int(logits.argmax()), 96)
    assert (40 <= row < 48) and (72 <= column < 80)
    peak = logits - logits[0, 0]
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    centre = [(float((peak * axis).sum() / peak.sum())) for axis in (columns, rows)]
    assert centre == pytest.approx([75.5, 43.5], abs=1e-3)
