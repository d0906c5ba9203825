"""Spoilt checkpoints, into what reads them and builds detectors of them."""

import copy
import io
import random
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmdet_mitosis.engine.checkpoints import (
    check_weights,
    find_checkpoint,
    read_checkpoint,
    read_weights,
)
from mmdet_mitosis.engine.threshold_hook import KEY, choose_threshold
from mmdet_mitosis.engine.weights import find_weights, load_weights
from mmdet_mitosis.inference.detector import MitosisDetector
from tests import make_data
from tests.make_data import CONFIGS
from tests.stress.judging import Judge, finite, generator
from tests.stress.mutations import spoil_bytes, spoil_tree, weird

TENSORS = (
    *(torch.zeros(0), torch.zeros(3), torch.zeros(2, 2, dtype=torch.int8), torch.tensor(1.0)),
    *(torch.full((4,), float("nan")), torch.zeros(1, 1, 1, 1), torch.zeros(3, dtype=torch.bool)),
    *(torch.zeros(2, dtype=torch.complex64), torch.zeros(4).to_sparse()),
)


def small_model() -> torch.nn.Module:
    """Make a network of a few tensors."""
    return torch.nn.Sequential(
        OrderedDict(
            backbone=torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)),
            neck=torch.nn.Conv2d(4, 4, 1),
            head=torch.nn.Linear(4, 2),
        )
    )


def good_checkpoint(model: torch.nn.Module, text: str = "model = dict(type='A')\n") -> dict:
    """Make what MMEngine and ThresholdHook store."""
    return {
        "state_dict": model.state_dict(),
        "meta": {"cfg": text, "experiment_name": "tiny", "epoch": 1, "iter": 5},
        KEY: {"threshold": 0.4, "chosen_on": "val.json", "f_score": 0.5, "radius_um": 7.5},
    }


def spoil_weights(rng: random.Random, state: dict) -> Any:
    """Change tensors, their names, or what they are in."""
    state, kind = OrderedDict(state), rng.randrange(8)
    name = rng.choice(list(state))
    if kind == 0:
        return weird(rng)
    if kind == 1:
        return list(state.values())
    if kind == 2:
        del state[name]
    elif kind == 3:
        state[name] = rng.choice(TENSORS)
    elif kind == 4:
        state[name] = weird(rng)
    elif kind == 5:
        state[rng.choice((1, None, "", "a" * 3000, (1, 2), "module."))] = state.pop(name)
    elif kind == 6:
        return OrderedDict((f"{rng.choice(('module.', 'a.b.'))}{n}", v) for n, v in state.items())
    else:
        state[name] = torch.full(state[name].shape, rng.choice((float("nan"), 1.0, 0.0)))
    return state


def spoil_checkpoint(rng: random.Random, good: dict) -> bytes:
    """Write a checkpoint that is wrong in its bytes, its weights or what is beside them."""
    value, kind = dict(good), rng.random()
    if kind < 0.35:
        value["state_dict"] = spoil_weights(rng, good["state_dict"])
    elif kind < 0.75:
        key = rng.choice((KEY, KEY, "meta"))
        value[key] = spoil_tree(rng, copy.deepcopy(good[key]))
    elif kind < 0.8:
        value.pop(rng.choice(list(value)))
    elif kind < 0.83:
        value = rng.choice((weird(rng), list(good.values()), good["state_dict"]))
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=rng.random() < 0.8)
    return file.getvalue() if kind < 0.83 else spoil_bytes(rng, file.getvalue())


def check_threshold(found: tuple[float, str]) -> None:
    """See that a threshold is a number, and that somebody says where it is from."""
    assert type(found[0]) is float and finite(found[0]), f"{found}"
    assert isinstance(found[1], str), f"{found}"


def read_all(path: Path, model: torch.nn.Module) -> tuple[float, str]:
    """Do with a checkpoint what testing does before the detector is built."""
    stored = read_checkpoint(find_checkpoint(path))
    check_weights(model, stored["state_dict"], path)
    model.load_state_dict(stored["state_dict"], strict=False)
    return choose_threshold(stored, path, None)


def fuzz_checkpoints(folder: Path, n: int) -> Judge:
    """Give spoilt checkpoints to ``read_checkpoint`` and what follows it."""
    judge, path, model = Judge("checkpoints", memory=True), folder / "best_a.pth", small_model()
    good = good_checkpoint(model)
    for case in range(n):
        path.write_bytes(spoil_checkpoint(generator("checkpoints", case), good))
        judge.put(case, lambda: read_all(path, model), path, check_threshold)
    return judge


def fill(path: Path, model: torch.nn.Module) -> None:
    """Do with weights what training does that starts from them."""
    report = load_weights(model, find_weights(read_weights(path), path), path)
    report.check()
    assert str(report)


def fuzz_weights(folder: Path, n: int) -> Judge:
    """Give spoilt checkpoints to ``load_weights``."""
    judge, path, model = Judge("weights", memory=True), folder / "w.pth", small_model()
    good = good_checkpoint(model)
    for case in range(n):
        path.write_bytes(spoil_checkpoint(generator("weights", case), good))
        judge.put(case, lambda: fill(path, model), path)
    return judge


def detector_checkpoint(folder: Path) -> dict:
    """Make a checkpoint of the demo's detector, as narrow as it gets."""
    make_data.write_data(folder, [(64, 64)], [[]], "test")
    cfg = Config.fromfile(CONFIGS / "maskrcnn_r18_demo.py")
    make_data.shrink(cfg.model)
    init_default_scope("mmdet")
    return good_checkpoint(MODELS.build(cfg.model), cfg.pretty_text)


def fuzz_detector(folder: Path, n: int) -> Judge:
    """Give spoilt checkpoints to ``MitosisDetector``."""
    judge, path = Judge("MitosisDetector"), folder / "best_a.pth"
    good = detector_checkpoint(folder)
    for case in range(n):
        rng = generator("detector", case)
        if rng.random() < 0.5:
            value = {**good, "meta": spoil_meta(rng, good["meta"])}
            file = io.BytesIO()
            torch.save(value, file)
            path.write_bytes(file.getvalue())
        else:
            path.write_bytes(spoil_checkpoint(rng, good))
        judge.put(
            case,
            lambda: MitosisDetector(path, device="cpu", workers=0),
            path,
            lambda d: check_threshold((d.threshold, d.threshold_from)),
        )
    return judge


def spoil_meta(rng: random.Random, meta: dict) -> dict:
    """Change a setting of the config that a checkpoint carries."""
    cfg = Config.fromstring(meta["cfg"], ".py")
    wanted = ("model", "test_dataloader", "test_pipeline", "mpp", "default_scope")
    tree = {key: cfg.get(key, 0.25) for key in wanted}
    tree = spoil_tree(rng, Config(tree).to_dict())
    if not isinstance(tree, dict):
        return {**meta, "cfg": tree}
    lines = [f"{key} = {value!r}" for key, value in tree.items() if str(key).isidentifier()]
    return {**meta, "cfg": "\n".join(lines)}


READERS: dict[str, tuple[Callable[[Path, int], Judge], int]] = {
    "checkpoints": (fuzz_checkpoints, 2500),
    "weights": (fuzz_weights, 2500),
    "detector": (fuzz_detector, 150),
}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_checkpoints(tmp_path: Path, reader: str) -> None:
    fuzz, n = READERS[reader]
    fuzz(tmp_path, n).finish()
