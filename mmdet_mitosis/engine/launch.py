"""From command-line options to a runner: what ``tools/train.py`` and ``tools/test.py`` share."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmdet_mitosis.engine.checkpoints import read_checkpoint, read_weights
from mmdet_mitosis.engine.safe_runner import SafeRunner
from mmdet_mitosis.engine.variables import set_variables
from mmdet_mitosis.engine.weights import find_weights
from mmdet_mitosis.json_file import shown
from mmdet_mitosis.launchers import process_of_launcher, tell_mmengine
from mmdet_mitosis.locks import locked

MAX_REASON = 500
"""Letters of what a builder says that are shown: some say their whole config."""
TRAINING_HOOKS = ("EarlyStoppingHook", "ResumableEarlyStoppingHook", "EMAHook")


def load_config(
    path: str, work_dir: str | None, cfg_options: dict | None, launcher: str = "none"
) -> Config:
    """Read a config and what the command line says on top.

    Args:
        path: The config file.
        work_dir: Folder for logs and checkpoints; by default the config's, or
            ``work_dirs/<name of the config>``.
        cfg_options: Settings to override, dotted names to values.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no config, or the launcher has not started this process.
    """
    tell_mmengine(launcher)
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such config: {path}")
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is Python: it can raise anything
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"cannot read the config {path}: {reason}") from error
    if "model" not in cfg:
        raise ValueError(f"{path} is no detector's config: it has no 'model'")
    cfg.launcher = launcher
    try:
        cfg.merge_from_dict(set_variables(cfg, cfg_options or {}))
    except (KeyError, TypeError, IndexError, AttributeError, AssertionError, ValueError) as error:
        reason = str(error)[:MAX_REASON]
        raise ValueError(f"--cfg-options do not fit {path}: {reason}") from error
    cfg.work_dir = work_dir or cfg.get("work_dir") or f"work_dirs/{Path(path).stem}"
    return cfg


def fetch_weights(source: str | None, launcher: str = "none") -> str | None:
    """Bring the weights that training starts from to this machine.

    Args:
        source: A URL, a file, or None.
        launcher: As :func:`load_config`; the first process of each machine downloads.

    Returns:
        The file, or None.

    Raises:
        FileNotFoundError: If a file is named that is not there.
        ValueError: If a URL cannot be reached.
    """
    if source is None:
        return None
    if urlparse(source).scheme not in ("http", "https"):
        if not Path(source).is_file():
            raise FileNotFoundError(f"no such weights: {source} (load_from)")
        return source
    target = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(source).path).name
    # The other processes of a distributed run wait for the first ones when they meet.
    if not target.is_file() and process_of_launcher(launcher).local_rank == 0:
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = torch.hub.HASH_REGEX.search(target.name)
        try:
            torch.hub.download_url_to_file(source, str(target), digest and digest[1])
        except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: another digest
            raise ValueError(
                f"cannot download {source} ({error}): give a local copy with --load-from FILE, "
                "or train from scratch with --load-from none"
            ) from error
    return str(target)


def lock_work_dir(cfg: Config, command: str) -> AbstractContextManager[None]:
    """Keep other runs of a command out of a run's work folder.

    Args:
        cfg: The config of the run.
        command: Name of the command, as ``train``.

    Returns:
        To be entered for the run; the first process of a distributed one holds the lock for all.

    Raises:
        OSError: On entering, if another run is writing there.
    """
    first = process_of_launcher(cfg.launcher).rank == 0
    return locked(cfg.work_dir, command) if first else nullcontext()


def set_start(cfg: Config, load_from: str | None, resume: str | None) -> None:
    """Set what a training run starts from: its own last checkpoint, weights, or nothing.

    Args:
        cfg: The config; changed in place.
        load_from: Weights instead of the config's; ``none`` for from scratch.
        resume: ``auto`` for the last checkpoint in the work folder (where there is none yet, the
            run begins as it would without), a checkpoint, or None.

    Raises:
        FileNotFoundError: If a file is named that is not there.
        ValueError: If weights cannot be downloaded, or cannot be read safely, or are none.
    """
    if load_from:
        cfg.load_from = None if load_from.lower() == "none" else load_from
    checkpoint = latest_checkpoint(cfg.work_dir) if resume == "auto" else resume
    cfg.resume = checkpoint is not None
    source = str(checkpoint) if checkpoint else cfg.get("load_from")
    launcher = cfg.get("launcher", "none")
    cfg.load_from = fetch_weights(source, launcher)
    # MMEngine reads the file anew, and cannot say what is wrong with it.
    if cfg.load_from and process_of_launcher(launcher).rank == 0:
        if cfg.resume:
            read_checkpoint(cfg.load_from)
        else:
            find_weights(read_weights(cfg.load_from), cfg.load_from)


def latest_checkpoint(work_dir: str | Path) -> Path | None:
    """Find the checkpoint of the furthest iteration or epoch in a work folder.

    Args:
        work_dir: The folder; it need not be there.

    Returns:
        The file; None if there is none.
    """
    found = [p for kind in ("iter", "epoch") for p in Path(work_dir).glob(f"{kind}_*.pth")]
    numbered = [(int(p.stem.split("_")[1]), p) for p in found if p.stem.split("_")[1].isdigit()]
    return max(numbered)[1] if numbered else None


def for_testing(
    cfg: Config, split: str, threshold: float | str, threshold_once: float | None = None
) -> Config:
    """Let a test run over a split.

    Args:
        cfg: The config; it is not changed.
        split: ``val`` or ``test``.
        threshold: As ``CentroidFScore`` takes it.
        threshold_once: Likewise.

    Returns:
        A copy whose test is that of the split.

    Raises:
        ValueError: If the config has no data or no one metric for the split.
    """
    for key in (f"{split}_dataloader", f"{split}_evaluator"):
        if not isinstance(cfg.get(key), dict):
            raise ValueError(
                f"{cfg.filename} has the {key} {shown(cfg.get(key))}; expected a dictionary"
            )
    cfg = deepcopy(cfg)
    cfg.test_dataloader, cfg.test_evaluator = cfg[f"{split}_dataloader"], cfg[f"{split}_evaluator"]
    cfg.test_evaluator.threshold = threshold
    if threshold_once is not None:
        cfg.test_evaluator.threshold_once = threshold_once
    drop_training_hooks(cfg)
    return cfg


def drop_training_hooks(cfg: Config) -> None:
    """Take from a config the hooks that serve training alone.

    ``EarlyStoppingHook`` would build the training loop, and its data, to test. ``EMAHook`` is ready
    for weights only once a run has begun, and has nothing to add: what it averaged is what a
    checkpoint holds as the model's.

    Args:
        cfg: The config; changed in place.

    Raises:
        ValueError: If its custom_hooks are no list of hooks with a type.
    """
    hooks = cfg.get("custom_hooks") or []
    if not isinstance(hooks, list) or any(
        not isinstance(hook, dict) or "type" not in hook for hook in hooks
    ):
        raise ValueError(
            f"{cfg.filename} has the custom_hooks {shown(hooks)}; expected a list of dictionaries "
            "with a 'type'"
        )
    cfg.custom_hooks = [hook for hook in hooks if hook["type"] not in TRAINING_HOOKS]


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config describes.

    Args:
        cfg: The config.

    Returns:
        The runner.

    Raises:
        ValueError: If the config describes nothing that can be built.
    """
    _meet_without_gpu(cfg)
    source = cfg.filename
    try:
        return SafeRunner.from_cfg(_beside_its_source(cfg))
    except (ValueError, OSError, NotImplementedError):  # what says what is wrong
        raise
    except Exception as error:  # what a config describes can raise anything
        reason = " ".join(str(error.args[0]).split()) if error.args else type(error).__name__
        raise ValueError(f"{source} cannot be built: {reason[:MAX_REASON]}") from error


def _beside_its_source(cfg: Config) -> Config:
    """Give a config that lies in its work folder no name.

    MMEngine writes it there as it is run, under its name: over the file that somebody wrote.
    Without a name it is called by the time.
    """
    if cfg.filename and Path(cfg.filename).resolve().parent == Path(cfg.work_dir).resolve():
        cfg = deepcopy(cfg)
        object.__setattr__(cfg, "_filename", None)
    return cfg


def _meet_without_gpu(cfg: Config) -> None:
    """Join the processes of torchrun over gloo: MMEngine's own way asks for a GPU."""
    if cfg.launcher != "pytorch" or torch.cuda.is_available():
        return
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    wrapper = {"type": "MMDistributedDataParallel", "device_ids": None, "broadcast_buffers": False}
    cfg.setdefault("model_wrapper_cfg", wrapper)
