"""A checkpoint that the tests of detectors share."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmdet_mitosis.engine.threshold_hook import KEY
from tests import make_data
from tests.transforms.tissue import save, tissue

SIZE = 160


@pytest.fixture(scope="package")
def trained(tmp_path_factory):
    """The folder of two fields, a checkpoint that has seen nothing, and what testing it found."""
    root = tmp_path_factory.mktemp("data")
    for split in ("train", "val", "test"):
        make_data.write_data(root, [(SIZE, SIZE)] * 2, [[], []], split)
    for index in (0, 1):
        save(root / "images" / f"field{index}.png", tissue(index, SIZE))
    cfg = make_data.with_data("maskrcnn_r18_demo.py", root)
    make_data.shrink(cfg.model)
    cfg.model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=15)
    cfg.test_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.work_dir = str(tmp_path_factory.mktemp("work"))
    cfg.test_evaluator.update(threshold=0.0, outfile=f"{cfg.work_dir}/found.json")
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if "EarlyStopping" not in hook.type]
    torch.manual_seed(3)
    runner = Runner.from_cfg(cfg)
    runner.test()
    path = f"{cfg.work_dir}/best_x.pth"
    found = json.loads(Path(cfg.test_evaluator.outfile).read_text())
    middle = float(np.median([one["score"] for one in found if one["image_id"] == 1]))
    record = {"threshold": middle, "chosen_on": "val.json", "f_score": 0.5, "radius_um": 7.5}
    torch.save(
        {
            "state_dict": runner.model.state_dict(),
            "meta": {"cfg": cfg.pretty_text, "experiment_name": "tiny"},
            KEY: record,
        },
        path,
    )
    return root, path, found
