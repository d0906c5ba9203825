"""MMEngine's sampler, with a seed for each draw."""

from __future__ import annotations

from collections.abc import Iterator

from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import DefaultSampler

from mmdet_mitosis.datasets.draws import Draw, Draws


@DATA_SAMPLERS.register_module()
class DrawSampler(Draws, DefaultSampler):
    """``DefaultSampler``, which goes through all records, with a seed for each draw.

    Args:
        dataset: The dataset.
        shuffle: Whether each epoch has an order of its own.
        seed: Seed of the order, and of the draws; taken from the runner's if None.
        round_up: Whether records are repeated until every process has equally many.
    """

    def __iter__(self) -> Iterator[Draw]:
        return iter(self._drawn(list(super().__iter__())))
