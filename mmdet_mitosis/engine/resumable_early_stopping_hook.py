"""Early stopping that remembers."""

from __future__ import annotations

from mmdet.registry import HOOKS
from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner

KEY = "mitosis_early_stopping"
"""Where a checkpoint keeps its state."""


@HOOKS.register_module()
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """``EarlyStoppingHook`` whose count of validations without a gain outlives an interruption.

    Args: those of ``mmengine.hooks.EarlyStoppingHook``.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the state into a checkpoint."""
        checkpoint[KEY] = {"wait_count": self.wait_count, "best_score": self.best_score}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take the state from the checkpoint of a training that goes on."""
        if runner._resume and KEY in checkpoint:
            self.wait_count = int(checkpoint[KEY]["wait_count"])
            self.best_score = float(checkpoint[KEY]["best_score"])
