"""How long training and testing took, for comparisons."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from mmdet.registry import HOOKS
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

KEY = "mitosis_training"
"""Where a checkpoint keeps it: ``{'seconds', 'n_processes', 'device'}``."""


@HOOKS.register_module()
class TimingHook(Hook):
    """Store with every checkpoint how long it was trained, and time tests.

    Training is timed from its first to its last step, validations included, over all runs that a
    resumed one goes on from. A test is timed from its first batch, once that is read, to its
    figures.

    Attributes:
        test_seconds: Duration of the last test, s; None before one.
    """

    priority = "LOW"

    def __init__(self) -> None:
        self.test_seconds: float | None = None
        self._before = 0.0
        self._start: float | None = None
        self._test_start = 0.0

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over the time of the run that this one goes on from."""
        if runner._resume:
            self._before = float(checkpoint.get(KEY, {}).get("seconds", 0.0))

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Start the clock at the first step."""
        if self._start is None:
            self._start = time.perf_counter()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the time."""
        if self._start is not None:
            checkpoint[KEY] = {
                "seconds": self._before + time.perf_counter() - self._start,
                "n_processes": get_world_size(),
                "device": _device_name(),
            }

    def before_test_epoch(self, runner: Runner) -> None:
        """Start the clock, lest there be no batch."""
        self._test_start = time.perf_counter()

    def before_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Start the clock anew at the first batch."""
        if batch_idx == 0:
            self._test_start = time.perf_counter()

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | Sequence | None = None
    ) -> None:
        """Stop the clock."""
        self.test_seconds = time.perf_counter() - self._test_start


def _device_name() -> str:
    """Name what is computed on."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
