"""Weights of others find their place, and the report says what of them did."""

import re
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torchvision
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import nn

from mmdet_mitosis.engine.checkpoint_match_hook import CheckpointMatchHook
from mmdet_mitosis.engine.checkpoints import read_weights
from mmdet_mitosis.engine.weights import WeightReport, choose_prefixes, find_weights, load_weights
from tests import make_data
from tests.make_data import CONFIGS

RESNET18 = 100
"""Tensors of a ResNet-18 without its classifier: 20 convolutions and as many norms of 4."""


@pytest.fixture(scope="module")
def detector():
    """The demo's detector on a whole ResNet-18."""
    cfg = Config.fromfile(CONFIGS / "maskrcnn_r18_demo.py").model
    make_data.shrink(cfg, base_channels=64)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(cfg)


@pytest.fixture(scope="module")
def resnet():
    """torchvision's names, every value another one."""
    state = torchvision.models.resnet18(weights=None).state_dict()
    return {n: torch.randn(v.shape).to(v.dtype) for n, v in state.items()}


@pytest.fixture(autouse=True)
def fresh(detector):
    """Let no test profit from what another loaded."""
    with torch.no_grad():
        for value in detector.state_dict().values():
            value.zero_()


def filled(model) -> set[str]:
    """Names of the tensors that are no longer zero; the counters of batches aside."""
    state = model.state_dict().items()
    return {n for n, v in state if v.count_nonzero() and not n.endswith("num_batches_tracked")}


def names(model, *groups: str) -> set[str]:
    return {
        name
        for name in model.state_dict()
        if name.startswith(groups) and not name.endswith("num_batches_tracked")
    }


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.encoder_q.", "a.body."])
def test_a_bare_backbone_finds_its_place_behind_any_prefix(detector, resnet, prefix):
    report = load_weights(detector, {prefix + n: v for n, v in resnet.items()}, "r18.pth")
    assert filled(detector) == names(detector, "backbone.")
    for name, value in detector.backbone.state_dict().items():
        assert torch.equal(value, resnet[name]), name
    assert report.loaded == {"backbone": RESNET18} and report.wanted["backbone"] == RESNET18
    assert report.unused == [f"{prefix}fc.weight", f"{prefix}fc.bias"]
    n_own = len(names(detector, ""))
    assert re.match(rf"r18.pth: {RESNET18} of {n_own} tensors loaded", str(report))
    assert f"backbone {RESNET18} of {RESNET18}, neck 0 of " in str(report)
    assert f"in the file alone: {prefix}fc.weight, {prefix}fc.bias" in str(report)
    report.check()


def test_names_of_timm_are_those_of_torchvision(detector):
    # As timm's documentation lists them, for resnet18: without counters of batches.
    given = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512), "fc.bias": (1000,)}
    norm = ("weight", "bias", "running_mean", "running_var")
    given |= {f"bn1.{part}": (64,) for part in norm}
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for block in (0, 1):
            at = f"layer{stage}.{block}"
            before = width // 2 if stage > 1 and block == 0 else width
            given[f"{at}.conv1.weight"] = (width, before, 3, 3)
            given[f"{at}.conv2.weight"] = (width, width, 3, 3)
            given |= {f"{at}.bn{k}.{part}": (width,) for k in (1, 2) for part in norm}
            if before < width:
                given[f"{at}.downsample.0.weight"] = (width, before, 1, 1)
                given |= {f"{at}.downsample.1.{part}": (width,) for part in norm}
    report = load_weights(detector, {n: torch.ones(s) for n, s in given.items()}, "timm.pth")
    report.check()
    assert report.loaded == {"backbone": RESNET18} and report.unused == ["fc.weight", "fc.bias"]
    assert filled(detector) == names(detector, "backbone.")


def test_a_detector_of_other_classes_fits_but_for_its_last_layers(detector):
    given = {n: torch.ones_like(v) for n, v in detector.state_dict().items()}
    box = "roi_head.bbox_head.fc_cls"
    given |= {f"{box}.weight": torch.ones(81, 16), f"{box}.bias": torch.ones(81)}
    given["old.weight"] = torch.ones(2)
    report = load_weights(detector, given, "coco.pth")
    report.check()
    assert names(detector, "") - filled(detector) == {f"{box}.weight", f"{box}.bias"}
    assert report.wanted - report.loaded == {"roi_head.bbox_head": 2}
    assert f"{box}.weight [81, 16], here [2, 16], {box}.bias [81], here [2]" in str(report)
    assert report.unused == ["old.weight"] and "names" not in str(report)


