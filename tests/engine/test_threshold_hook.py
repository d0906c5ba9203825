"""The threshold's way from validation into one checkpoint, and from there to the test."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.runner import Runner

from mmdet_mitosis.engine.checkpoints import read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY, ThresholdHook
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore
from tests import make_data
from tests.make_data import random_mitoses

SIZE = (200, 160)
VALIDATIONS = [(0.5, 0.3), (0.9, 0.7), (0.2, 0.6)]
"""F-score and threshold of each, the second one the best."""


def config(root: Path, work_dir: Path):
    cfg = make_data.with_data("maskrcnn_r18_demo.py", root)
    make_data.shrink(cfg.model)
    for split in ("train", "val", "test"):
        loader = cfg[f"{split}_dataloader"]
        loader.update(num_workers=0, persistent_workers=False, batch_size=1)
        loader.dataset.window_size = 128
        loader.dataset.pipeline = [t for t in loader.dataset.pipeline if "Stain" not in t.type]
    cfg.model.test_cfg.rpn.max_per_img = 10
    cfg.train_cfg.update(max_iters=len(VALIDATIONS), val_interval=1)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = work_dir.name
    return cfg


def in_turn(monkeypatch, validations) -> None:
    """Let each validation find the next of some F-scores and thresholds."""
    left = list(validations)

    def compute_metrics(metric, results):
        f_score, threshold = left.pop(0)
        return {"f_score": f_score, "threshold": threshold}

    monkeypatch.setattr(CentroidFScore, "compute_metrics", compute_metrics)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(2)
    for split in ("train", "val", "test"):
        make_data.write_data(root, [SIZE], [random_mitoses(rng, 3, *SIZE)], split)
    return root


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """A work folder of three iterations, a validation after each."""
    work_dir = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_turn(monkeypatch, VALIDATIONS)
        Runner.from_cfg(config(root, work_dir)).train()
    return work_dir


def run_test(root, work_dir, checkpoint, threshold=None) -> tuple[Runner, dict]:
    cfg = config(root, work_dir)
    cfg.load_from = str(checkpoint)
    cfg.test_evaluator.threshold = threshold
    runner = Runner.from_cfg(cfg)
    return runner, runner.test()


def test_the_best_checkpoint_carries_the_threshold_of_its_own_validation(root, trained):
    (best,) = trained.glob("best_*.pth")
    assert best.name == "best_mitosis_f_score_iter_2.pth"
    assert read_checkpoint(best)[KEY] == {
        "threshold": 0.7,
        "f_score": 0.9,
        "chosen_on": str(root / "annotations" / "val.json"),
        "radius_um": 7.5,
    }


def test_a_periodic_checkpoint_carries_no_threshold_of_other_weights(trained):
    # MMEngine writes one before its validation, and once more after it where that was the best.
    stored = [read_checkpoint(trained / f"iter_{i}.pth").get(KEY) for i in (1, 2, 3)]
    assert [record and record["threshold"] for record in stored] == [0.3, 0.7, None]


def test_a_new_best_brings_its_own_threshold(root, tmp_path, monkeypatch):
    in_turn(monkeypatch, [(0.2, 0.1), (0.2, 0.8), (0.3, 0.4)])
    Runner.from_cfg(config(root, tmp_path)).train()
    (best,) = tmp_path.glob("best_*.pth")
    assert best.stem.endswith("iter_3") and read_checkpoint(best)[KEY]["threshold"] == 0.4


def test_the_test_reads_the_threshold_from_the_checkpoint(root, trained, tmp_path):
    (best,) = trained.glob("best_*.pth")
    runner, metrics = run_test(root, tmp_path, best)
    (metric,) = runner.test_loop.evaluator.metrics
    assert metric.threshold == metrics["mitosis/threshold"] == 0.7
    assert "mitosis/oracle_f_score" in metrics  # that it was not chosen on the test split


def test_a_threshold_that_is_given_stays(root, trained, tmp_path):
    (best,) = trained.glob("best_*.pth")
    _, metrics = run_test(root, tmp_path, best, threshold=0.25)
    assert metrics["mitosis/threshold"] == 0.25


def test_a_periodic_checkpoint_gives_the_test_no_threshold(root, trained, tmp_path):
    with pytest.raises(ValueError, match="no threshold: the checkpoint stores none"):
        run_test(root, tmp_path, trained / "iter_3.pth")


def test_what_validation_finds_is_what_the_checkpoint_stores(root, tmp_path):
    cfg = config(root, tmp_path)
    cfg.train_cfg.max_iters = 1
    cfg.model.test_cfg.rcnn.score_thr = 0.0
    runner = Runner.from_cfg(cfg)
    runner.train()
    (best,) = tmp_path.glob("best_*.pth")
    stored = read_checkpoint(best)[KEY]
    found = {
        key: runner.message_hub.get_scalar(f"val/mitosis/{key}").current()
        for key in stored
        if "threshold" in key or "f_score" in key
    }
    assert found == {key: stored[key] for key in found} and len(found) == 4
    again, metrics = run_test(root, tmp_path / "again", best)
    (metric,) = again.test_loop.evaluator.metrics
    assert metric.threshold == stored["threshold"]
    assert metric.threshold_once == stored["threshold_once"]
    assert metrics["mitosis/f_score_once"] == metric.once.f_score


def test_going_on_from_the_best_does_not_hand_its_threshold_on(
    root, trained, tmp_path, monkeypatch
):
    in_turn(monkeypatch, [(0.1, 0.5), (0.1, 0.5)])
    (best,) = trained.glob("best_*.pth")
    shutil.copy(best, tmp_path / "start.pth")
    cfg = config(root, tmp_path)
    cfg.load_from, cfg.resume = str(tmp_path / "start.pth"), True
    Runner.from_cfg(cfg).train()
    assert KEY not in read_checkpoint(tmp_path / "iter_3.pth")


@pytest.mark.parametrize(("threshold", "stored"), [("choose", True), (0.5, False)])
def test_a_threshold_that_validation_was_given_was_not_chosen_there(root, threshold, stored):
    metric = CentroidFScore(str(root / "annotations" / "val.json"), threshold, prefix="other")
    evaluator = SimpleNamespace(metrics=[metric])
    runner = SimpleNamespace(val_loop=SimpleNamespace(evaluator=evaluator))
    hook, checkpoint = ThresholdHook(), {}
    hook.after_val_epoch(runner, {"other/threshold": 0.5, "other/f_score": 0.25})
    hook.before_save_checkpoint(runner, checkpoint)
    assert (KEY in checkpoint) is stored
    hook.before_train_iter(runner, 0)
    checkpoint.clear()
    hook.before_save_checkpoint(runner, checkpoint)
    assert not checkpoint
