"""Classes of the model, the data and the annotation files: each mismatch has its sentence."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from mmdet_mitosis.datasets import CandidateDataset
from mmdet_mitosis.engine.class_check_hook import check_classes, heads
from tests import make_data
from tests.make_data import CONFIGS, random_mitoses

SIZE = 64
MITOSIS, LOOK_ALIKE = {"id": 1, "name": "mitosis"}, {"id": 2, "name": "look-alike"}
BOTH = ("mitosis", "look-alike")


@pytest.fixture
def root(tmp_path):
    """A field for each split."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        make_data.write_data(tmp_path, [(SIZE, SIZE)], [random_mitoses(rng, 3, SIZE, SIZE)], split)
    return tmp_path


def rewrite(root: Path, split: str = "train", **changes) -> None:
    """Change what an annotation file says."""
    path = root / "annotations" / f"{split}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def dataset(root: Path, split: str = "train", classes=None):
    cfg = {"type": "MitosisDataset", "data_root": str(root), "window_size": SIZE}
    cfg |= {"ann_file": f"annotations/{split}.json", "lazy_init": True}
    return DATASETS.build(cfg | ({} if classes is None else {"metainfo": {"classes": classes}}))


def model(**numbers: int) -> nn.Module:
    """A detector of parts that say their number of classes; ``__`` for a dot."""
    whole = nn.Module()
    for name, number in numbers.items():
        part = whole
        for step in name.split("__"):
            if step not in part._modules:
                part.add_module(step, nn.Module())
            part = part._modules[step]
        part.num_classes = number
    return whole


def refused(model, **datasets) -> str:
    with pytest.raises(ValueError) as caught:
        check_classes(model, datasets)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_and_data_of_the_same_classes_pass(root, mmdet_scope):
    check_classes(model(bbox_head=1), {"train": dataset(root), "val": dataset(root, "val")})
    for split in ("train", "val"):
        rewrite(root, split, categories=[MITOSIS, LOOK_ALIKE])
    # Look-alikes that a file has and a detector of one class does not read.
    check_classes(model(bbox_head=1), {"train": dataset(root)})
    two = {split: dataset(root, split, BOTH) for split in ("train", "val")}
    check_classes(model(roi_head__bbox_head=2, roi_head__mask_head=2), two)


def test_every_head_is_looked_at_and_named_as_in_the_config(root, mmdet_scope):
    parts = {"roi_head__bbox_head__0": 1, "roi_head__bbox_head__1": 80, "roi_head__mask_head": 3}
    assert refused(model(**parts), train=dataset(root)) == (
        "model.roi_head.bbox_head[1].num_classes is 80, model.roi_head.mask_head.num_classes is 3, "
        "but train has 1 class: 'mitosis'"
    )
    rewrite(root, categories=[MITOSIS, LOOK_ALIKE])
    said = refused(model(head=1), train=dataset(root, classes=BOTH))
    assert said == "model.head.num_classes is 1, but train has 2 classes: 'mitosis', 'look-alike'"


def test_parts_with_classes_of_their_own_are_no_heads():
    others = {"rpn_head": 1, "backbone__vgg": 1000, "roi_head__semantic_head": 183, "neck": 5}
    assert list(heads(model(**others, bbox_head__loss=-1, bbox_head=4))) == [
        ("model.bbox_head.num_classes", 4)
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "cascade_maskrcnn_r50_tupac.py",
            {*(f"roi_head.bbox_head[{k}]" for k in range(3))}
            | {f"roi_head.mask_head[{k}]" for k in range(3)},
        ),
        ("retinanet_r50_tupac.py", {"bbox_head"}),
        ("two_stage/candidates_demo.py", {"head"}),
        ("two_stage/refiner_demo.py", {""}),
    ],
)
def test_heads_of_real_detectors_are_found(name, expected, mmdet_scope):
    cfg = Config.fromfile(CONFIGS / name).model
    cfg.backbone.init_cfg = None
    if "depth" in cfg.backbone:
        cfg.backbone.depth = 18
        if "neck" in cfg:
            cfg.neck.in_channels = [64, 128, 256, 512]
    found = {
        place.removeprefix("model").removesuffix(".num_classes")
        for place, _ in heads(MODELS.build(cfg))
    }
    assert found == {f".{part}" if part else "" for part in expected}


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ("mitosis", "the classes of train are the text 'mitosis', expected a tuple of names"),
        ((), "train names no classes, expected metainfo=dict"),
        (("mitosis", "mitosis"), "the classes of train have a name twice: 'mitosis', 'mitosis'"),
        (("look-alike", "mitosis"), "expected mitoses first and nothing else that is one"),
        (("cell",), "the classes of train are 'cell', expected mitoses first"),
        (("mitosis", "mitotic figure"), "expected mitoses first and nothing else that is one"),
        (BOTH, "train.json has no category 'look-alike', a class of train, but 'mitosis'; prepare"),
    ],
)
def test_classes_of_the_data(root, classes, said, mmdet_scope):
    assert said in refused(model(head=1), train=dataset(root, classes=classes))


