"""From command-line options to a runner: what ``tools/train.py`` and ``tools/test.py`` share."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from mmengine.config import Config
from mmengine.runner import Runner


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
        ValueError: If the file is no config.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such config: {path}")
    try:
        cfg = Config.fromfile(path)
    except (SyntaxError, KeyError, NameError, TypeError, OSError) as error:
        raise ValueError(f"cannot read the config {path}: {error}") from error
    if "model" not in cfg:
        raise ValueError(f"{path} is no detector's config: it has no 'model'")
    cfg.launcher = launcher
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    cfg.work_dir = work_dir or cfg.get("work_dir") or f"work_dirs/{Path(path).stem}"
    return cfg


def fetch_weights(source: str | None) -> str | None:
    """Bring the weights that training starts from to this machine.

    Args:
        source: A URL, a file, or None.

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
    # The other processes of a distributed run wait for the first one when they meet.
    if not target.is_file() and os.environ.get("RANK", "0") == "0":
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(source, str(target))
        except (URLError, OSError) as error:
            raise ValueError(
                f"cannot download {source} ({error}): give a local copy with --load-from FILE, "
                "or train from scratch with --load-from none"
            ) from error
    return str(target)


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config describes.

    Args:
        cfg: The config.

    Returns:
        The runner.
    """
    return Runner.from_cfg(cfg)
