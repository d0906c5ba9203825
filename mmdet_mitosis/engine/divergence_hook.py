"""Training that has diverged, stopped before it costs anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class DivergenceHook(Hook):
    """End a training whose weights are no longer finite, or whose loss is not any more.

    Such a training can learn nothing more. No checkpoint of it is written, so that the last one is
    from before. One loss that is not finite is none of the hook's business: with float16 it
    happens, and the step is left out. (MMDetection's ``CheckInvalidLossHook`` ends at the first.)

    Args:
        interval: Steps between two looks. One costs a pass over the weights.

    Raises:
        ValueError: If the interval is not positive; and while training, if it has diverged.
    """

    priority = "LOW"

    def __init__(self, interval: int = 20) -> None:
        if interval < 1:
            raise ValueError(f"interval must be at least 1 step, got {interval}")
        self.interval = interval
        self._losses: list[Tensor] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Look, every so many steps."""
        if outputs and torch.is_tensor(outputs.get("loss")):
            self._losses.append(outputs["loss"].detach())
        if not self.every_n_train_iters(runner, self.interval):
            return
        losses, self._losses = self._losses, []
        if losses and not torch.stack(losses).isfinite().any():
            _end(runner, f"the loss of the last {len(losses)} steps is not finite")
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self._check(runner, model.state_dict())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what would be written."""
        self._check(runner, checkpoint["state_dict"])

    def _check(self, runner: Runner, weights: Mapping[str, Tensor]) -> None:
        """End if a weight is not finite."""
        name = first_not_finite(weights)
        if name is not None:
            _end(runner, f"the weight {name} is not finite")


def first_not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """Name the first weight that has a NaN or an infinity.

    Args:
        weights: Tensors by name, of any shape, all on one device.

    Returns:
        Its name; None if all are finite.
    """
    kept = {name: value for name, value in weights.items() if value.is_floating_point()}
    if not kept:
        return None
    # Asked one by one, a GPU would be waited for as often.
    finite = torch.stack([value.isfinite().all() for value in kept.values()]).tolist()
    return next((name for name, good in zip(kept, finite, strict=True) if not good), None)


def _end(runner: Runner, what: str) -> None:
    """End the training."""
    # The runner's own record already names the checkpoint that is not written now.
    named = Path(runner.work_dir, "last_checkpoint")
    saved = named.read_text().strip() if named.is_file() else None
    raise ValueError(
        f"training has diverged: after step {runner.iter + 1} {what}. "
        + (f"The last checkpoint is {saved}. " if saved else "There is no checkpoint. ")
        + "A lower learning rate (optim_wrapper.optimizer.lr), a longer warm-up or clipped "
        "gradients (optim_wrapper.clip_grad) may help"
    )