def test_older_names_of_mmdetection_are_converted(mmdet_scope):
    cfg = Config.fromfile(CONFIGS / "fcos_r50_tupac.py").model
    cfg.backbone.depth, cfg.neck.in_channels = 18, [64, 128, 256, 512]
    model = MODELS.build(cfg)
    old = {
        n.replace("bbox_head.conv_", "bbox_head.fcos_"): torch.ones_like(v)
        for n, v in model.state_dict().items()
    }
    assert "bbox_head.fcos_reg.weight" in old
    old["bbox_head.fcos_cls.weight"] = torch.ones(80, 256, 3, 3)
    report = load_weights(model, old, "fcos.pth")
    assert (model.bbox_head.conv_reg.weight == 1).all()
    assert report.not_loaded == ["bbox_head.conv_cls.weight"] and not report.unused
    assert report.other_shape == ["bbox_head.conv_cls.weight [80, 256, 3, 3], here [1, 256, 3, 3]"]


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (torchvision.models.resnet34, None),
        (torchvision.models.resnet50, 23),
        (torchvision.models.squeezenet1_1, RESNET18),
    ],
)
def test_another_backbone_is_refused(detector, make, wrong):
    report = load_weights(detector, make(weights=None).state_dict(), "other.pth")
    if wrong is None:  # A longer one holds it.
        report.check()
        assert "and " in str(report) and "more" in str(report)
        return
    with pytest.raises(ValueError) as caught:
        report.check()
    first = "conv1" if wrong == RESNET18 else "layer1.0.conv1"
    assert str(caught.value) == (
        f"other.pth is of another model: {wrong} of {RESNET18} parameters of this config's "
        f"backbone are missing in it or of another shape, backbone.{first}.weight first"
    )


def test_of_prefixes_that_fit_alike_the_shortest_is_taken():
    wanted = {"backbone.a": torch.ones(2), "head.a": torch.ones(3)}
    assert choose_prefixes(wanted, {"backbone.a": torch.ones(2)}) == ("", "")
    assert choose_prefixes(wanted, {"x.y.a": torch.ones(2)}) == ("x.y.", "backbone.")
    assert choose_prefixes(wanted, {"x.head.a": torch.ones(3)}) == ("x.", "")
    assert choose_prefixes(wanted, {"a": torch.ones(9)}) == ("", "")


def test_weights_are_found_in_what_holds_them():
    weights = {"a": torch.ones(1)}
    meta = {"mmdet_version": "2.3.0", "CLASSES": ("person",)}
    for content in (
        weights,
        {"state_dict": weights, "meta": meta},
        {"model": weights, "epoch": 3, "optimizer": {}},
    ):
        assert find_weights(content, "a.pth") is weights
    for content in (torch.ones(1), {}, {"epoch": 1}, [weights], {"state_dict": {}}, None):
        with pytest.raises(ValueError, match=r"a\.pth holds no weights"):
            find_weights(content, "a.pth")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_checkpoint_of_mmcv_1_is_read_safely(tmp_path, detector, zipped):
    state = {n: torch.ones_like(v) for n, v in detector.state_dict().items()}
    meta = {
        "epoch": 12,
        "iter": 87960,
        "mmdet_version": "2.3.0+",
        "env_info": "Python 3.7",
    }
    meta |= {"config": "model = dict()", "CLASSES": ("person", "bicycle"), "time": "Mon", "seed": 0}
    meta["hook_msgs"] = {"best_score": np.float64(0.4), "last_ckpt": "epoch_12.pth"}
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.02}]}
    content = {"meta": meta, "state_dict": OrderedDict(state), "optimizer": optimizer}
    path = tmp_path / "epoch_12.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    report = load_weights(detector, find_weights(read_weights(path), path), path)
    report.check()
    assert report.loaded == report.wanted and filled(detector) == names(detector, "")


