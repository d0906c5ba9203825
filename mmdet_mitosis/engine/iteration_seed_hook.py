"""A random state for each iteration."""

from __future__ import annotations

from mmdet.registry import HOOKS
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmdet_mitosis.datasets.draws import seed_all


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed what the network draws, as dropout and the choice of proposals, by the iteration.

    No random state has to be saved for a training to go on as if it had never stopped.
    """

    priority = "VERY_HIGH"

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | tuple | list | None = None
    ) -> None:
        """Seed, from the runner's seed, the iteration and the process."""
        seed_all((runner.seed, runner.iter, get_rank()))
