"""Every config of the tree builds, and its detector takes one training step and predicts."""

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from mmdet_mitosis.datasets import CandidateDataset, MitosisDataset
from mmdet_mitosis.engine.class_check_hook import check_classes
from tests import make_data
from tests.make_data import CONFIGS, disc

NAMES = sorted(
    path.relative_to(CONFIGS).as_posix()
    for path in CONFIGS.rglob("*.py")
    if "_base_" not in path.relative_to(CONFIGS).parts
)
REFINERS = [name for name in NAMES if "/refiner_" in name]
"""Trained on candidates; tests/datasets/test_candidate_dataset.py has their pipelines."""
JOINED = [name for name in NAMES if "/two_stage_" in name or "_refined_" in name]
"""Not trained as a whole; tests/models/test_two_stage_mitosis.py has them."""
TESTED = [name for name in NAMES if name not in REFINERS]
DETECTORS = [name for name in TESTED if name not in JOINED]
PAPER = "maskrcnn_r101_tupac.py"
SIDE = 512
MOST = 0.8
"""Share of the parameters that one step changes: layers that start at zero, as the last norm of a
residual block does, keep it from those before them."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A field with a mitosis for each split, of one window."""
    root = tmp_path_factory.mktemp("data")
    mitoses = [disc(120, 200, 14, SIDE, SIDE), disc(400, 330, 9, SIDE, SIDE)]
    for split in ("train", "val", "test"):
        make_data.write_data(root, [(SIDE, SIDE)], [mitoses], split)
    return root


def without_weights(node):
    """Drop what would be downloaded, wherever in the model it is named."""
    if isinstance(node, dict):
        init = node.get("init_cfg")
        if isinstance(init, dict) and init.get("type") == "Pretrained":
            node["init_cfg"] = None
        for value in node.values():
            without_weights(value)
    elif isinstance(node, list | tuple):
        for value in node:
            without_weights(value)
    return node


def read(name: str) -> Config:
    cfg = Config.fromfile(CONFIGS / name)
    import_modules_from_strings(**cfg.custom_imports)
    init_default_scope(cfg.default_scope)
    return cfg


def build_model(cfg: Config) -> torch.nn.Module:
    model = MODELS.build(without_weights(cfg.model.copy()))
    # Until then some parameters, such as DINO's embedding of levels, hold whatever memory held.
    model.init_weights()
    return model


def heads(node, found=None) -> list[ConfigDict]:
    """List the parts of a model that are told the number of classes."""
    found = [] if found is None else found
    if isinstance(node, dict):
        if "num_classes" in node:
            found.append(node)
        for value in node.values():
            heads(value, found)
    elif isinstance(node, list | tuple):
        for value in node:
            heads(value, found)
    return found


def test_there_are_configs():
    assert PAPER in NAMES and all((CONFIGS / name).is_file() for name in NAMES)


@pytest.mark.parametrize("name", TESTED)
def test_it_says_all_that_training_and_testing_need(name):
    cfg = read(name)
    assert "_base_." not in str(cfg.to_dict()), "a name of the base is left unresolved"
    assert "mmdet_mitosis" in cfg.custom_imports.imports and cfg.default_scope == "mmdet"
    for split in ("train", "val", "test"):
        assert cfg[f"{split}_dataloader"].dataset.type == "MitosisDataset"
        assert f"{split}_cfg" in cfg
    datasets = [cfg[f"{split}_dataloader"].dataset for split in ("train", "val", "test")]
    assert [bool(d.get("test_mode")) for d in datasets] == [False, True, True]
    # The metric reads the fields that the dataset reads, and only validation chooses.
    for split, threshold in (("val", "choose"), ("test", None)):
        dataset, evaluator = cfg[f"{split}_dataloader"].dataset, cfg[f"{split}_evaluator"]
        assert evaluator.ann_file == dataset.data_root + dataset.ann_file
        assert evaluator.get("threshold") == threshold
    files = [dataset.data_root + dataset.ann_file for dataset in datasets]
    assert len(set(files)) == 3, "a split is used twice"


