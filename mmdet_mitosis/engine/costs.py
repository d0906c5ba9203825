"""What a detector costs: its parameters, its training, and its time a square millimetre."""

from __future__ import annotations

from collections.abc import Iterable

from mmengine.runner import Runner

from mmdet_mitosis.engine.timing_hook import KEY, TimingHook


def measured_costs(runner: Runner, checkpoint: dict, area_mm2: float) -> dict[str, float]:
    """Say what the detector of a test that is done costs.

    Args:
        runner: Its runner.
        checkpoint: What was tested.
        area_mm2: Area of the tested fields, mm².

    Returns:
        ``n_parameters``; ``train_hours`` up to this checkpoint, validations included, where it
        stores them; ``seconds_per_mm2`` of the test, reading and merging included, where it was
        timed.
    """
    model = getattr(runner.model, "module", runner.model)
    costs = {"n_parameters": sum(parameter.numel() for parameter in model.parameters())}
    trained = checkpoint.get(KEY)
    if trained is not None:
        costs["train_hours"] = trained["seconds"] / 3600
    timed = [hook.test_seconds for hook in runner.hooks if isinstance(hook, TimingHook)]
    if timed and timed[0] is not None and area_mm2 > 0:
        costs["seconds_per_mm2"] = timed[0] / area_mm2
    return costs


def joined_training(checkpoints: Iterable[dict]) -> dict | None:
    """Add up the trainings of parts that were trained one by one.

    Args:
        checkpoints: Those of the parts.

    Returns:
        As :class:`~mmdet_mitosis.engine.timing_hook.TimingHook` stores it; None where one does not
        say how long it was trained.
    """
    parts = [checkpoint.get(KEY) for checkpoint in checkpoints]
    if not parts or any(part is None for part in parts):
        return None
    return {
        "seconds": sum(part["seconds"] for part in parts),
        "n_processes": max(part["n_processes"] for part in parts),
        "device": ", ".join(sorted({part["device"] for part in parts})),
    }
