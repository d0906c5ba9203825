"""What one or a few lines of a config switch on, as they are written in one."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmdet.models.losses import FocalLoss
from mmdet.registry import DATASETS, HOOKS, MODELS
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner

from benchmarks.switches import DOCS, read_switches
from mmdet_mitosis.datasets import NegativeRatioSampler
from mmdet_mitosis.engine import CompileHook
from mmdet_mitosis.engine.bfloat16_optim_wrapper import use_mixed_precision
from mmdet_mitosis.engine.checkpoints import read_checkpoint
from mmdet_mitosis.engine.class_check_hook import check_classes
from mmdet_mitosis.engine.threshold_hook import KEY
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore
from mmdet_mitosis.transforms import CopyPasteMitoses, RotateWindow
from tests import make_data
from tests.installed import needs_torchvision_operators
from tests.make_data import CONFIGS, disc

SIZE = (300, 160)
BASE = CONFIGS / "maskrcnn_r18_demo.py"

SWITCHES = {**read_switches(), "none": ""}
"""The lines of each."""


def test_each_section_has_its_lines() -> None:
    headings = [line for line in DOCS.read_text().splitlines() if line.startswith("## ")]
    assert len(headings) == len(read_switches()) > 10


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A field a split: mitoses on the left, look-alikes on the right, and mined points there."""
    root = tmp_path_factory.mktemp("data")
    cells = [disc(30, 40, 12, *SIZE), disc(50, 110, 9, *SIZE), disc(260, 60, 11, *SIZE)]
    for split in ("train", "val", "test"):
        content = json.loads(Path(make_data.write_data(root, [SIZE], [cells], split)).read_text())
        content["categories"] = [*content["categories"], {"id": 2, "name": "look-alike"}]
        content["annotations"][-1]["category_id"] = 2
        make_data.write_json(root / "annotations" / f"{split}.json", content)
    mined = [{"id": 1, "image_id": 1, "source": "false_positive", "point": [250, 80]}]
    mined = {"images": content["images"], "candidates": mined}
    make_data.write_json(root / "candidates" / "train.json", mined)
    return root


@pytest.fixture(scope="module")
def configure(root, tmp_path_factory):
    """Write the lines of a switch on the demo's config, and read it, its detector made small."""

    def made(name: str) -> Config:
        folder = tmp_path_factory.mktemp("config")
        path = folder / "child.py"
        lines = SWITCHES[name].replace("_base_.data_root", repr(f"{root}/"))
        lines = lines.replace('"CompileHook"', '"CompileHook", backend="eager"')
        path.write_text(f"_base_ = {str(BASE)!r}\n{lines}")
        cfg = Config.fromfile(path)
        make_data.shrink(cfg.model)
        for split in ("train", "val", "test"):
            loader = cfg[f"{split}_dataloader"]
            loader.update(num_workers=0, persistent_workers=False, batch_size=2)
            loader.dataset.update(data_root=str(root), window_size=128)
        for split in ("val", "test"):
            cfg[f"{split}_evaluator"].ann_file = str(root / "annotations" / f"{split}.json")
        cfg.train_cfg.update(max_iters=2, val_interval=2)
        cfg.model.test_cfg.rpn.max_per_img = 10
        cfg.work_dir = str(folder / "work")
        cfg.experiment_name = folder.name
        return cfg

    return made


def with_bfloat16(names):
    """Mark the switch that compiled mmcv does not know on CPUs."""
    mark = needs_torchvision_operators
    return [pytest.param(name, marks=mark) if name == "bfloat16" else name for name in names]


@pytest.fixture(scope="module")
def trained(configure):
    """Take three steps with a switch, once for all tests."""
    return cache(lambda name: take_steps(configure(name)))


def first_batch(cfg: Config) -> dict:
    """Load the first batch of training."""
    init_default_scope(cfg.default_scope)
    np.random.seed(0)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    return next(iter(loader))