@pytest.mark.parametrize("name", DETECTORS)
def test_its_heads_have_the_classes_of_the_dataset(name):
    found = heads(read(name).model)
    assert found, "no part of the model is told the number of classes"
    assert {part.num_classes for part in found} == {len(MitosisDataset.METAINFO["classes"])}


@pytest.mark.parametrize("name", DETECTORS)
def test_its_best_checkpoint_is_that_of_the_highest_score(name):
    cfg = read(name)
    saving = cfg.default_hooks.checkpoint
    # Where a recall is held, the F-score says little; AP, of all thresholds, varies less than it.
    best = (
        {"mitosis/ap"} if cfg.val_evaluator.get("min_recall") else {"mitosis/ap", "mitosis/f_score"}
    )
    assert saving.save_best in best and saving.rule == "greater"
    hooks = {hook.type: hook for hook in cfg.custom_hooks}
    assert {"ClassCheckHook", "ThresholdHook", "CheckpointMatchHook"} <= set(hooks)
    if "ResumableEarlyStoppingHook" in hooks:
        early = hooks["ResumableEarlyStoppingHook"]
        assert (early.monitor, early.rule) == (saving.save_best, "greater")
        assert early.min_delta < 0.01
    # A best checkpoint needs a validation, and the schedule ends where the training does.
    end = cfg.train_cfg.get("max_iters") or cfg.train_cfg.max_epochs
    assert 0 < cfg.train_cfg.val_interval <= end
    assert max(scheduler.end for scheduler in cfg.param_scheduler) == end
    for scheduler in cfg.param_scheduler:
        assert max(scheduler.get("milestones", [0])) < end


@pytest.mark.parametrize("name", DETECTORS)
def test_its_detector_takes_a_training_step(name, root):
    torch.manual_seed(0)
    np.random.seed(0)
    cfg = read(name)
    changes = {"data_root": str(root), "window_size": SIDE if name == PAPER else SIDE // 2}
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, **changes})
    first = next(i for i in range(len(dataset)) if dataset.get_data_info(i)["instances"])
    model = build_model(cfg)
    MessageHub.get_current_instance().update_info("epoch", 0)  # as the runner does
    optim_wrapper = build_optim_wrapper(model, unclipped(cfg.optim_wrapper))
    before = [p.detach().clone() for p in model.parameters() if p.requires_grad]
    logged = model.train_step(pseudo_collate([dataset[first]]), optim_wrapper)
    assert {key for key in logged if key.startswith("loss")}
    assert all(torch.isfinite(value).all() for value in logged.values()), logged
    after = [p for p in model.parameters() if p.requires_grad]
    changed = [bool((a != b).any()) for a, b in zip(after, before, strict=True)]
    assert np.mean(changed) > MOST, "the step did not reach most of the detector"
    for scheduler in cfg.param_scheduler:
        PARAM_SCHEDULERS.build({**scheduler, "optimizer": optim_wrapper})
    tested = DATASETS.build({**cfg.test_dataloader.dataset, **changes})
    predict(model.eval(), tested)
    check_classes(model, {"train": dataset, "test": tested})


def predict(model, dataset):
    """Let the detector look at a window, and see that the metric can read what it says."""
    with torch.no_grad():
        (sample,) = model.test_step(pseudo_collate([dataset[0]]))
    found = sample.pred_instances
    assert found.bboxes.shape == (len(found.scores), 4) and len(found.labels) == len(found.scores)
    assert torch.isfinite(found.bboxes).all() and ((found.scores >= 0) & (found.scores <= 1)).all()
    if "masks" in found:
        assert found.masks.shape == (len(found.scores), *sample.ori_shape)


def unclipped(optim_wrapper: ConfigDict) -> ConfigDict:
    """Train in full precision, which every processor can, by steps that are not clipped away."""
    plain = optim_wrapper.copy()
    plain.pop("clip_grad", None)
    if plain.get("type") == "AmpOptimWrapper":
        plain.type = "OptimWrapper"
        plain.pop("loss_scale", None)
        plain.pop("dtype", None)
    return plain


