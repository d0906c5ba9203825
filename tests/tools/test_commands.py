"""The commands from data to F-score, run as a user runs them."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY
from mmdet_mitosis.evaluation.functional import count_matches
from mmdet_mitosis.evaluation.truth import load_fields
from tests.tools.commands import CONFIG, ROOT, options, run, succeed


def test_training_keeps_a_best_checkpoint_with_its_threshold(work: Path) -> None:
    best = read_checkpoint(find_checkpoint(work))
    assert 0 < best[KEY]["threshold"] < 1
    assert best[KEY]["chosen_on"].endswith("annotations/val.json")
    assert [p.name for p in work.glob("iter_*.pth")] == ["iter_4.pth"]
    assert not list(work.glob(".*"))


def test_resumed_training_goes_on_where_it_stopped(data: Path, work: Path, tmp_path: Path) -> None:
    (tmp_path / "iter_4.pth").write_bytes((work / "iter_4.pth").read_bytes())
    longer = [*options(data), "train_cfg.max_iters=6"]
    succeed("tools/train.py", CONFIG, "--work-dir", tmp_path, "--resume", "--cfg-options", *longer)
    (log,) = tmp_path.glob("*/*.log")
    text = log.read_text()
    assert "resumed epoch: 0, iter: 4" in text
    assert (tmp_path / "iter_6.pth").is_file()


def test_test_scores_the_fields_with_the_stored_threshold(
    data: Path, work: Path, tmp_path: Path
) -> None:
    out, pictures = tmp_path / "found.json", tmp_path / "pictures"
    printed = succeed(
        *("tools/test.py", CONFIG, work, "--work-dir", tmp_path, "--split", "val", "test"),
        *("--out", out, "--show-dir", pictures, "--report", "--cfg-options", *options(data)),
    )
    stored = read_checkpoint(find_checkpoint(work))[KEY]["threshold"]
    summaries = {
        s: json.loads((tmp_path / f"{s}_scores.json").read_text()) for s in ("val", "test")
    }
    for split, summary in summaries.items():
        found = json.loads((tmp_path / f"found_{split}.json").read_text())
        recounted = recount(data / "annotations" / f"{split}.json", found, stored)
        assert (summary["tp"], summary["fp"], summary["fn"]) == recounted
        kept = tmp_path / f"{split}_detections.json"
        assert kept.read_bytes() == (tmp_path / f"found_{split}.json").read_bytes()
        assert_says_what_it_was_made_of(summary, data, split, work)
        page = (tmp_path / f"{split}_report.html").read_text()
        assert f"Mitosis detection on the {split} split" in page
        assert page.count("<img ") == min(48, summary["fp"]) + summary["fn"] + summary["tp"]
        assert summary["threshold"] == stored
        assert "val.json (validation)" in summary["threshold_from"]
        assert re.search(rf"\| {split} +\|", printed)
    assert re.search(r"\| case 27 +\|", printed)
    images = sorted(pictures.glob("*.png"))
    assert len(images) == 2
    assert all(np.shape(cv2.imread(str(image))) == (256, 256, 3) for image in images)


def assert_says_what_it_was_made_of(summary: dict, data: Path, split: str, work: Path) -> None:
    """Check what the scores name, which a later report reads."""
    assert summary["ann_file"] == str(data / "annotations" / f"{split}.json")
    for field in load_fields(summary["ann_file"]):
        assert (Path(summary["image_root"]) / field.file_name).is_file()
    assert Path(summary["checkpoint"]) == find_checkpoint(work)
    assert summary["config"] == Path(CONFIG).name
    assert summary["versions"]["torch"] == torch.__version__


def recount(ann_file: Path, found: list[dict], threshold: float) -> tuple[int, int, int]:
    """Count hits, false alarms and misses from the files alone."""
    tp = fp = fn = 0
    for field in load_fields(ann_file):
        mine = [r for r in found if r["image_id"] == field.image_id and r["score"] >= threshold]
        counts = count_matches(
            field.centroids_xy, np.array([r["point"] for r in mine]), 7.5 / field.mpp
        )
        tp, fp, fn = tp + counts.tp, fp + counts.fp, fn + counts.fn
    return tp, fp, fn


def test_checkpoint_without_threshold_says_what_to_do(
    data: Path, work: Path, tmp_path: Path
) -> None:
    path = tmp_path / "iter_4.pth"
    torch.save({"state_dict": read_checkpoint(find_checkpoint(work))["state_dict"]}, path)
    words = ("tools/test.py", CONFIG, path, "--work-dir", tmp_path)
    done = run(*words, "--cfg-options", *options(data))
    assert done.returncode == 2
    assert "stores no threshold" in done.stderr
    assert "--threshold" in done.stderr
    assert "Traceback" not in done.stderr


def test_checkpoint_of_another_model_is_refused(data: Path, work: Path, tmp_path: Path) -> None:
    words = [*options(data), "model.neck.out_channels=32", "model.rpn_head.in_channels=32"]
    done = run("tools/test.py", CONFIG, work, "--work-dir", tmp_path, "--cfg-options", *words)
    assert done.returncode == 2
    assert re.search(r"is of another model: \d+ of \d+ parameters", done.stderr)
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*scores.json"))


@pytest.mark.slow
def test_two_processes_train_and_test_as_one(data: Path, work: Path, tmp_path: Path) -> None:
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", 2)
    launched = ("--launcher", "pytorch", "--work-dir", tmp_path)
    succeed(
        *(*torchrun, ROOT / "tools/train.py", CONFIG, *launched),
        *("--cfg-options", *options(data), "train_cfg.max_iters=2"),
    )
    assert KEY in read_checkpoint(find_checkpoint(tmp_path))
    alone, together = tmp_path / "alone.json", tmp_path / "together.json"
    succeed(
        *(*torchrun, ROOT / "tools/test.py", CONFIG, work, *launched, "--out", together),
        *("--cfg-options", *options(data)),
    )
    succeed(
        *("tools/test.py", CONFIG, work, "--work-dir", tmp_path, "--out", alone),
        *("--cfg-options", *options(data)),
    )
    assert together.read_bytes() == alone.read_bytes()
    assert json.loads(alone.read_text())
