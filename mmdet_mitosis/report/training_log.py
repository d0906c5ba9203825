"""Loss and validation F-score of a training, from the logs of all its runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmdet_mitosis.engine.embedded_config import settings_of

LOSS, F_SCORE = "loss", "/f_score"


def _no_points() -> np.ndarray:
    return np.empty((0, 2))


@dataclass(frozen=True)
class TrainingLog:
    """Points (iteration, value) of a training, by iteration.

    Attributes:
        loss: (N, 2).
        f_score: F-score of the validation split, (M, 2).
        n_runs: Runs that it took: one more than it was resumed, or begun anew in the same folder.
        n_bad_lines: Lines of the logs that could not be read, such as the last one of a run that
            was killed.
    """

    loss: np.ndarray = field(default_factory=_no_points)
    f_score: np.ndarray = field(default_factory=_no_points)
    n_runs: int = 0
    n_bad_lines: int = 0


def read_training_log(work_dir: str | Path) -> TrainingLog:
    """Read MMEngine's ``<timestamp>/vis_data/scalars.json`` of every run in a work folder.

    A run that was resumed repeats what an interrupted one did after its last checkpoint: from the
    first iteration of the later run on, the earlier one's points are dropped.

    Args:
        work_dir: The folder, or that of one run in it.

    Returns:
        The log; without points where nothing was trained in that folder.
    """
    loss, f_score, n_runs, n_bad = _no_points(), _no_points(), 0, 0
    own = Path(work_dir, "vis_data", "scalars.json")
    paths = [own] if own.is_file() else sorted(Path(work_dir).glob("*/vis_data/scalars.json"))
    for path in paths:
        run = _read_run(path)
        n_bad += run.n_bad_lines
        starts = [points[0, 0] for points in (run.loss, run.f_score) if len(points)]
        if not starts:
            continue
        n_runs += 1
        start = min(starts)
        loss = np.concatenate([loss[loss[:, 0] < start], run.loss])
        f_score = np.concatenate([f_score[f_score[:, 0] < start], run.f_score])
    return TrainingLog(loss, f_score, n_runs, n_bad)


def _read_run(path: Path) -> TrainingLog:
    """Read the log of one run."""
    schedule = _schedule(path.with_name("config.py"))
    loss, f_score, n_bad, last = [], [], 0, 1.0
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            record = dict(json.loads(line))
            if LOSS in record:
                # MMEngine's ``step`` counts iterations in every loop; ``iter`` may start anew.
                loss.append((float(record["step"]), float(record[LOSS])))
                last = max(last, loss[-1][0])
                continue
            names = [name for name in record if name.endswith(F_SCORE)]
            if names:
                f_score.append((validated_at(last, schedule), float(record[names[0]])))
                last = f_score[-1][0] + 1
        except (ValueError, TypeError, KeyError):
            n_bad += 1
    return TrainingLog(_points(loss), _points(f_score), 1, n_bad)


def validated_at(last_logged: float, schedule: dict[str, object]) -> float:
    """Tell the iteration of a validation, which MMEngine's log of iterations does not.

    Args:
        last_logged: The last training iteration that was logged before it, or one more than the
            validation before.
        schedule: Settings of ``train_cfg``; without ``val_interval``, or by epochs, the iteration
            stays ``last_logged``.

    Returns:
        The multiple of ``val_interval``, at most ``max_iters``, that follows.
    """
    interval, most = schedule.get("val_interval"), schedule.get("max_iters")
    if not (isinstance(interval, int) and isinstance(most, int) and interval > 0):
        return last_logged
    return float(max(last_logged, min(most, -(-last_logged // interval) * interval)))


def _schedule(config: Path) -> dict[str, object]:
    """Read the training loop's settings of a run."""
    if not config.is_file():
        return {}
    return settings_of(config.read_text("utf-8", "replace"), "train_cfg")


def _points(pairs: list[tuple[float, float]]) -> np.ndarray:
    """Make an array of (iteration, value), by iteration, what is not finite as NaN."""
    points = np.array(pairs, dtype=float).reshape(-1, 2)
    points[~np.isfinite(points)] = np.nan
    return points[~np.isnan(points[:, 0])]
