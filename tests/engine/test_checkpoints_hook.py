"""Refusing the checkpoint of another model."""

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmdet_mitosis.engine.checkpoint_match_hook import CheckpointMatchHook
from mmdet_mitosis.engine.checkpoints import read_checkpoint

LAYERS = "abcd"


class Net(BaseModel):
    """Four layers of two parameters each."""

    def __init__(self):
        super().__init__()
        for name in LAYERS:
            self.add_module(name, nn.Linear(2, 2))

    def forward(self, inputs, mode):
        return {"loss": self.a(torch.ones(1, 2)).sum()} if mode == "loss" else [None]

    def train_step(self, data, optim_wrapper):
        return self(data, "loss")

    def test_step(self, data):
        return self(data, "predict")


class NoMetric(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {}


def weights(n_other: int = 0, prefix: str = "") -> dict:
    """Make a state of the model, the last ``n_other`` parameters of another shape."""
    state = {f"{prefix}{name}": torch.full_like(v, 7) for name, v in Net().state_dict().items()}
    for name in list(state)[len(state) - n_other :]:
        state[name] = torch.zeros(5)
    return state


def runner(tmp_path, content, train: bool, resume: bool = False) -> Runner:
    path = tmp_path / "given.pth"
    torch.save(content, path)
    loader = {"dataset": list(range(2)), "batch_size": 1, "num_workers": 0}
    loader["sampler"] = {"type": "DefaultSampler", "shuffle": False}
    phase = (
        {
            "train_dataloader": loader,
            "train_cfg": {"type": "IterBasedTrainLoop", "max_iters": 1},
            "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.0}},
        }
        if train
        else {"test_dataloader": loader, "test_evaluator": NoMetric(), "test_cfg": {}}
    )
    return Runner(
        Net(),
        str(tmp_path),
        **phase,
        custom_hooks=[CheckpointMatchHook()],
        default_hooks={"checkpoint": {"type": "CheckpointHook", "by_epoch": False}},
        load_from=str(path),
        resume=resume,
        experiment_name=tmp_path.name,
    )


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": weights()},
        {"state_dict": weights(prefix="module.")},
        weights(),
        {"state_dict": {**weights(), "ema.more": torch.zeros(3)}},
    ],
    ids=["plain", "of several processes", "bare", "more than is needed"],
)
def test_a_checkpoint_of_the_model_is_loaded_for_a_test(tmp_path, content):
    made = runner(tmp_path, content, train=False)
    made.test()
    assert all((value == 7).all() for value in made.model.state_dict().values())


@pytest.mark.parametrize("how", ["shape", "missing", "renamed"])
def test_for_a_test_every_parameter_must_fit(tmp_path, how):
    state = weights(n_other=1)
    other = state.pop("d.bias")
    if how != "missing":
        state["d.bias" if how == "shape" else "e.bias"] = other
    made = runner(tmp_path, {"state_dict": state}, train=False)
    with pytest.raises(ValueError, match=r"given\.pth is of another model") as caught:
        made.test()
    assert str(caught.value) == (
        f"{tmp_path}/given.pth is of another model: 1 of 8 parameters of this config's Net are "
        "missing in it or of another shape, d.bias first"
    )


def test_training_may_start_from_weights_of_which_half_fit(tmp_path):
    made = runner(tmp_path, {"state_dict": weights(n_other=4)}, train=True)
    made.train()
    fitting = [bool((value == 7).all()) for value in made.model.state_dict().values()]
    assert fitting == [True] * 4 + [False] * 4


@pytest.mark.parametrize("n_other", [5, 8])
def test_training_does_not_start_from_weights_that_mostly_do_not_fit(tmp_path, n_other):
    made = runner(tmp_path, {"state_dict": weights(n_other)}, train=True)
    with pytest.raises(ValueError, match=f"another model: {n_other} of 8 parameters"):
        made.train()


def test_a_run_is_resumed_from_its_own_model_only(tmp_path):
    runner(tmp_path, weights(), train=True).train()
    saved = read_checkpoint(tmp_path / "iter_1.pth")
    made = runner(tmp_path, saved, train=True, resume=True)
    made.train()
    assert made.iter == 1 and (made.model.d.bias == 7).all()
    saved["state_dict"] = weights(n_other=1)
    with pytest.raises(ValueError, match="another model: 1 of 8 parameters"):
        runner(tmp_path, saved, train=True, resume=True).train()