def test_a_model_without_a_backbone_has_to_be_filled_by_half():
    for loaded, refused in ((2, False), (1, True)):
        report = load_weights(
            torch.nn.ModuleDict({"a": torch.nn.Linear(1, 1), "b": torch.nn.Linear(1, 1)}),
            dict(list({"a.weight": torch.ones(1, 1), "a.bias": torch.ones(1)}.items())[:loaded]),
            "a.pth",
        )
        assert isinstance(report, WeightReport) and report.loaded == {"a": loaded}
        if refused:
            with pytest.raises(ValueError, match="3 of 4 parameters of this config's ModuleDict"):
                report.check()
        else:
            report.check()


class Net(BaseModel):
    """A ResNet-18 under ``backbone``, and a layer of its own that alone is trained."""

    def __init__(self, init_cfg=None, width=64):
        super().__init__()
        cfg = {"type": "ResNet", "depth": 18, "base_channels": width, "init_cfg": init_cfg}
        self.backbone = MODELS.build(cfg)
        self.fc = nn.Linear(1, 1)

    def forward(self, inputs, mode):
        return {"loss": self.fc(torch.ones(1, 1)).sum()}

    def train_step(self, data, optim_wrapper):
        return self(data, "loss")


@pytest.fixture
def train(tmp_path, monkeypatch, mmdet_scope):
    """Train for a step; give the runner and what was logged."""
    lines = []
    monkeypatch.setattr(
        MMLogger, "_log", lambda self, level, text, *a, **k: lines.append((level, str(text)))
    )

    def run(load_from=None, hooks=(), **settings):
        loader = {"dataset": [0], "batch_size": 1, "num_workers": 0}
        loader["sampler"] = {"type": "DefaultSampler", "shuffle": False}
        runner = Runner(
            Net(**settings),
            str(tmp_path),
            train_dataloader=loader,
            train_cfg={"type": "IterBasedTrainLoop", "max_iters": 1},
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.0}},
            custom_hooks=[*hooks, CheckpointMatchHook()],
            load_from=load_from,
            experiment_name=tmp_path.name,
        )
        runner.train()
        return runner, lines

    return run


def saved(tmp_path, content):
    torch.save(content, tmp_path / "given.pth")
    return str(tmp_path / "given.pth")


@pytest.mark.parametrize("ema", [False, True])
def test_training_starts_from_torchvisions_file_with_one_report(tmp_path, train, resnet, ema):
    path = saved(tmp_path, resnet)
    hooks = [{"type": "EMAHook"}] if ema else []
    runner, lines = train(load_from=path, hooks=hooks)
    for name, value in runner.model.backbone.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, resnet[name]), name
    if ema:
        (hook,) = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
        averaged = hook.ema_model.module.backbone.conv1.weight
        assert torch.equal(averaged, resnet["conv1.weight"])
    (report,) = [text for _, text in lines if text.startswith(path)]
    assert f"{RESNET18} of " in report and "(names under backbone.)" in report
    assert not [text for _, text in lines if "do not match exactly" in text]


@pytest.fixture
def narrow(tmp_path, mmdet_scope):
    """A checkpoint of a narrow backbone, and a classifier."""
    backbone = Net(width=8).backbone.state_dict()
    state = {f"backbone.{n}": torch.full_like(v, 2) for n, v in backbone.items()}
    return saved(tmp_path, {"state_dict": state | {"backbone.fc.bias": torch.ones(3)}})


def test_init_cfg_has_the_same_report(narrow, train):
    init = {"type": "Pretrained", "checkpoint": narrow, "prefix": "backbone."}
    runner, lines = train(init_cfg=init, width=8)
    assert (runner.model.backbone.conv1.weight == 2).all()
    (report,) = [text for _, text in lines if text.startswith(narrow)]
    assert report.splitlines() == [
        f"{narrow}: {RESNET18} of {RESNET18} tensors loaded: backbone {RESNET18} of {RESNET18}",
        "  in the file alone: fc.bias",
    ]


@pytest.mark.parametrize(
    ("init", "said"),
    [
        ({}, "given.pth is of another model: 100 of 100 parameters of this config's backbone"),
        ({"prefix": "neck"}, "100 of 100 parameters"),
        ({"checkpoint": "nowhere.pth"}, "nowhere.pth"),
    ],
)
def test_init_cfg_that_fills_nothing_is_refused(narrow, train, init, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        train(init_cfg={"type": "Pretrained", "checkpoint": narrow} | init, width=8)
