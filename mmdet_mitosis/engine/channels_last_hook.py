"""Convolutions on pixels whose channels lie side by side."""

from __future__ import annotations

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the model's weights channels last, the layout that fast convolutions work in.

    Images and features follow their weights. What is computed is the same but for rounding, and
    so are checkpoints, which load with the hook and without.
    """

    def before_run(self, runner: Runner) -> None:
        """Change the layout, before training or a test."""
        runner.model.to(memory_format=torch.channels_last)
