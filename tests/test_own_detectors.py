"""One's own detector, in the forms that README and docs/training.md give: as they are written."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper

from mmdet_mitosis.engine.class_check_hook import check_classes
from tests import make_data
from tests.make_data import CONFIGS, disc

ROOT = CONFIGS.parent
SIDE = 128


def block(document: str, heading: str) -> str:
    """Take the first block of Python below a heading."""
    text = (ROOT / document).read_text()
    section = text.partition(f"\n## {heading}\n")[2]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found, f"{document} has no Python below {heading!r}"
    return found[1]


def read(tmp_path: Path, text: str) -> Config:
    """Read a config as if it lay in configs/."""
    path = tmp_path / "own.py"
    path.write_text(
        text.replace("{{ fileDirname }}", str(CONFIGS)).replace('"_base_/', f'"{CONFIGS}/_base_/')
    )
    return Config.fromfile(path)


FORMS = {
    "model alone": ("README.md", "Other detectors"),
    "child": ("docs/training.md", "A child of one of MMDetection's own configs"),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_trains_and_predicts_on_our_data(form, tmp_path, mmdet_scope):
    torch.manual_seed(0)
    np.random.seed(0)
    cfg = read(tmp_path, block(*FORMS[form]))
    for split in ("train", "test"):
        mitoses = [disc(40, 60, 14, SIDE, SIDE), disc(90, 30, 9, SIDE, SIDE)]
        make_data.write_data(tmp_path, [(SIDE, SIDE)], [mitoses], split)
    changes = {"data_root": str(tmp_path), "window_size": SIDE}
    datasets = {
        split: DATASETS.build(cfg[f"{split}_dataloader"].dataset | changes)
        for split in ("train", "test")
    }
    cfg.model.backbone.update(depth=18, init_cfg=None)
    cfg.model.neck.in_channels = [64, 128, 256, 512]
    model = MODELS.build(cfg.model)
    check_classes(model, datasets)
    before = model.bbox_head.atss_cls.weight.detach().clone()
    logged = model.train_step(
        pseudo_collate([datasets["train"][0]]), build_optim_wrapper(model, cfg.optim_wrapper)
    )
    assert all(torch.isfinite(value).all() for value in logged.values())
    assert (model.bbox_head.atss_cls.weight != before).any()
    with torch.no_grad():
        (sample,) = model.eval().test_step(pseudo_collate([datasets["test"][0]]))
    assert sample.window_xyxy == (0, 0, SIDE, SIDE) and (sample.pred_instances.labels == 0).all()


def test_a_child_has_our_data_metric_and_hooks_and_their_schedule(tmp_path):
    cfg = read(tmp_path, block(*FORMS["child"]))
    ours = Config.fromfile(CONFIGS / "maskrcnn_r101_tupac.py")
    theirs = read(tmp_path, '_base_ = "mmdet::atss/atss_r50_fpn_1x_coco.py"')
    for key in ("dataloader", "evaluator"):
        for split in ("val", "test") if key == "evaluator" else ("train", "val", "test"):
            assert cfg[f"{split}_{key}"].to_dict() == ours[f"{split}_{key}"].to_dict()
    for key in ("custom_hooks", "default_hooks", "custom_imports"):
        assert cfg[key] == ours[key]
    for key in ("train_cfg", "optim_wrapper", "param_scheduler", "auto_scale_lr"):
        assert cfg[key] == theirs[key]
    assert "ours" not in cfg and "config" not in cfg


def test_a_whole_config_of_mmdetection_cannot_be_a_second_base(tmp_path):
    text = '_base_ = ["mmdet::atss/atss_r50_fpn_1x_coco.py", "_base_/datasets/mitosis.py"]'
    with pytest.raises(KeyError, match="Duplicate key"):
        read(tmp_path, text)


def test_a_head_that_was_forgotten_is_named(tmp_path, mmdet_scope):
    text = block(*FORMS["child"])
    assert "num_classes=1" in text
    cfg = read(tmp_path, text.replace("num_classes=1", "feat_channels=256"))
    make_data.write_data(tmp_path, [(SIDE, SIDE)], [[disc(40, 60, 14, SIDE, SIDE)]])
    dataset = DATASETS.build(
        cfg.train_dataloader.dataset | {"data_root": str(tmp_path), "window_size": SIDE}
    )
    cfg.model.backbone.update(depth=18, init_cfg=None)
    cfg.model.neck.in_channels = [64, 128, 256, 512]
    with pytest.raises(ValueError, match=r"model\.bbox_head\.num_classes is 80, but train has 1"):
        check_classes(MODELS.build(cfg.model), {"train": dataset})
