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

from mmdet_mitosis.datasets.draws import Draw, Draws
from mmdet_mitosis.datasets.hard_points import read_hard_points, shows_point


@DATA_SAMPLERS.register_module()
class NegativeRatioSampler(Draws, Sampler):
    """Draw every positive window once an epoch, and negative ones at a ratio to them.

    Other negatives are drawn in each epoch, so that all are seen in the long run. Works with one
    process and with several (each gets an equal share, the last windows repeated to fill it).

    A negative window is hard if it shows an object of another class than the first, such as a
    look-alike, or a point that ``tools/mine_candidates.py`` has found to be taken for a mitosis.

    Args:
        dataset: A dataset whose records have ``instances`` with ``bbox_label``: 0 for a mitosis. A
            window without one is negative.
        negative_ratio: Negative windows per positive one. As many as there are if there are fewer.
        hard_share: Share of the negatives that are drawn from the hard ones, as far as there are
            so many; None: all negatives are drawn alike.
        hard_file: ``candidates/train.json`` of ``tools/mine_candidates.py``, on the dataset's own
            fields.
        seed: Seed of the draw; taken from the runner's if None.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the ratio is negative, the share none, the file none of candidates or of
            other fields, the dataset has no positive window, or none of the hard ones asked for.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        negative_ratio: float = 1.0,
        hard_share: float | None = None,
        hard_file: str | None = None,
        seed: int | None = None,
    ) -> None:
        if negative_ratio < 0:
            raise ValueError(f"negative_ratio must not be negative, got {negative_ratio}")
        if hard_share is not None and not 0 <= hard_share <= 1:
            raise ValueError(f"hard_share must be in [0, 1], got {hard_share}")
        if hard_file is not None and hard_share is None:
            raise ValueError(f"hard_file {hard_file} has no meaning without hard_share")
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        records = [dataset.get_data_info(i) for i in range(len(dataset))]
        labels = [{o["bbox_label"] for o in record["instances"]} for record in records]
        positive = np.array([0 in found for found in labels], dtype=bool)
        self.positives = np.flatnonzero(positive)
        self.negatives = np.flatnonzero(~positive)
        if not len(self.positives):
            raise ValueError("no training window holds a mitosis: nothing can be learnt")
        self.n_negatives = min(len(self.negatives), round(negative_ratio * len(self.positives)))
        self.hard = np.empty(0, dtype=int)
        self.n_hard = 0
        if hard_share is not None:
            self._find_hard(records, labels, hard_file, hard_share)
        total = len(self.positives) + self.n_negatives
        self.num_samples = math.ceil(total / self.world_size)

    def _find_hard(
        self, records: list[dict], labels: list[set[int]], hard_file: str | None, share: float
    ) -> None:
        """Set which negatives are hard, and how many of them an epoch has."""
        points = read_hard_points(hard_file) if hard_file else {}
        hard = [bool(labels[i]) or shows_point(records[i], points) for i in self.negatives]
        self.hard = self.negatives[np.array(hard, dtype=bool)]
        if not len(self.hard):
            raise ValueError(
                "hard_share asks for negative windows that show a look-alike or a point of "
                f"hard_file ({hard_file}), and there is none"
            )
        n_easy = len(self.negatives) - len(self.hard)
        n_hard = max(round(share * self.n_negatives), self.n_negatives - n_easy)
        self.n_hard = min(len(self.hard), n_hard)

    def __iter__(self) -> Iterator[Draw]:
        rng = np.random.default_rng((self.seed, self.epoch))
        negatives = self._draw_negatives(rng)
        indices = rng.permutation(np.concatenate([self.positives, negatives])).tolist()
        padded = itertools.islice(itertools.cycle(indices), self.num_samples * self.world_size)
        return iter(self._drawn(list(padded)[self.rank :: self.world_size]))

    def _draw_negatives(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the negative windows of an epoch."""
        if not len(self.hard):
            return rng.choice(self.negatives, self.n_negatives, replace=False)
        easy = np.setdiff1d(self.negatives, self.hard)
        hard_drawn = rng.choice(self.hard, self.n_hard, replace=False)
        easy_drawn = rng.choice(easy, self.n_negatives - self.n_hard, replace=False)
        return np.concatenate([hard_drawn, easy_drawn])

    def __len__(self) -> int:
        return self.num_samples
