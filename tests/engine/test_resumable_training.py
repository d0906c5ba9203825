"""A training that goes on from a checkpoint is the one that never stopped, to the last bit."""

import shutil
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import METRICS
from mmengine.runner import Runner, loops
from torch import nn

import mmdet_mitosis  # noqa: F401 (it registers what is tested)
from mmdet_mitosis.datasets.draws import DrawnItems
from mmdet_mitosis.engine.lasting_checkpoint_hook import LastingCheckpointHook
from mmdet_mitosis.engine.safe_runner import SafeRunner

N_ITEMS = 5
ITERS = {"type": "mmdet.ResumableIterLoop", "max_iters": 12, "val_interval": 2}  # 3 an epoch
EPOCHS = {"type": "mmdet.ResumableEpochLoop", "max_epochs": 12, "val_interval": 2}


class Items(torch.utils.data.Dataset):
    """Numbers, with noise in training."""

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def __len__(self) -> int:
        return N_ITEMS

    def __getitem__(self, index: int) -> dict:
        return {"x": torch.tensor([index + self.noise * np.random.random()]).float()}


@DATASETS.register_module()
class NoisyItems(DrawnItems, Items):
    """The same, drawn."""


class Dropping(BaseModel):
    """A line with dropout; it keeps its losses."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.losses = nn.Linear(1, 8), []

    def forward(self, x: torch.Tensor, mode: str = "loss") -> dict | list:
        if mode == "predict":
            return [float(self.layer(x).sum())]
        loss = nn.functional.dropout(self.layer(x), 0.5).square().mean()
        self.losses.append(loss.item())
        return {"loss": loss}


@METRICS.register_module()
class Flat(BaseMetric):
    """A score that is never better than the first one: four validations, and training stops."""

    default_prefix = "flat"

    def process(self, data_batch: dict, data_samples: list) -> None:
        self.results += data_samples

    def compute_metrics(self, results: list) -> dict:
        return {"score": float(bool(results))}


def make_runner(
    work: Path,
    cfg: dict,
    resume: bool = False,
    workers: int = 0,
    patience: int = 3,
    seed: int | None = 3,
) -> Runner:
    torch.manual_seed(0)
    by_epoch = cfg["type"] == EPOCHS["type"]
    loader = {
        "batch_size": 2,
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "collate_fn": {"type": "default_collate"},
    }
    stop = {"monitor": "flat/score", "patience": patience, "rule": "greater"}
    return SafeRunner(
        model=Dropping(),
        work_dir=str(work),
        train_dataloader={
            **loader,
            "dataset": NoisyItems(1),
            "sampler": {"type": "mmdet.DrawSampler"},
        },
        val_dataloader={
            **loader,
            "dataset": NoisyItems(0),
            "sampler": {"type": "DefaultSampler", "shuffle": False},
        },
        val_evaluator={"type": "Flat"},
        train_cfg=cfg,
        val_cfg={},
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.1}},
        default_hooks={
            "checkpoint": {
                "type": "mmdet.LastingCheckpointHook",
                "max_keep_ckpts": 1,
                "by_epoch": by_epoch,
                "interval": 2,
                "save_best": "flat/score",
                "rule": "greater",
            },
            "sampler_seed": {"type": "DistSamplerSeedHook"},
            "logger": {"type": "LoggerHook", "interval": 1},
        },
        custom_hooks=[
            {"type": "mmdet.IterationSeedHook"},
            {"type": "mmdet.ResumableEarlyStoppingHook", **stop},
        ],
        randomness={"seed": seed},
        log_processor={"by_epoch": by_epoch},
        resume=resume,
        experiment_name=uuid4().hex,
    )


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops.time, "sleep", lambda seconds: None)


def outcome(runner: Runner) -> tuple:
    """What a training leaves: weights, best checkpoint, where it stopped and what it waits for."""
    (best,) = Path(runner.work_dir).glob("best_*.pth")
    stopping = next(hook for hook in runner.hooks if "EarlyStopping" in type(hook).__name__)
    weights = [value.tolist() for value in runner.model.state_dict().values()]
    return weights, best.name, runner.iter, stopping.wait_count, stopping.best_score


class Killed(Hook):
    """Die before the validation of an iteration or epoch."""

    def __init__(self, at: int) -> None:
        self.at = at

    def before_val(self, runner: Runner) -> None:
        if self.at in (runner.iter, runner.epoch):
            raise KeyboardInterrupt


def killed(work: Path, cfg: dict, at: int) -> Runner:
    """Train until a checkpoint is there and its validation has not begun."""
    runner = make_runner(work, cfg)
    runner.register_hook(Killed(at))
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return runner


@pytest.mark.parametrize(
    ("cfg", "at", "workers"), [(ITERS, 2, 0), (ITERS, 4, 2), (EPOCHS, 2, 2), (EPOCHS, 4, 0)]
)
def test_the_same_to_the_last_bit(tmp_path: Path, cfg: dict, at: int, workers: int) -> None:
    whole = make_runner(tmp_path / "whole", cfg)
    whole.train()
    short = killed(tmp_path / "part", cfg, at)
    rest = make_runner(tmp_path / "part", cfg, resume=True, workers=workers)
    rest.train()
    assert rest.model.losses == whole.model.losses[len(short.model.losses) :]
    assert outcome(rest) == outcome(whole)
    assert rest.train_loop.stop_training
    names = [sorted(p.name for p in (tmp_path / w).glob("*.pth")) for w in ("whole", "part")]
    assert names[0] == names[1]


def test_without_seeds_it_is_not(tmp_path: Path) -> None:
    """What the hook is for: the test above would fail without it."""
    whole = make_runner(tmp_path / "whole", ITERS)
    drop_seeds(whole)
    whole.train()
    killed(tmp_path / "part", ITERS, 4)
    rest = make_runner(tmp_path / "part", ITERS, resume=True)
    drop_seeds(rest)
    rest.train()
    assert rest.model.losses != whole.model.losses[4:]


def drop_seeds(runner: Runner) -> None:
    runner._hooks = [hook for hook in runner.hooks if type(hook).__name__ != "IterationSeedHook"]


@pytest.mark.parametrize("cfg", [ITERS, EPOCHS], ids=["iterations", "epochs"])
def test_without_a_seed_in_the_config_that_of_the_checkpoint_is_taken(
    tmp_path: Path, cfg: dict
) -> None:
    first = make_runner(tmp_path, {**cfg, next(k for k in cfg if "max" in k): 4}, seed=None)
    first.train()
    rest = make_runner(tmp_path, cfg, resume=True, seed=None)
    assert rest.seed != first.seed
    rest.train()
    assert rest.seed == first.seed == rest.train_dataloader.sampler.seed


def test_no_batch_is_computed_twice(tmp_path: Path) -> None:
    make_runner(tmp_path, {**ITERS, "max_iters": 10}, patience=9).train()
    rest = make_runner(tmp_path, ITERS, resume=True, patience=9)
    asked = []
    fetch = NoisyItems.__getitem__
    NoisyItems.__getitem__ = lambda self, index: asked.append(index) or fetch(self, index)
    try:
        rest.train()
    finally:
        NoisyItems.__getitem__ = fetch
    trained = [index for index in asked if hasattr(index, "seed")]
    # 10 iterations are done: of the fourth epoch's batches, of 2, 2 and 1, the first is left out.
    assert len(trained) == 3


def test_sampler_of_another_project_is_advanced(tmp_path: Path) -> None:
    def runner(name: str, iters: int, resume: bool = False) -> Runner:
        made = make_runner(tmp_path / name, {**ITERS, "max_iters": iters}, resume)
        made._train_dataloader["sampler"] = {"type": "DefaultSampler"}
        made.train()
        return made

    whole = runner("whole", 12)
    runner("part", 4)
    rest = runner("part", 12, resume=True)
    assert len(rest.model.losses) == len(whole.model.losses) - 4


def test_config_in_a_checkpoint_is_not_executed(tmp_path: Path) -> None:
    make_runner(tmp_path, {**ITERS, "max_iters": 2}).train()
    path, trace = tmp_path / "iter_2.pth", tmp_path / "trace"
    checkpoint = torch.load(path, weights_only=False)
    checkpoint["meta"]["cfg"] = checkpoint["meta"]["config"] = f"open({str(trace)!r}, 'w').close()"
    torch.save(checkpoint, path)
    with pytest.raises(Exception):  # noqa: B017 (it shows that the checkpoint would)
        Config.fromstring(checkpoint["meta"]["config"], ".py").nothing  # noqa: B018
    trace.unlink(missing_ok=True)
    make_runner(tmp_path, {**ITERS, "max_iters": 4}, resume=True).train()
    assert not trace.exists()


@METRICS.register_module()
class Rising(Flat):
    """A score that is better each time."""

    default_prefix = "flat"
    n_seen = 0

    def compute_metrics(self, results: list) -> dict:
        Rising.n_seen += 1
        return {"score": float(Rising.n_seen)}


def test_what_a_run_had_no_time_to_remove_the_next_one_does(tmp_path: Path, monkeypatch) -> None:
    """Killed when the new best checkpoint and its name are on disk, and the old one too."""

    def die(hook: LastingCheckpointHook, path: str) -> None:
        if "best" in path:
            raise KeyboardInterrupt
        Path(path).unlink()

    cfg = {**ITERS, "max_iters": 4}
    runner = make_runner(tmp_path, cfg)
    runner._val_evaluator = {"type": "Rising"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(LastingCheckpointHook, "_remove", die)
        runner.train()
    (tmp_path / ".iter_4.pth.123.tmp").write_bytes(b"half a checkpoint")
    assert len(list(tmp_path.glob("best_*.pth"))) == 2
    make_runner(tmp_path, cfg, resume=True).train()
    names = {path.name for path in tmp_path.iterdir() if path.suffix in (".pth", ".tmp")}
    assert names == {"best_flat_score_iter_4.pth", "iter_4.pth"}


def test_killed_before_the_last_checkpoint_is_named_the_next_run_names_it(
    tmp_path: Path, monkeypatch
) -> None:
    """Its validation is not done either: the checkpoint gets what that brings."""

    def die(runner: Runner, *args: object, **kwargs: object) -> None:
        save(runner, *args, **kwargs)
        if runner.iter == 3:  # of the fourth iteration, the last
            raise KeyboardInterrupt

    save, cfg = Runner.save_checkpoint, {**ITERS, "max_iters": 4}
    runner = make_runner(tmp_path, cfg)
    runner._val_evaluator = {"type": "Rising"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Runner, "save_checkpoint", die)
        runner.train()
    assert (tmp_path / "last_checkpoint").read_text() == str(tmp_path / "iter_2.pth")
    rest = make_runner(tmp_path, cfg, resume=True)
    rest._val_evaluator = {"type": "Rising"}
    rest.train()
    assert (tmp_path / "last_checkpoint").read_text() == str(tmp_path / "iter_4.pth")
    held = torch.load(tmp_path / "iter_4.pth", weights_only=False)["message_hub"]["runtime_info"]
    assert held["best_ckpt"] == str(tmp_path / "best_flat_score_iter_4.pth")


def test_another_run_s_checkpoints_are_left_alone(tmp_path: Path) -> None:
    """A folder that was copied, and one that goes on from a checkpoint of another."""
    first, cfg = tmp_path / "first", {**ITERS, "max_iters": 4}
    runner = make_runner(first, {**cfg, "max_iters": 2})
    runner._val_evaluator = {"type": "Rising"}
    runner.train()
    kept = {path.name for path in first.glob("*.pth")}
    assert kept == {"best_flat_score_iter_2.pth", "iter_2.pth"}
    shutil.copytree(first, tmp_path / "copy")
    for name in ("copy", "other"):
        rest = make_runner(tmp_path / name, cfg, resume=True)
        rest._load_from = str(first / "iter_2.pth") if name == "other" else None
        rest._val_evaluator = {"type": "Rising"}
        rest.train()
        assert {path.name for path in first.glob("*.pth")} == kept
        assert {path.name for path in (tmp_path / name).glob("*.pth")} == {
            "best_flat_score_iter_4.pth",
            "iter_4.pth",
        }
        named = (tmp_path / name / "last_checkpoint").read_text()
        assert named == str(tmp_path / name / "iter_4.pth")


def test_where_the_best_one_is_missing_the_next_is_kept(tmp_path: Path) -> None:
    """No later score is better: without the best one's file its score is no measure either."""
    make_runner(tmp_path / "first", {**ITERS, "max_iters": 4}).train()
    rest = make_runner(tmp_path / "second", {**ITERS, "max_iters": 6}, resume=True)
    rest._load_from = str(tmp_path / "first" / "iter_4.pth")
    rest.train()
    assert [path.name for path in (tmp_path / "second").glob("best_*")] == [
        "best_flat_score_iter_4.pth"
    ]