@pytest.mark.parametrize(
    ("categories", "said"),
    [
        ([LOOK_ALIKE, MITOSIS], "has the categories 'look-alike', 'mitosis', but the classes"),
        ([MITOSIS, LOOK_ALIKE, MITOSIS | {"id": 3}], "has a category twice: 'mitosis', 'look-"),
        ([LOOK_ALIKE], "has no category 'mitosis', a class of train, but 'look-alike'"),
        ([], "has no category 'mitosis', a class of train, but none"),
        (
            [MITOSIS | {"id": 7}, LOOK_ALIKE],
            "train.json: annotation 1 has the category_id 1, expected one of [2, 7]",
        ),
    ],
)
def test_categories_of_the_file(root, categories, said, mmdet_scope):
    rewrite(root, categories=categories)
    text = refused(model(head=2), train=dataset(root, classes=BOTH))
    assert said in text and str(root / "annotations" / "train.json") in text


def test_all_parts_have_the_same_classes(root, mmdet_scope):
    for split in ("train", "val"):
        rewrite(root, split, categories=[MITOSIS, LOOK_ALIKE])
    said = refused(model(head=2), train=dataset(root, classes=BOTH), val=dataset(root, "val"))
    assert said == (
        "val has the classes 'mitosis', but train has 'mitosis', 'look-alike': they must be the "
        "same, in the same order"
    )


@pytest.mark.parametrize("kind", ["ConcatDataset", "RepeatDataset"])
def test_datasets_inside_others_are_looked_at(root, kind, mmdet_scope):
    rewrite(root, "val", categories=[LOOK_ALIKE | {"name": "mitosis"}])
    inner = dataset(root, "val")
    more = {"datasets": [inner]} if kind == "ConcatDataset" else {"dataset": inner, "times": 2}
    whole = DATASETS.build({"type": kind, "lazy_init": True, **more})
    said = refused(model(head=1), train=dataset(root), other=whole)
    assert "val.json: annotation 1 has the category_id 1, expected one of [2]" in said


def test_candidates_have_classes_and_no_categories(mmdet_scope):
    check_classes(
        model(fc_head=2), {"train": CandidateDataset(ann_file="none.json", lazy_init=True)}
    )


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("model.roi_head.mask_head.num_classes", 80, "model.roi_head.mask_head.num_classes is 80"),
        ("val_dataloader.dataset.metainfo", {"classes": BOTH}, "val_dataloader.dataset"),
        ("train_dataloader.dataset.metainfo", {"classes": "mitosis"}, "the text 'mitosis'"),
    ],
)
def test_a_training_stops_before_its_first_step(root, tmp_path, monkeypatch, setting, value, said):
    cfg = make_data.with_data("maskrcnn_r18_demo.py", root)
    make_data.shrink(cfg.model)
    for split in ("train", "val"):
        cfg[f"{split}_dataloader"].update(num_workers=0, persistent_workers=False)
        cfg[f"{split}_dataloader"].dataset.window_size = SIZE
    cfg.work_dir, cfg.experiment_name = str(tmp_path / "work"), tmp_path.name
    cfg.merge_from_dict({setting: value})
    runner = Runner.from_cfg(cfg)
    steps = []
    monkeypatch.setattr(type(runner.model), "train_step", lambda *_, **__: steps.append(1))
    with pytest.raises(ValueError, match=re.escape(said)):
        runner.train()
    assert steps == []