def take_steps(cfg: Config) -> tuple[torch.nn.Module, list[dict]]:
    """Train on the first batch, with the hooks of the lines; give the model and what is logged."""
    batch = first_batch(cfg)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    MessageHub.get_current_instance().update_info("epoch", 0)
    n_base = len(Config.fromfile(BASE).custom_hooks)
    for hook in map(HOOKS.build, cfg.custom_hooks[n_base:]):
        hook.before_run(SimpleNamespace(model=model))
        hook.before_train(SimpleNamespace(model=model))
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train()
    return model, [model.train_step(batch, optim_wrapper) for _ in range(3)]


@pytest.mark.parametrize("name", with_bfloat16(n for n in SWITCHES if n != "averaged weights"))
def test_the_detector_learns_with_it_and_predicts(configure, trained, name):
    model, logged = trained(name)
    losses = [step["loss"].item() for step in logged]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    with torch.no_grad():
        (sample, *_) = model.eval().test_step(first_batch(configure(name)))
    assert torch.isfinite(sample.pred_instances.scores).all()


def test_hard_windows_and_steps_are_those_of_the_lines(configure):
    cfg = configure("hard negatives")
    init_default_scope(cfg.default_scope)
    sampler = Runner.build_dataloader(cfg.train_dataloader, seed=0).sampler
    assert isinstance(sampler, NegativeRatioSampler) and len(sampler.hard) and sampler.n_hard
    for name, kind in (("quarter turns and flips", RotateWindow), ("copy-paste", CopyPasteMitoses)):
        loader = Runner.build_dataloader(configure(name).train_dataloader, seed=0)
        assert any(isinstance(step, kind) for step in loader.dataset.pipeline.transforms)


@pytest.mark.parametrize(("name", "labels"), [("none", {0}), ("look-alikes", {0, 1})])
def test_look_alikes_are_learnt_as_a_class_of_their_own(configure, name, labels):
    cfg = configure(name)
    init_default_scope(cfg.default_scope)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    samples = [dataset[i]["data_samples"] for i in range(len(dataset))]
    assert set(torch.cat([s.gt_instances.labels for s in samples]).tolist()) == labels
    model = MODELS.build(cfg.model)
    assert model.roi_head.bbox_head.fc_cls.out_features == len(labels) + 1
    check_classes(model, {"train": dataset})


def test_the_hardest_regions_are_taken(configure):
    model = MODELS.build(configure("hard regions").model)
    assert type(model.roi_head.bbox_sampler).__name__ == "OHEMSampler"
    assert model.roi_head.bbox_sampler.num == 78


def test_focal_losses_begin_where_backgrounds_are_believed(trained):
    plain = trained("none")[1][0]
    model, (focal, *_) = trained("focal loss of proposals")
    assert isinstance(model.rpn_head.loss_cls, FocalLoss)
    assert plain["loss_rpn_cls"].item() == pytest.approx(np.log(2), rel=0.05)
    believed = torch.sigmoid(model.rpn_head.rpn_cls.bias.detach())
    assert believed.mean().item() == pytest.approx(0.01, rel=0.2)
    # A mitosis that is believed to be one at 0.01 costs 0.25 · 0.99² · ln 100, others little.
    assert focal["loss_rpn_cls"].item() == pytest.approx(0.245 * np.log(100), rel=0.2)


@pytest.mark.parametrize("name", with_bfloat16(["bfloat16", "channels last", "compiled"]))
def test_what_makes_it_faster_changes_losses_by_rounding_alone(trained, name):
    # Losses of regions depend on which of many proposals of equal score come first.
    losses = [trained(n)[1][0]["loss_rpn_cls"].item() for n in (name, "none")]
    assert losses[0] == pytest.approx(losses[1], rel=0.01 if name == "bfloat16" else 1e-4)
    assert (losses[0] != losses[1]) or name != "bfloat16"


