"""Spoilt configs and settings of the command line, into what builds a runner of them."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger

from mmdet_mitosis.engine.launch import build_runner, for_testing, load_config
from tests import make_data
from tests.make_data import box
from tests.stress.judging import Judge, generator
from tests.stress.mutations import spoil_bytes, spoil_tree, weird

NAMES = ("model", "model.backbone.depth", "train_dataloader", "test_evaluator", "mpp", "a..b", "")
SIZE = (96, 96)


def demo_config(folder: Path) -> Config:
    """Make the demo's config with a detector as narrow as it gets, and data for it."""
    mitoses = [[box(10, 10, 24, 22)], [box(50, 40, 64, 60)]]
    for split in ("train", "val", "test"):
        make_data.write_data(folder, [SIZE, SIZE], mitoses, split)
    cfg = make_data.with_data("maskrcnn_r18_demo.py", folder)
    make_data.shrink(cfg.model)
    cfg.work_dir = str(folder / "work")
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].update(num_workers=0, persistent_workers=False)
    return cfg


def spoil_config(rng: random.Random, cfg: Config) -> bytes:
    """Write a config with a wrong setting, or wrong Python."""
    if rng.random() < 0.2:
        return spoil_bytes(rng, cfg.pretty_text.encode())
    tree = cfg.to_dict()
    key = rng.choice([k for k in tree if isinstance(tree[k], dict | list)])
    tree[key] = spoil_tree(rng, tree[key])
    return "\n".join(f"{name} = {value!r}" for name, value in tree.items()).encode(
        errors="surrogateescape" if rng.random() < 0.1 else "replace"
    )


def options(rng: random.Random, cfg: Config) -> dict[str, Any]:
    """Give settings as --cfg-options does, most of them of a place that is there."""
    place, names = cfg.to_dict(), []
    while isinstance(place, dict) and place and rng.random() < 0.8:
        names.append(str(rng.choice(list(place))))
        place = place[names[-1]]
    return {".".join(names) or rng.choice(NAMES): weird(rng)}


def fuzz_load(folder: Path, n: int) -> Judge:
    """Give spoilt configs and settings to ``load_config``."""
    judge, path = Judge("load_config"), folder / "config.py"
    good = demo_config(folder)
    for case in range(n):
        rng = generator("configs", case)
        is_spoilt = rng.random() < 0.5
        path.write_bytes(spoil_config(rng, good) if is_spoilt else good.pretty_text.encode())
        given = None if is_spoilt else options(rng, good)
        judge.put(case, lambda given=given: load_config(str(path), None, given), path)
    return judge


def build(path: Path, given: dict | None, work: Path) -> None:
    """Do what testing does before it reads the checkpoint."""
    cfg = load_config(str(path), str(work), given)
    runner = build_runner(for_testing(cfg, "test", 0.5))
    runner.test_loop  # noqa: B018 (it builds data and metrics)


def fuzz_build(folder: Path, n: int) -> Judge:
    """Give configs with a wrong setting to ``build_runner``."""
    judge, path = Judge("build_runner"), folder / "config.py"
    good = demo_config(folder)
    path.write_text(good.pretty_text)
    for case in range(n):
        rng = generator("build", case)
        given = options(rng, good)
        judge.put(f"{case} {given}"[:200], lambda given=given: build(path, given, folder / "work"))
        MMLogger._instance_dict.clear()
        MessageHub._instance_dict.clear()
    return judge


READERS: dict[str, tuple[Callable[[Path, int], Judge], int]] = {
    "load_config": (fuzz_load, 150),
    "build_runner": (fuzz_build, 40),
}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_configs(tmp_path: Path, reader: str) -> None:
    fuzz, n = READERS[reader]
    fuzz(tmp_path, n).finish()
