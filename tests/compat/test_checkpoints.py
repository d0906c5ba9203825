"""Checkpoints load and resume safely, and what is none is told in a sentence."""

import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.torch_version import TorchVersion

from mmdet_mitosis import compat
from mmdet_mitosis.compat import checkpoints
from mmdet_mitosis.engine.checkpoints import read_checkpoint
from tests.installed import needs_safe_loading


class Line(BaseModel):
    """A model of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x, mode: str = "loss") -> dict:
        return {"loss": self.layer(x).square().mean(), "accuracy": x.mean()}


def make_runner(work_dir: Path, epochs: int, resume: bool = False) -> Runner:
    """Build a runner as the tools do, on four numbers."""
    return Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader={
            "batch_size": 2,
            "num_workers": 0,
            "dataset": [{"x": torch.tensor([float(i)])} for i in range(4)],
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "collate_fn": {"type": "default_collate"},
        },
        train_cfg={"by_epoch": True, "max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.1}},
        param_scheduler={"type": "MultiStepLR", "milestones": [1, 2], "by_epoch": True},
        default_hooks={"logger": {"type": "LoggerHook", "interval": 1}},
        resume=resume,
        experiment_name=f"{work_dir.name}_{epochs}",
    )


def test_checkpoint_of_a_runner_loads_and_resumes(tmp_path: Path) -> None:
    first = make_runner(tmp_path, epochs=2)
    first.message_hub.update_info("best_epoch", np.int64(5))
    first.message_hub.update_info("curve", np.array([0.5, 0.25], dtype=np.float32))
    first.message_hub.update_info("better", np.bool_(True))
    first.train()

    saved = read_checkpoint(tmp_path / "epoch_2.pth")
    assert torch.equal(saved["state_dict"]["layer.weight"], first.model.layer.weight.detach())
    losses = saved["message_hub"]["log_scalars"]["train/loss"]
    assert isinstance(losses, HistoryBuffer)
    assert len(losses.data[0]) == 4
    info = saved["message_hub"]["runtime_info"]
    assert info["best_epoch"] == 5
    assert info["better"]
    assert info["curve"].tolist() == [0.5, 0.25]

    second = make_runner(tmp_path, epochs=3, resume=True)
    second.load_or_resume()
    assert (second.epoch, second.iter) == (2, 4)
    second.train()
    assert (second.epoch, second.iter) == (3, 6)
    history = second.message_hub.get_scalar("train/loss")
    assert len(history.data[0]) == 6
    assert history.data[0][:4].tolist() == losses.data[0].tolist()
    assert history.statistics("mean", 6) == pytest.approx(history.data[0].mean())
    steps = second.optim_wrapper.optimizer.state_dict()["state"][0]["step"]
    assert steps.item() == 6


@pytest.mark.parametrize("package", [b"numpy.core.", b"numpy._core."])
def test_checkpoint_of_either_numpy_loads(tmp_path: Path, package: bytes) -> None:
    path = tmp_path / "a.pth"
    kinds = ["?", "i1", "u1", "i4", "i8", "f2", "f4", "f8"]
    content = {
        "state_dict": {},
        "scalars": [np.dtype(kind).type(1) for kind in kinds],
        "arrays": [np.ones(2, kind) for kind in kinds],
        "empty": [np.ones(0, kind) for kind in kinds],
    }
    torch.save(content, path, _use_new_zipfile_serialization=False)
    data = path.read_bytes()
    path.write_bytes(re.sub(rb"numpy\._?core\.", package, data))
    assert package in path.read_bytes()
    loaded = read_checkpoint(path)
    assert [array.shape for array in loaded["empty"]] == [(0,)] * len(kinds)
    for name in ("scalars", "arrays", "empty"):
        assert [value.dtype for value in loaded[name]] == [np.dtype(kind) for kind in kinds]
        assert all(np.all(value == 1) for value in loaded[name])


class Reduced:
    """Pickles as the call of a function."""

    def __init__(self, function, *args) -> None:
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@needs_safe_loading
@pytest.mark.parametrize(
    ("function", "args", "reason"),
    [
        (os.system, ("touch ran",), r"holds \w+\.system,"),
        (eval, ("open('ran', 'w').close()",), "holds eval,"),
        (getattr, (HistoryBuffer, "__init__"), "may not look up '__init__'"),
        (getattr, (HistoryBuffer(), "mean"), "may not look up 'mean'"),
        (getattr, ("text", "upper"), "may not look up 'upper'"),
        (np.load, ("ran",), "holds numpy.load,"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool, function, args, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": {}, "meta": Reduced(function, *args)}
    torch.save(content, "bad.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=reason) as caught:
        read_checkpoint("bad.pth")
    assert str(caught.value).startswith("cannot read bad.pth as a checkpoint: ")
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        Runner.load_checkpoint(make_loader(), "bad.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pth"]


def make_loader() -> Runner:
    """Give what is enough of a runner to load a checkpoint with."""
    runner = Runner.__new__(Runner)
    runner.model, runner._hooks, runner._has_loaded = Line(), [], False
    return runner


def test_what_a_runner_stores_is_all_that_can_be_looked_up() -> None:
    for name in ("min", "max", "mean", "current"):
        assert checkpoints._history_method(HistoryBuffer, name) is getattr(HistoryBuffer, name)
    with pytest.raises(ValueError, match="may not look up 'update'"):
        checkpoints._history_method(HistoryBuffer, "update")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0, 0.002, 0.01, 0.3, 0.9, 0.999])
def test_file_cut_short_is_one_sentence(tmp_path: Path, share: float, zipped: bool) -> None:
    path = tmp_path / "cut.pth"
    content = {"state_dict": {"a": torch.rand(1000)}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert read_checkpoint(path)["state_dict"]["a"].shape == (1000,)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match="cut short") as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"some text\n" * 9, b"<html>", b"{}", b"\x80\x02.", b"\xff"])
def test_what_is_no_checkpoint_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot read .*no\.pth as a checkpoint") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_weights_alone_are_no_checkpoint(tmp_path: Path) -> None:
    torch.save(torch.rand(2), tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth is no MMEngine checkpoint: .*'state_dict'"):
        read_checkpoint(tmp_path / "a.pth")


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.pth"):
        read_checkpoint(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("2.1.2", False),
        ("2.4.0", False),
        ("2.5.1+cu121", False),
        ("2.6.0", True),
        ("2.10.0", True),
        ("2.14.1+cu130", True),
    ],
)
def test_safety_is_known_by_version(monkeypatch, version: str, safe: bool) -> None:
    monkeypatch.setattr(torch, "__version__", TorchVersion(version))
    assert compat.loads_safely() is safe


@needs_safe_loading
def test_older_torch_loads_and_says_that_it_is_not_safe(tmp_path, monkeypatch, recwarn) -> None:
    torch.save({"state_dict": {}, "meta": {"a": Path("a")}}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="holds pathlib"):
        read_checkpoint(tmp_path / "a.pth")
    assert not recwarn.list
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.5.1"))
    assert read_checkpoint(tmp_path / "a.pth")["meta"] == {"a": Path("a")}
    told = [str(warning.message) for warning in recwarn.list]
    assert told == [
        "torch 2.5.1 cannot load checkpoints safely (2.6 and later can): load only those that you "
        "trust"
    ]


@needs_safe_loading
def test_older_torch_is_given_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", TorchVersion("2.5.1"))
    # 2.4 and 2.5 have the function, which takes no stand-ins.
    monkeypatch.setattr(torch.serialization, "add_safe_globals", lambda names: pytest.fail("used"))
    with pytest.warns(UserWarning, match="cannot load checkpoints safely"):
        compat.install()