@needs_torchvision_operators
def test_bfloat16_computes_in_it_and_keeps_weights_in_float32(configure):
    cfg = configure("bfloat16")
    batch = first_batch(cfg)
    model = MODELS.build(cfg.model)
    seen = []
    model.backbone.conv1.register_forward_hook(lambda _, inputs, output: seen.append(output.dtype))
    model.train().train_step(batch, build_optim_wrapper(model, cfg.optim_wrapper))
    assert seen == [torch.bfloat16]
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("gpu", "expected"),
    [
        (None, {"type": "BFloat16OptimWrapper"}),
        ((9, 0), {"type": "BFloat16OptimWrapper"}),
        ((7, 5), {"type": "AmpOptimWrapper", "loss_scale": "dynamic"}),
    ],
)
def test_mixed_precision_is_the_one_that_the_device_has(monkeypatch, gpu, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: gpu)
    optim_wrapper = ConfigDict(type="AmpOptimWrapper", dtype="float16", loss_scale=512.0, clip=3)
    use_mixed_precision(optim_wrapper)
    assert optim_wrapper.to_dict() == {**expected, "clip": 3}


@pytest.mark.parametrize("name", ["none", "channels last", "compiled"])
def test_layout_and_compilation_reach_the_features_and_leave_names(trained, name):
    (model, _), (plain, _) = trained(name), trained("none")
    model.load_state_dict(plain.state_dict())
    with torch.no_grad():
        levels = model.eval().extract_feat(torch.zeros(2, 3, 128, 128))
    lasts = {x.is_contiguous(memory_format=torch.channels_last) for x in levels}
    assert lasts == {name == "channels last"}
    compiled = [part._compiled_call_impl is not None for part in (model.backbone, model.neck)]
    assert compiled == [name == "compiled"] * 2


def test_a_part_that_is_not_there_cannot_be_compiled():
    with pytest.raises(ValueError, match="Linear has no 'head' that can be compiled"):
        CompileHook(parts=["head"]).before_train(SimpleNamespace(model=torch.nn.Linear(1, 1)))


def test_the_checkpoint_with_the_threshold_holds_the_averaged_weights(configure, monkeypatch):
    runners, seen = [], []

    def weights() -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in runners[-1].model.state_dict().items()}

    def compute_metrics(metric, results):
        seen.append(weights())
        return {"f_score": 0.5, "threshold": 0.3}

    monkeypatch.setattr(CentroidFScore, "compute_metrics", compute_metrics)
    cfg = configure("averaged weights")
    runners.append(Runner.from_cfg(cfg))
    runners[0].train()
    (best,) = Path(cfg.work_dir).glob("best_*.pth")
    stored, trained = read_checkpoint(best), weights()
    assert stored[KEY]["threshold"] == 0.3
    same = {name: torch.equal(value, trained[name]) for name, value in seen[0].items()}
    assert sum(same.values()) < 0.2 * len(same)
    # What training goes on from is beside the average.
    for name, value in trained.items():
        assert torch.equal(stored["ema_state_dict"][f"module.{name}"], value), name
    cfg.update(load_from=str(best), experiment_name=f"{cfg.experiment_name}_test")
    runners.append(Runner.from_cfg(cfg))
    runners[1].test()
    for found in seen:  # validation and test
        for name, value in found.items():
            assert torch.equal(stored["state_dict"][name], value), name


def test_the_cosine_schedule_warms_up_and_falls_to_a_hundredth():
    cfg = Config.fromfile(CONFIGS / "_base_" / "schedules" / "cosine_30k.py")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=cfg.lr)
    schedulers = [
        PARAM_SCHEDULERS.build({**scheduler, "optimizer": optimizer})
        for scheduler in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_iters):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(cfg.lr / 1000) and rates[500] == pytest.approx(cfg.lr)
    assert rates[-1] == pytest.approx(cfg.lr / 100, rel=1e-3)
    assert np.argmax(rates) in (499, 500) and (np.diff(rates[500:]) <= 0).all()
    # Half of the way down at half of the time.
    assert rates[(500 + 30000) // 2] == pytest.approx(cfg.lr * 0.505, rel=0.01)
