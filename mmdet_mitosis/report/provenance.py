"""What a result was made with: versions, seed, files and dates."""

from __future__ import annotations

import platform
import re
from datetime import datetime
from importlib import metadata
from pathlib import Path

import mmcv
import mmdet
import mmengine
import torch

import mmdet_mitosis
from mmdet_mitosis.engine.embedded_config import settings_of
from mmdet_mitosis.report.scored_run import ScoredRun

MMCV_NAMES = ("mmcv", "mmcv-lite", "mmcv-full", "onedl-mmcv")
"""The distributions that may bring mmcv."""


def versions() -> dict[str, str]:
    """Give the versions of what a detector runs on.

    Returns:
        By name. ``mmcv`` names its distribution too.
    """
    brought_by = [name for name in MMCV_NAMES if _is_installed(name)]
    return {
        "python": platform.python_version(),
        "mmdet_mitosis": mmdet_mitosis.__version__,
        "torch": str(torch.__version__),
        "mmdet": mmdet.__version__,
        "mmengine": mmengine.__version__,
        "mmcv": f"{mmcv.__version__} ({', '.join(brought_by) or 'of no distribution'})",
    }


def _is_installed(name: str) -> bool:
    """Tell whether there is such a distribution."""
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def provenance(run: ScoredRun, made: datetime) -> list[tuple[str, str]]:
    """List what a result was made with.

    Args:
        run: The run.
        made: When the page is made.

    Returns:
        Names and values.
    """
    scores = run.scores
    rows = [
        ("tested", f"{run.tested:%Y-%m-%d %H:%M}"),
        ("page made", f"{made:%Y-%m-%d %H:%M}"),
        ("checkpoint", scores["checkpoint"]),
        ("annotation file", scores["ann_file"]),
        ("images", scores["image_root"]),
        ("config", scores["config"]),
        ("seed", _seed(run.config_text)),
    ]
    recorded = scores.get("versions")
    if isinstance(recorded, dict):
        return rows + [(str(name), str(version)) for name, version in recorded.items()]
    return [*rows, ("versions", "the scores file does not say; it is of an older tools/test.py")]


def iteration_of(checkpoint: str) -> int | None:
    """Read the iteration off a checkpoint's name, as MMEngine gives it.

    Args:
        checkpoint: The file.

    Returns:
        The iteration; None where the name tells none.
    """
    found = re.search(r"iter_(\d+)\.pth$", Path(checkpoint).name)
    return int(found[1]) if found else None


def _seed(config_text: str | None) -> str:
    """Read the seed off a config."""
    if config_text is None:
        return "unknown: the work folder has no copy of the config"
    seed = settings_of(config_text, "randomness").get("seed")
    return "none set: MMEngine drew one, see the log" if seed is None else str(seed)
