"""VGG-16 as a fully convolutional network, against torchvision's and a classifier's own layers."""

import pytest
import torch
import torchvision
from mmdet.registry import MODELS
from torch import nn
from torchvision.models.vgg import make_layers

from mmdet_mitosis.models import VGG16FCN

WIDTHS = (4, 6, 8, 10, 12)
FC = 16


def classifier(norm: bool = False) -> nn.Module:
    """A narrow VGG-16 as torchvision names it, made of torchvision's own layers."""
    w = WIDTHS
    plan = [w[0], w[0], "M", w[1], w[1], "M", *[w[2]] * 3, "M", *[w[3]] * 3, "M", *[w[4]] * 3, "M"]
    model = nn.Module()
    model.features = make_layers(plan, batch_norm=norm)
    model.classifier = nn.Sequential(
        nn.Linear(w[4] * 49, FC), nn.ReLU(), nn.Dropout(), nn.Linear(FC, FC), nn.ReLU(),
        nn.Dropout(), nn.Linear(FC, 9),
    )  # fmt: skip
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    return model.eval()


def fc7_of(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The second hidden layer of the classifier, (B, FC)."""
    return model.classifier[:5](model.features(images).flatten(1))


@pytest.mark.parametrize("norm", [False, True])
def test_the_weights_of_a_classifier_load_and_give_its_hidden_layer(
    tmp_path, mmdet_scope, norm: bool
) -> None:
    torch.manual_seed(0)
    model = classifier(norm)
    if norm:
        for layer in model.features:
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.uniform_(-0.1, 0.1)
                layer.running_var.uniform_(0.5, 2)
    torch.save(model.state_dict(), tmp_path / "vgg16.pth")
    backbone = MODELS.build(
        {
            "type": "VGG16FCN",
            "channels": WIDTHS,
            "fc_channels": FC,
            "norm_cfg": {"type": "BN"} if norm else None,
            "init_cfg": {"type": "Pretrained", "checkpoint": str(tmp_path / "vgg16.pth")},
        }
    )
    backbone.init_weights()
    backbone.eval()
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        pool3, pool4, fc7 = backbone(images)
        expected = fc7_of(model, images)
        ends = [i for i, layer in enumerate(model.features) if isinstance(layer, nn.MaxPool2d)]
        torch.testing.assert_close(pool3, model.features[: ends[2] + 1](images))
        torch.testing.assert_close(pool4, model.features[: ends[3] + 1](images))
    assert expected.std() > 0.1 and fc7.shape == (2, FC, 7, 7)
    # The middle cell alone sees all of the pooled features, and no padding.
    torch.testing.assert_close(fc7[:, :, 3, 3], expected)
    assert not torch.allclose(fc7[:, :, 2, 3], expected, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(("norm", "name"), [(None, "vgg16"), ({"type": "BN"}, "vgg16_bn")])
def test_names_and_shapes_are_those_of_torchvision(norm, name) -> None:
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None).state_dict()
        ours = VGG16FCN(norm_cfg=norm).state_dict()
    renamed = {
        key.replace("classifier.0", "fc6").replace("classifier.3", "fc7"): value
        for key, value in theirs.items()
        if not key.startswith("classifier.6")
    }
    assert list(renamed) == list(ours)
    for key, value in ours.items():
        assert value.numel() == renamed[key].numel()
        assert value.shape == renamed[key].shape or key in ("fc6.weight", "fc7.weight")
    assert ours["fc6.weight"].shape == (4096, 512, 7, 7)
    assert len([k for k, v in ours.items() if v.dim() == 4 and "features" in k]) == 13


def test_the_weights_of_torchvisions_own_vgg16_load_as_its_classifier_computes() -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        theirs, ours = torchvision.models.vgg16(weights=None).eval(), VGG16FCN().eval()
    # Of the size that He et al.'s have, and faster to draw.
    state = {
        key: torch.empty(value.shape).uniform_(-1, 1) * (6 / value[0].numel()) ** 0.5
        for key, value in theirs.state_dict().items()
    }
    theirs.load_state_dict(state, assign=True)
    loaded = ours.load_state_dict(state, strict=True, assign=True)
    assert not loaded.missing_keys and not loaded.unexpected_keys
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        expected = theirs.classifier[:5](theirs.features(images).flatten(1))
        fc7 = ours(images)[2][:, :, 3, 3]
    assert fc7.shape == (1, 4096) and expected.std() > 0.1
    torch.testing.assert_close(fc7, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (65, 97), (33, 40), (1, 31)])
def test_no_window_loses_pixels_at_its_far_sides(height: int, width: int) -> None:
    backbone = VGG16FCN(channels=(2, 2, 2, 2, 2), fc_channels=3)
    features = backbone(torch.zeros(1, 3, height, width))
    sizes = [(-(-height // s), -(-width // s)) for s in (8, 16, 32)]
    assert [tuple(f.shape[2:]) for f in features] == sizes
    assert [f.shape[1] for f in features] == [2, 2, 3]


def test_dropout_is_of_whole_channels_and_only_in_training() -> None:
    torch.manual_seed(0)
    backbone = VGG16FCN(channels=(4, 4, 4, 4, 4), fc_channels=64, dropout=0.5)
    backbone.init_weights()
    images = torch.randn(1, 3, 64, 64)
    fc7 = backbone(images)[2]
    assert (fc7 == 0).flatten(2).all(dim=2).sum() >= 16
    backbone.eval()
    torch.testing.assert_close(backbone(images)[2], backbone(images)[2])


def test_another_number_of_stages_is_refused() -> None:
    with pytest.raises(ValueError, match="five stages"):
        VGG16FCN(channels=(4, 8))
