"""The detector that mining predicts with."""

import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from mmdet_mitosis.mining.detector import load_detector

SMALL = {
    "type": "CandidateDetector",
    "backbone": {"type": "VGG16FCN", "channels": [2] * 5, "fc_channels": 2},
    "head": {"type": "FCN8sHead", "in_channels": [2] * 3},
    "loss_pixel": {"type": "CrossEntropyLoss", "use_sigmoid": True},
}


def test_one_that_was_trained_with_averaged_weights_loads(tmp_path, mmdet_scope) -> None:
    weights = MODELS.build(SMALL).state_dict()
    torch.save({"state_dict": weights, "meta": {}}, tmp_path / "best.pth")
    hooks = [{"type": "EMAHook"}, {"type": "EarlyStoppingHook", "monitor": "mitosis/ap"}]
    settings = {"model": SMALL, "custom_hooks": hooks, "default_scope": "mmdet"}
    cfg = Config({**settings, "launcher": "none", "experiment_name": tmp_path.name})
    model = load_detector(cfg, tmp_path / "best.pth", tmp_path / "log")
    assert not model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value.cpu(), weights[name]), name
    assert [hook["type"] for hook in cfg.custom_hooks] == ["EMAHook", "EarlyStoppingHook"]
