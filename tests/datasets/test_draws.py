"""Each draw has a random state of its own, whoever computes it."""

import pickle
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmdet_mitosis.datasets import draw_sampler
from mmdet_mitosis.datasets.draw_sampler import DrawSampler
from mmdet_mitosis.datasets.draws import Draw, DrawnItems, seed_all
from mmdet_mitosis.datasets.negative_ratio_sampler import NegativeRatioSampler


class Numbers(Dataset):
    """An item is its index, and a number of each generator."""

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> tuple:
        assert type(index) is int
        return index, random.random(), np.random.random(), torch.rand(()).item()

    def get_data_info(self, index: int) -> dict:
        return {"instances": [{"bbox_label": 0}] if index < 3 else []}


class Drawn(DrawnItems, Numbers):
    pass


def items(sampler, workers: int = 0) -> list[tuple]:
    loader = DataLoader(
        Drawn(), batch_size=2, sampler=sampler, num_workers=workers, collate_fn=list
    )
    return [item for batch in loader for item in batch]


SAMPLERS = [DrawSampler, NegativeRatioSampler]


def test_draw_is_its_index_and_goes_to_other_processes() -> None:
    draw = pickle.loads(pickle.dumps(Draw(5, (1, 2, 3))))
    assert draw == 5
    assert [10, 11, 12, 13, 14, 15][draw] == 15
    assert draw.seed == (1, 2, 3)


@pytest.mark.parametrize("kind", SAMPLERS)
def test_items_depend_on_seed_epoch_and_place_alone(kind) -> None:
    def passed(seed: int, epoch: int, workers: int = 0, before: int = 0) -> list[tuple]:
        sampler = kind(Drawn(), seed=seed)
        sampler.set_epoch(epoch)
        seed_all((before,))
        return items(sampler, workers)

    first = passed(0, 0)
    assert first == passed(0, 0, before=1) == passed(0, 0, workers=2) == passed(0, 0, workers=3)
    others = [passed(1, 0), passed(0, 1)]
    numbers = [value for some in (first, *others) for _, *values in some for value in values]
    assert len(set(numbers)) == len(numbers)


def test_drawing_leaves_the_generators_alone() -> None:
    def after(drawn: bool) -> tuple:
        seed_all((3,))
        if drawn:
            Drawn()[Draw(2, (4, 4))]
        return Drawn()[2]

    assert after(True) == after(False)


@pytest.mark.parametrize("kind", SAMPLERS)
@pytest.mark.parametrize("n_done", [0, 1, 5, 6, 7])
def test_what_is_done_is_left_out_once(kind, n_done: int) -> None:
    sampler = kind(Drawn(), seed=0)
    whole = items(sampler)
    sampler.skip(n_done)
    assert items(sampler) == whole[n_done:]
    assert items(sampler) == whole


@pytest.mark.parametrize("kind", SAMPLERS)
def test_processes_share_an_epoch_out(kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def sampler(rank: int, world_size: int):
        for module in (draw_sampler.DefaultSampler.__init__, NegativeRatioSampler.__init__):
            monkeypatch.setitem(module.__globals__, "get_dist_info", lambda: (rank, world_size))
        return kind(Drawn(), seed=0)

    whole = [(draw, draw.seed) for draw in sampler(0, 1)]
    parts = [[(draw, draw.seed) for draw in sampler(rank, 3)] for rank in range(3)]
    together = [pair for step in zip(*parts, strict=True) for pair in step]
    assert together[: len(whole)] == whole
    late = sampler(1, 3)
    late.skip(1)
    assert [(draw, draw.seed) for draw in late] == parts[1][1:]
