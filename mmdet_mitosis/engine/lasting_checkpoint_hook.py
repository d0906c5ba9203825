"""Checkpoints of which one is always there."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmdet_mitosis.fileio import clear_unfinished, write_bytes_atomic

BEST_BEFORE = "best_ckpt_before"
"""Where a checkpoint keeps the name of the best one that the present one is better than."""


@HOOKS.register_module()
class LastingCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that removes the old checkpoint after the new one is there.

    MMEngine's removes it before: a run that is killed in between has lost all that it had done.
    What such a run had no time to remove, the one that goes on from its checkpoint does.

    A checkpoint names others by their whole paths. One that was copied, moved, or is of another
    run's folder means those of the same names in the folder of this run, and removes no others.

    Args: those of ``mmengine.hooks.CheckpointHook``.
    """

    def before_train(self, runner: Runner) -> None:
        """Begin; clear away what a run that was killed left."""
        super().before_train(runner)
        self._clear_unfinished()
        self._know_last(runner)
        if self.save_best and len(self.key_indicators) == 1:
            self._know_best(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Save the checkpoint of a step, and then remove those that are too many."""
        if self.max_keep_ckpts <= 0:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        kept = [*self.keep_ckpt_ids, *([] if step in self.keep_ckpt_ids else [step])]
        # The new one remembers the old one too, so that what goes on from it can remove it.
        runner.message_hub.update_info("keep_ckpt_ids", kept)
        most, self.max_keep_ckpts = self.max_keep_ckpts, -1
        super()._save_checkpoint_with_step(runner, step, meta)
        self.max_keep_ckpts = most
        self.keep_ckpt_ids = deque(kept[-most:], most)
        for old in kept[:-most]:
            self._remove(self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint, if this is it, and then remove the one before."""
        if not self.save_best or len(self.key_indicators) > 1:
            super()._save_best_checkpoint(runner, metrics)
            return
        before, self.best_ckpt_path = self.best_ckpt_path, None
        # The checkpoint that is written anew with the best one's name remembers the one before.
        runner.message_hub.update_info(BEST_BEFORE, before or "")
        super()._save_best_checkpoint(runner, metrics)
        if self.best_ckpt_path is None:
            self.best_ckpt_path = before
        elif before and before != self.best_ckpt_path:
            self._remove(before)

    def _know_last(self, runner: Runner) -> None:
        """Name the checkpoint that training goes on from, as the run that wrote it would have.

        It is then written anew if its validation is the best, and MMEngine's file says its name.
        """
        last = self._here(runner, "last_ckpt")
        if last:
            self.last_ckpt = last
            if is_main_process():
                write_bytes_atomic(Path(runner.work_dir, "last_checkpoint"), last.encode())

    def _know_best(self, runner: Runner) -> None:
        """Name the best checkpoint; without it, the next one that is validated is the best."""
        self.best_ckpt_path = self._here(runner, "best_ckpt")
        if self.best_ckpt_path is None:
            runner.message_hub.pop_info("best_score")
        before = self._here(runner, BEST_BEFORE)
        if before and before != self.best_ckpt_path:
            self._remove(before)

    def _here(self, runner: Runner, key: str) -> str | None:
        """Find in the folder of this run the checkpoint that another one names; correct that."""
        named = runner.message_hub.runtime_info.get(key)
        if not named:
            return None
        path = str(self.file_backend.join_path(self.out_dir, Path(named).name))
        found = path if self.file_backend.isfile(path) else None
        runner.message_hub.update_info(key, found or "")
        return found

    def _clear_unfinished(self) -> None:
        """Remove checkpoints that were not finished."""
        if is_main_process() and isinstance(self.file_backend, LocalBackend):
            clear_unfinished(self.out_dir, "*.pth")

    def _remove(self, path: str) -> None:
        """Remove a checkpoint, if it is there."""
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)
