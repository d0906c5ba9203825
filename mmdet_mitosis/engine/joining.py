"""Joining detectors that were trained one by one into one with a threshold of its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import weights_to_cpu
from torch import nn

from mmdet_mitosis.engine.checkpoints import check_weights, write_checkpoint
from mmdet_mitosis.engine.costs import joined_training
from mmdet_mitosis.engine.threshold_hook import KEY, choose_on_validation
from mmdet_mitosis.engine.timing_hook import KEY as TRAINING


def load_part(part: nn.Module, checkpoint: dict, path: str | Path) -> None:
    """Load the weights of a part of a joined detector.

    Args:
        part: The part.
        checkpoint: Its checkpoint.
        path: Where that is from, for the message.

    Raises:
        ValueError: If it is of another model.
    """
    given = checkpoint["state_dict"]
    check_weights(part, given, path)
    given = {key.removeprefix("module."): value for key, value in given.items()}
    part.load_state_dict({key: given[key] for key in part.state_dict()})


def write_joined(
    path: str | Path,
    cfg: Config,
    runner: Runner,
    checkpoints: Iterable[dict],
    sources: dict[str, Any],
) -> dict:
    """Choose a joined detector's threshold on validation, and write its checkpoint.

    Args:
        path: File to write; it appears whole or not at all.
        cfg: The config that the checkpoint is to carry.
        runner: With the detector and its weights, for ``for_testing(cfg, "val", CHOOSE)``.
        checkpoints: Those of the parts.
        sources: Where these are from, as the checkpoint's ``meta`` is to say it.

    Returns:
        The threshold, as :func:`~mmdet_mitosis.engine.threshold_hook.threshold_record` gives it.
    """
    record = choose_on_validation(runner)
    meta = {
        "cfg": cfg.pretty_text,
        "dataset_meta": runner.test_dataloader.dataset.metainfo,
        **sources,
    }
    state = weights_to_cpu(runner.model.state_dict())
    joined = {"meta": meta, "state_dict": state, KEY: record}
    training = joined_training(checkpoints)
    if training is not None:
        joined[TRAINING] = training
    write_checkpoint(path, joined)
    return record
