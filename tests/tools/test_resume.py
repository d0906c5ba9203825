"""A training that was stopped ends as one that never was."""

import json
import shutil
from pathlib import Path

import torch

from mmdet_mitosis.engine.checkpoints import read_checkpoint
from tests.tools.commands import CONFIG, options, succeed

N_ITERS, STOPPED_AT = 9, 3


def train(data: Path, work: Path, *more: str) -> None:
    """Train with dropout of proposals, colours and turns, several epochs, in two workers."""
    words = [
        *options(data),
        f"train_cfg.max_iters={N_ITERS}",
        "train_cfg.val_interval=3",
        "default_hooks.checkpoint.interval=3",
        "default_hooks.checkpoint.max_keep_ckpts=-1",
        "default_hooks.logger.interval=1",
        "train_dataloader.num_workers=2",
        *more,
    ]
    succeed("tools/train.py", CONFIG, "--work-dir", work, "--resume", "--cfg-options", *words)


def losses(work: Path) -> dict[int, dict]:
    """Read what was logged of each iteration, without times; a later run's line counts."""
    found = {}
    for file in sorted(work.glob("*/vis_data/scalars.json")):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            if "loss" in record:
                timeless = {k: v for k, v in record.items() if "time" not in k and k != "memory"}
                found[record["iter"]] = timeless
    return found


def same(first: object, second: object) -> bool:
    """Compare what checkpoints hold, to the last bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def test_resumed_training_is_the_same_to_the_last_bit(data: Path, tmp_path: Path) -> None:
    """The first one has two workers, what goes on has none."""
    whole, rest = tmp_path / "whole", tmp_path / "rest"
    train(data, whole)
    rest.mkdir()
    shutil.copy(whole / f"iter_{STOPPED_AT}.pth", rest)
    loader = "train_dataloader"
    train(data, rest, f"{loader}.num_workers=0", f"{loader}.persistent_workers=False")
    expected = {i: line for i, line in losses(whole).items() if i > STOPPED_AT}
    assert losses(rest) == expected
    assert len(expected) == N_ITERS - STOPPED_AT
    first, second = (read_checkpoint(w / f"iter_{N_ITERS}.pth") for w in (whole, rest))
    for part in ("state_dict", "optimizer", "param_schedulers", "mitosis_early_stopping"):
        assert same(first[part], second[part]), part
    (best,), (other,) = (list(w.glob("best_*.pth")) for w in (whole, rest))
    assert best.name == other.name
    assert same(read_checkpoint(best)["state_dict"], read_checkpoint(other)["state_dict"])
