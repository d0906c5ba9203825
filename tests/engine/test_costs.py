"""What a detector costs: parameters, hours and seconds per mm²."""

from types import SimpleNamespace

import pytest
import torch

from mmdet_mitosis.engine.costs import joined_training, measured_costs
from mmdet_mitosis.engine.timing_hook import KEY, TimingHook

MODEL = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))


def runner(test_seconds: float | None, model=MODEL) -> SimpleNamespace:
    """A runner whose test took so long."""
    hook = TimingHook()
    hook.test_seconds = test_seconds
    return SimpleNamespace(model=model, hooks=[object(), hook])


def training(seconds: float, device: str = "cpu", n_processes: int = 1) -> dict:
    return {KEY: {"seconds": seconds, "n_processes": n_processes, "device": device}}


def test_costs_of_a_detector() -> None:
    costs = measured_costs(runner(30.0), training(5400), area_mm2=1.5)
    # 3 x 4 weights, 4 biases, and 4 + 4 of the normalisation, whose statistics are none
    assert costs == {"n_parameters": 24, "train_hours": 1.5, "seconds_per_mm2": 20.0}


def test_a_distributed_model_is_counted_once() -> None:
    wrapped = torch.nn.Module()
    wrapped.module = MODEL
    assert measured_costs(runner(None, wrapped), {}, 1.0) == {"n_parameters": 24}


def test_what_is_not_known_is_left_out() -> None:
    assert measured_costs(runner(None), {}, 1.5) == {"n_parameters": 24}
    assert measured_costs(runner(10.0), {}, 0.0) == {"n_parameters": 24}
    without_hook = SimpleNamespace(model=MODEL, hooks=[])
    assert measured_costs(without_hook, {}, 1.0) == {"n_parameters": 24}


def test_trainings_of_two_stages_add_up() -> None:
    both = joined_training([training(100), training(20, "A100", 4)])
    assert both == {"seconds": 120, "n_processes": 4, "device": "A100, cpu"}


@pytest.mark.parametrize("parts", [[], [training(100), {}]])
def test_a_part_of_unknown_time_makes_the_whole_unknown(parts: list) -> None:
    assert joined_training(parts) is None
