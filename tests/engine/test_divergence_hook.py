"""Training that has diverged."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmdet_mitosis.engine.divergence_hook import DivergenceHook, first_not_finite

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def runner(tmp_path: Path) -> SimpleNamespace:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    return SimpleNamespace(model=model, iter=0, work_dir=str(tmp_path))


def step(hook: DivergenceHook, runner: SimpleNamespace, loss: float = 1.0) -> None:
    hook.after_train_iter(runner, runner.iter, None, {"loss": torch.tensor(loss)})
    runner.iter += 1


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
def test_a_weight_that_is_not_finite_ends_training(runner, name: str, value: float) -> None:
    hook = DivergenceHook(interval=3)
    step(hook, runner)
    runner.model.state_dict()[name].view(-1)[1] = value
    step(hook, runner)
    with pytest.raises(ValueError, match=rf"step 3 the weight {name} is not finite.*no check"):
        step(hook, runner)


def test_it_is_not_saved(runner, tmp_path: Path) -> None:
    (tmp_path / "last_checkpoint").write_text("work/iter_20.pth")
    hook = DivergenceHook()
    hook.before_save_checkpoint(runner, {"state_dict": {"a": torch.ones(2)}})
    with pytest.raises(ValueError, match=r"weight a is .*The last checkpoint is work/iter_20\.pth"):
        hook.before_save_checkpoint(runner, {"state_dict": {"a": torch.tensor([1, NAN])}})


def test_a_loss_that_is_lost_now_and_then_is_not_the_end(runner) -> None:
    hook = DivergenceHook(interval=3)
    for loss in (NAN, INF, 1.0, 1.0, NAN, NAN):
        step(hook, runner, loss)
    step(hook, runner, NAN)
    step(hook, runner, INF)
    with pytest.raises(ValueError, match="the loss of the last 3 steps is not finite"):
        step(hook, runner, NAN)


def test_the_first_is_named() -> None:
    weights = {
        "n": torch.tensor(3),
        "a": torch.ones(3),
        "b": torch.tensor([NAN]),
        "c": torch.ones(1),
    }
    assert first_not_finite(weights) == "b"
    assert first_not_finite(weights | {"b": torch.zeros(0)}) is None
    assert first_not_finite({"n": torch.tensor(3)}) is None


@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_that_is_none(interval: int) -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        DivergenceHook(interval)
