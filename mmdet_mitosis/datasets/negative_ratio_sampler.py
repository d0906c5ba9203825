"""Choosing windows: all that hold a mitosis, and a fresh draw of the others every epoch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from mmdet.registry import DATA_SAMPLERS
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler


@DATA_SAMPLERS.register_module()
class NegativeRatioSampler(Sampler):
    """Draw every positive window once an epoch, and negative ones at a ratio to them.

    Other negatives are drawn in each epoch, so that all are seen in the long run. Works with one
    process and with several (each gets an equal share, the last windows repeated to fill it).

    Args:
        dataset: A dataset whose records have ``instances``; empty where the window is negative.
        negative_ratio: Negative windows per positive one. As many as there are if there are fewer.
        seed: Seed of the draw; taken from the runner's if None.

    Raises:
        ValueError: If the ratio is negative, or the dataset has no positive window.
    """

    def __init__(
        self, dataset: BaseDataset, negative_ratio: float = 1.0, seed: int | None = None
    ) -> None:
        if negative_ratio < 0:
            raise ValueError(f"negative_ratio must not be negative, got {negative_ratio}")
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        positive = [bool(dataset.get_data_info(i)["instances"]) for i in range(len(dataset))]
        self.positives = np.flatnonzero(positive)
        self.negatives = np.flatnonzero(~np.array(positive, dtype=bool))
        if not len(self.positives):
            raise ValueError("no training window holds a mitosis: nothing can be learnt")
        self.n_negatives = min(len(self.negatives), round(negative_ratio * len(self.positives)))
        total = len(self.positives) + self.n_negatives
        self.num_samples = math.ceil(total / self.world_size)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        negatives = rng.choice(self.negatives, self.n_negatives, replace=False)
        indices = rng.permutation(np.concatenate([self.positives, negatives])).tolist()
        padded = itertools.islice(itertools.cycle(indices), self.num_samples * self.world_size)
        return iter(list(padded)[self.rank :: self.world_size])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of an epoch.

        Args:
            epoch: Number of the epoch, from 0.
        """
        self.epoch = epoch
