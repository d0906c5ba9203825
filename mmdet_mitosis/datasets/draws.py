"""Windows drawn for training, each with a random state of its own.

What augmentation does to a window then depends on the seed, the epoch and the window's place in it,
and on nothing else: not on the number of workers, nor on what was computed before. A training that
goes on from a checkpoint sees what one that never stopped would have seen, and need not go through
what it has seen already.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


class Draw(int):
    """The index of a record, with the seed of what is random about it.

    Args:
        index: Of the record.
        seed: Numbers that tell this draw from all others.
    """

    seed: tuple[int, ...]

    def __new__(cls, index: int, seed: tuple[int, ...]) -> Draw:
        draw = super().__new__(cls, index)
        draw.seed = seed
        return draw

    def __reduce__(self) -> tuple:
        return Draw, (int(self), self.seed)


class DrawnItems:
    """A dataset, as a mixin before another one, that draws each item with the seed that it has."""

    def __getitem__(self, index: int) -> Any:
        """Give an item; with an index that is no :class:`Draw`, as the dataset itself does."""
        if not isinstance(index, Draw):
            return super().__getitem__(index)
        with seeded(index.seed):
            return super().__getitem__(int(index))


class Draws:
    """What samplers of draws have in common, as a mixin: which epoch, and what of it is left.

    The sampler has ``seed``, ``rank`` and ``world_size``.

    Attributes:
        epoch: Number of the epoch, from 0.
        n_done: Draws of each process that the next iteration leaves out; later ones are whole.
    """

    seed: int
    rank: int
    world_size: int
    epoch = 0
    n_done = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the draw of an epoch.

        Args:
            epoch: Number of the epoch, from 0.
        """
        self.epoch = epoch

    def skip(self, n_draws: int) -> None:
        """Leave out the first draws of the next iteration.

        Args:
            n_draws: How many, of each process.
        """
        self.n_done = n_draws

    def _drawn(self, own: Sequence[int]) -> list[Draw]:
        """Give seeds to what this process draws in an epoch; leave out what is done."""
        first, self.n_done = self.n_done, 0
        places = range(self.rank, len(own) * self.world_size, self.world_size)
        drawn = zip(own[first:], places[first:], strict=True)
        return [Draw(index, (self.seed, self.epoch, place)) for index, place in drawn]


@contextmanager
def seeded(seed: Sequence[int]) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's generators of the CPU, and restore them afterwards.

    Args:
        seed: Integers.

    Yields:
        Nothing.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    _seed_cpu(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def seed_all(seed: Sequence[int]) -> None:
    """Seed Python's, NumPy's and torch's generators, those of GPUs too.

    Args:
        seed: Integers; each other tuple gives another stream.
    """
    torch.manual_seed(_seed_cpu(seed))


def _seed_cpu(seed: Sequence[int]) -> int:
    """Seed the generators of the CPU; give torch's seed."""
    entropy = [value % 2**32 for value in seed]
    first, second, third = np.random.SeedSequence(entropy).generate_state(3).tolist()
    random.seed(first)
    np.random.seed(second)
    torch.default_generator.manual_seed(third)
    return third
