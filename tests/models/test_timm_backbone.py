"""Networks of timm as backbones, and the weights that they start from."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from mmdet_mitosis.engine.weight_names import timm_names
from mmdet_mitosis.engine.weights import load_weights
from mmdet_mitosis.models import TimmBackbone
from tests.make_data import CONFIGS

timm = pytest.importorskip("timm")
LITE = "tf_efficientnet_lite0"


def others_names(network: nn.Module) -> dict[str, str]:
    """EfficientNet-PyTorch's name for each of timm's, by what a layer is and not by its name."""
    names = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
    names["classifier"] = "_fc"
    number = 0
    for s, stage in enumerate(network.blocks):
        for b, block in enumerate(stage):
            seen_depthwise, norms = False, 0
            expands = sum(
                isinstance(layer, nn.Conv2d) for n, layer in block.named_modules() if "se" not in n
            )
            first = 0 if expands == 3 else 1
            for layer_name, layer in block.named_modules():
                where = f"blocks.{s}.{b}.{layer_name}"
                if layer_name.startswith("se."):
                    if isinstance(layer, nn.Conv2d):
                        shrinks = layer.out_channels < layer.in_channels
                        names[where] = f"_blocks.{number}._se_{'reduce' if shrinks else 'expand'}"
                elif isinstance(layer, nn.Conv2d):
                    if layer.groups > 1:
                        kind, seen_depthwise = "_depthwise_conv", True
                    else:
                        kind = "_project_conv" if seen_depthwise else "_expand_conv"
                    names[where] = f"_blocks.{number}.{kind}"
                elif isinstance(layer, nn.BatchNorm2d):
                    names[where] = f"_blocks.{number}._bn{first + norms}"
                    norms += 1
            number += 1
    full = {}
    for name in network.state_dict():
        layer, part = name.rsplit(".", 1)
        full[name] = f"{names[layer]}.{part}"
    return full


@pytest.mark.parametrize("model", [LITE, "tf_efficientnet_b0"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_names_of_efficientnet_pytorch(model, prefix):
    network = timm.create_model(model)
    expected = {prefix + other: prefix + own for own, other in others_names(network).items()}
    assert len(set(expected)) == len(network.state_dict()) > 200
    renamed = timm_names(expected, network.state_dict())
    assert {name: renamed.get(name, name) for name in expected} == expected


def test_names_of_others_are_left() -> None:
    given = ["layer1.0.conv1.weight", "fc.weight", "backbone.bn1.weight", "a_bn0.weight"]
    assert timm_names(given, ["blocks.0.0.conv_dw.weight"]) == {}
    # A block that the model has not, and a layer that no EfficientNet has.
    given = ["_blocks.1._bn0.weight", "_blocks.0._other.weight"]
    assert timm_names(given, ["blocks.0.0.conv_dw.weight"]) == {}


def test_weights_of_efficientnet_pytorch_give_its_features():
    network = timm.create_model(LITE).eval()
    for value in network.buffers():
        if value.dtype.is_floating_point:
            nn.init.uniform_(value, 0.5, 1.5)
    names = others_names(network)
    given = {names[name]: value.clone() for name, value in network.state_dict().items()}
    with DefaultScope.overwrite_default_scope("mmdet"):
        detector = MODELS.build(
            Config.fromfile(CONFIGS / "maskrcnn_efficientnet_lite0_mitos12.py").model
        ).eval()
    report = load_weights(detector, given, "lite0.pth")
    report.check()
    assert report.loaded["backbone"] == report.wanted["backbone"] == 240
    assert report.prefixes == ("", "backbone.model.")
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        features = detector.backbone(images)
        deepest = network.blocks(network.bn1(network.conv_stem(images)))
    assert [tuple(f.shape) for f in features] == [
        (2, width, 64 // stride, 96 // stride)
        for width, stride in zip(detector.backbone.channels, detector.backbone.strides, strict=True)
    ]
    assert detector.backbone.strides == [4, 8, 16, 32]
    torch.testing.assert_close(features[-1], deepest)


def test_norms_are_held_on_request():
    held = TimmBackbone("resnet10t", out_indices=(4,), norm_eval=True).train()
    free = TimmBackbone("resnet10t", out_indices=(4,)).train()
    for backbone, changes in ((held, False), (free, True)):
        norm = next(m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d))
        before = norm.running_mean.clone()
        backbone(torch.rand(2, 3, 64, 64))
        assert (not torch.equal(before, norm.running_mean)) is changes
        assert all(p.requires_grad for p in backbone.parameters())


def test_what_timm_does_not_know_is_said():
    with pytest.raises(ValueError, match=r"timm .* has no model 'tf_efficient_lite0'.*lite0"):
        TimmBackbone("tf_efficient_lite0")
    with pytest.raises(ValueError, match=r"resnet10t of timm gives no levels \(1, 9\)"):
        TimmBackbone("resnet10t", out_indices=(1, 9))


def test_file_that_timm_would_unpickle_is_refused(tmp_path):
    with pytest.raises(ValueError, match="takes no checkpoint_path: name weights with load_from"):
        TimmBackbone("resnet10t", checkpoint_path=str(tmp_path / "a.pth"))