@pytest.mark.parametrize("name", [name for name in REFINERS if "r101" not in name])
def test_its_refiner_takes_a_training_step(name):
    torch.manual_seed(0)
    cfg = read(name)
    model = build_model(cfg)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = [p.detach().clone() for p in model.parameters() if p.requires_grad]
    size = cfg.model.crop_size
    crops = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8) for _ in range(4)]
    samples = [DetDataSample(metainfo={"label": i % 2}) for i in range(4)]
    check_classes(model, {"train": CandidateDataset(ann_file="none.json", lazy_init=True)})
    logged = model.train_step({"inputs": crops, "data_samples": samples}, optim_wrapper)
    assert torch.isfinite(logged["loss_cls"])
    after = [p for p in model.parameters() if p.requires_grad]
    assert np.mean([bool((a != b).any()) for a, b in zip(after, before, strict=True)]) > MOST


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_its_loaders_give_windows_with_their_place(name, split, root):
    loader = read(name)[f"{split}_dataloader"]
    loader.dataset.data_root = str(root)
    loader.update(num_workers=0, persistent_workers=False)
    batch = next(iter(Runner.build_dataloader(loader, seed=0)))
    for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
        x1, y1, x2, y2 = sample.window_xyxy
        assert image.shape == (3, y2 - y1, x2 - x1) == (3, *sample.ori_shape)
        assert sample.img_id == 1
    # Ground truth goes into training alone: a test that sees it is none.
    n_objects = sum(len(sample.gt_instances) for sample in batch["data_samples"])
    assert (n_objects > 0) is (split == "train")


@pytest.fixture(scope="module")
def paper():
    cfg = read(PAPER)
    return cfg, build_model(cfg)


def test_the_papers_anchors_are_four_sizes_in_three_ratios(paper):
    _, model = paper
    generator = model.rpn_head.prior_generator
    assert [tuple(stride) for stride in generator.strides] == [(s, s) for s in (4, 8, 16, 32)]
    shapes = torch.cat([anchors[:, 2:] - anchors[:, :2] for anchors in generator.base_anchors])
    sides = shapes.prod(dim=1).sqrt().round().int().tolist()
    ratios = (shapes[:, 1] / shapes[:, 0]).tolist()
    found = {(side, round(ratio, 3)) for side, ratio in zip(sides, ratios, strict=True)}
    assert len(shapes) == 12
    assert found == {(side, ratio) for side in (32, 64, 128, 256) for ratio in (0.5, 1.0, 2.0)}


def test_the_papers_features_have_a_level_for_each_size_of_anchor(paper):
    _, model = paper
    with torch.no_grad():
        levels = model.extract_feat(torch.zeros(1, 3, 128, 128))
    assert [level.shape[-1] for level in levels] == [32, 16, 8, 4]


def test_the_papers_assignment_and_losses(paper):
    _, model = paper
    assigner = model.rpn_head.assigner
    assert (assigner.pos_iou_thr, assigner.match_low_quality, assigner.min_pos_iou) == (
        0.7,
        True,
        0,
    )
    assert model.roi_head.bbox_sampler.num == 78
    for head in (model.rpn_head, model.roi_head.bbox_head):
        assert type(head.loss_bbox).__name__ == "SmoothL1Loss" and head.loss_bbox.loss_weight == 1
    assert model.roi_head.mask_head.loss_mask.use_mask


def test_the_papers_schedule_and_windows(paper):
    cfg, model = paper
    assert model.backbone.depth == 101
    assert cfg.optim_wrapper.optimizer.type == "SGD" and cfg.optim_wrapper.optimizer.lr == 0.0025
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_iters) == (2, 30000)
    for split in ("train", "val", "test"):
        dataset = cfg[f"{split}_dataloader"].dataset
        assert (dataset.window_size, dataset.overlap) == (512, 0.6)
    (flip,) = [t for t in cfg.train_dataloader.dataset.pipeline if t.type == "RandomFlip"]
    assert flip.direction == "horizontal"
    assert cfg.load_from.endswith("mask_rcnn_r101_fpn_1x_coco_20200204-1efe0ed5.pth")
