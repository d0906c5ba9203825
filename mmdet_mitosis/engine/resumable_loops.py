"""Training that goes on from a checkpoint as if it had never stopped.

MMEngine leaves out the validation of the checkpoint itself, which had not begun when that was
written. Here it is made up for.
"""

from __future__ import annotations

from typing import Any

import torch
from mmdet.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from mmengine.runner.loops import _InfiniteDataloaderIterator

from mmdet_mitosis.datasets.draws import Draws


class _SeedOfCheckpoint:
    """Of loops, as a mixin: a config without a seed goes on with that of its checkpoint.

    A loop and its sampler are built before the checkpoint is read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._own_seed = self.runner.seed

    def _take_seed(self) -> None:
        """Give the sampler the seed that training began with, where it had the run's."""
        sampler = self.dataloader.sampler
        if getattr(sampler, "seed", None) == self._own_seed:
            sampler.seed = self.runner.seed


@LOOPS.register_module()
class ResumableIterLoop(_SeedOfCheckpoint, IterBasedTrainLoop):
    """``IterBasedTrainLoop`` that goes on at the sampler's place.

    MMEngine computes all batches up to the checkpoint's anew, and throws them away. Here the
    sampler leaves out what is done; one that is not of this project is advanced as MMEngine does.

    Args: those of ``mmengine.runner.IterBasedTrainLoop``.
    """

    def run(self) -> torch.nn.Module:
        """Train, from the beginning or from the iteration of the checkpoint.

        Returns:
            The model.
        """
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        if self._iter > 0:
            self._take_seed()
            self._advance()
            self._validate()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._validate()
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model

    def _advance(self) -> None:
        """Go to the first batch that is not done."""
        sampler = self.dataloader.sampler
        if not isinstance(sampler, Draws):
            for _ in range(self._iter):
                next(self.dataloader_iterator)
            return
        epoch, n_batches = divmod(self._iter, len(self.dataloader))
        sampler.set_epoch(epoch)
        sampler.skip(n_batches * self.dataloader.batch_size)
        self.dataloader_iterator = _InfiniteDataloaderIterator(self.dataloader)
        self.dataloader_iterator._epoch = epoch

    def _validate(self) -> None:
        """Validate, if it is the iteration for it."""
        self._decide_current_val_interval()
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
            self.runner.val_loop.run()


@LOOPS.register_module()
class ResumableEpochLoop(_SeedOfCheckpoint, EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that validates the checkpoint that it goes on from.

    Args: those of ``mmengine.runner.EpochBasedTrainLoop``.
    """

    def run(self) -> torch.nn.Module:
        """Train, from the beginning or from the epoch of the checkpoint.

        Returns:
            The model.
        """
        self.runner.call_hook("before_train")
        if self._epoch > 0:
            self._take_seed()
            self._validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate()
        self.runner.call_hook("after_train")
        return self.runner.model

    def _validate(self) -> None:
        """Validate, if it is the epoch for it."""
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= self.val_begin and due:
            self.runner.val_loop.run()
