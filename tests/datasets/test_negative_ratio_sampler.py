"""All positive windows in every pass, and other negative ones in each."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from mmdet.registry import DATA_SAMPLERS
from mmengine.model import BaseModel
from mmengine.runner import Runner, loops
from torch import nn

from mmdet_mitosis.datasets import negative_ratio_sampler
from mmdet_mitosis.datasets.negative_ratio_sampler import NegativeRatioSampler

POSITIVE = [1, 4, 5, 11, 18, 23]


class Windows(torch.utils.data.Dataset):
    """As much of a dataset as a sampler asks for; an item is its own index."""

    def __init__(self, positive=POSITIVE, n=40):
        self.positive, self.n = positive, n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return torch.tensor(index)

    def get_data_info(self, index):
        return {"instances": [{"bbox_label": 0}] if index in self.positive else []}


def negatives(indices) -> set[int]:
    return set(indices) - set(POSITIVE)


def as_rank(monkeypatch, rank, world_size):
    monkeypatch.setattr(negative_ratio_sampler, "get_dist_info", lambda: (rank, world_size))


@pytest.mark.parametrize(
    ("ratio", "n_negatives"), [(0, 0), (0.5, 3), (1.0, 6), (2.5, 15), (1000, 34)]
)
def test_a_pass_has_each_positive_once_and_negatives_at_the_ratio(ratio, n_negatives):
    sampler = NegativeRatioSampler(Windows(), negative_ratio=ratio, seed=0)
    for epoch in range(3):
        sampler.set_epoch(epoch)
        drawn = list(sampler)
        assert len(drawn) == len(set(drawn)) == len(sampler) == 6 + n_negatives
        assert set(POSITIVE) < set(drawn) or (ratio == 0 and set(drawn) == set(POSITIVE))


def test_negatives_change_by_pass_until_all_were_seen():
    sampler = NegativeRatioSampler(Windows(), seed=0)
    passes = []
    for epoch in range(40):
        sampler.set_epoch(epoch)
        passes.append(negatives(sampler))
    assert all(a != b for a, b in pairwise(passes))
    assert set.union(*passes) == set(range(40)) - set(POSITIVE)


def test_the_order_is_mixed():
    sampler = NegativeRatioSampler(Windows(), seed=0)
    kinds = [index in POSITIVE for index in sampler]
    assert kinds not in (sorted(kinds), sorted(kinds, reverse=True))


def test_the_draw_is_that_of_seed_and_pass():
    first, same = (NegativeRatioSampler(Windows(), seed=7) for _ in range(2))
    assert list(first) == list(same) == list(first)
    assert list(NegativeRatioSampler(Windows(), seed=8)) != list(first)
    same.set_epoch(1)
    assert list(same) != list(first)
    same.set_epoch(0)
    assert list(same) == list(first)


def test_without_a_seed_the_processes_agree_on_one(monkeypatch):
    monkeypatch.setattr(negative_ratio_sampler, "sync_random_seed", lambda: 99)
    assert list(NegativeRatioSampler(Windows())) == list(NegativeRatioSampler(Windows(), seed=99))


@pytest.mark.parametrize("world_size", [2, 3, 5])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_processes_share_the_pass_of_one(monkeypatch, world_size, ratio):
    alone = list(NegativeRatioSampler(Windows(), ratio, seed=3))
    shares = []
    for rank in range(world_size):
        as_rank(monkeypatch, rank, world_size)
        sampler = NegativeRatioSampler(Windows(), ratio, seed=3)
        shares.append(list(sampler))
        assert len(shares[-1]) == len(sampler) == -(-len(alone) // world_size)
    together = [index for share in shares for index in share]
    assert set(together) == set(alone)
    assert len(together) - len(alone) < world_size


def test_more_processes_than_windows_still_get_equal_shares(monkeypatch):
    shares = []
    for rank in range(5):
        as_rank(monkeypatch, rank, 5)
        shares.append(list(NegativeRatioSampler(Windows([0], 2), seed=0)))
    assert [len(share) for share in shares] == [1] * 5
    assert {index for share in shares for index in share} == {0, 1}


def test_wrong_input_is_an_error():
    with pytest.raises(ValueError, match="negative_ratio must not be negative, got -1"):
        NegativeRatioSampler(Windows(), negative_ratio=-1)
    with pytest.raises(ValueError, match="no training window holds a mitosis"):
        NegativeRatioSampler(Windows([]))


def test_registry_builds_it(mmdet_scope):
    built = DATA_SAMPLERS.build(
        {"type": "NegativeRatioSampler", "dataset": Windows(), "negative_ratio": 2, "seed": 1}
    )
    assert isinstance(built, NegativeRatioSampler) and len(built) == 18


class Recorder(BaseModel):
    """A model that notes the items that it is trained on."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen = []

    def forward(self, inputs, mode):
        self.seen.append(inputs.tolist())
        return {"loss": self.weight.sum()}

    def train_step(self, data, optim_wrapper):
        return self(data, "loss")


@pytest.mark.parametrize("workers", [0, 1])
def test_every_pass_of_a_run_by_iterations_draws_other_negatives(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(loops.time, "sleep", lambda seconds: None)
    model = Recorder()
    runner = Runner(
        model,
        str(tmp_path),
        train_dataloader={
            "dataset": Windows(),
            "sampler": {"type": "mmdet.NegativeRatioSampler"},
            "batch_size": 3,
            "num_workers": workers,
            "persistent_workers": workers > 0,
            "collate_fn": {"type": "default_collate"},
        },
        train_cfg={"type": "IterBasedTrainLoop", "max_iters": 16},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        default_hooks={"checkpoint": None, "sampler_seed": {"type": "DistSamplerSeedHook"}},
        randomness={"seed": 5},
        experiment_name=f"sampler{workers}",
    )
    runner.train()
    drawn = np.reshape(model.seen, (4, 12))
    wanted = NegativeRatioSampler(Windows(), seed=5)
    for epoch, indices in enumerate(drawn.tolist()):
        wanted.set_epoch(epoch)
        assert indices == list(wanted)
    assert len({frozenset(negatives(indices)) for indices in drawn.tolist()}) == 4
