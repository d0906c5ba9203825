"""Loss and validation F-score of several trainings, side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmdet_mitosis.report.training_log import TrainingLog, read_training_log
from mmdet_mitosis.report.training_plot import MAX_POINTS, fit_loss_axis, thin

FORMATS = (".png", ".svg", ".pdf")
SIZE_IN = (11.0, 4.4)
DPI = 140
MAX_NAME_CHARS = 48
STYLES = ("-", "--", ":", "-.")
"""Of the lines, in turn whenever the colours are used up."""


@dataclass(frozen=True)
class Run:
    """A training: its name in the legend, and its log, with at least one loss that is finite."""

    name: str
    log: TrainingLog

    @property
    def losses(self) -> np.ndarray:
        """Iteration and loss, (N, 2), what is not finite left out."""
        return self.log.loss[np.isfinite(self.log.loss[:, 1])]

    @property
    def best(self) -> tuple[int, float] | None:
        """Iteration and value of the highest F-score; None before a validation."""
        if not len(self.log.f_score) or np.isnan(self.log.f_score[:, 1]).all():
            return None
        iteration, value = self.log.f_score[np.nanargmax(self.log.f_score[:, 1])]
        return int(iteration), float(value)

    def __str__(self) -> str:
        found = f"{self.name}: {len(self.log.loss)} losses, {len(self.log.f_score)} validations"
        if self.best:
            found += f", best F-score {self.best[1]:.3f} at iteration {self.best[0]}"
        if self.log.n_runs > 1:
            found += f", {self.log.n_runs} runs joined"
        if self.log.n_bad_lines:
            plural = "s" * (self.log.n_bad_lines > 1)
            found += f", {self.log.n_bad_lines} line{plural} of its log cannot be read"
        return found


def read_runs(folders: Sequence[Path], names: Sequence[str] | None = None) -> list[Run]:
    """Read the logs of trainings.

    Args:
        folders: Work folders; the runs of each, such as resumed ones, are joined.
        names: A name for each; by default the end of its path that tells it from the others.

    Returns:
        The trainings.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If a folder holds no log with a loss, is there twice, or names are too few, too
            many, or the same.
    """
    resolved = [folder.resolve() for folder in folders]
    for folder, path in zip(folders, resolved, strict=True):
        if not path.is_dir():
            raise FileNotFoundError(f"no such work folder: {folder}")
        if resolved.count(path) > 1:
            raise ValueError(f"{folder} is named twice")
    if names is not None and len(names) != len(folders):
        raise ValueError(f"{len(names)} names for {len(folders)} work folders")
    if names is not None and len(set(names)) < len(names):
        raise ValueError(f"two work folders have the same name: {', '.join(names)}")
    runs = []
    for folder, name in zip(folders, names or distinct_names(resolved), strict=True):
        run = Run(name, read_training_log(folder))
        if not len(run.losses):
            raise ValueError(
                f"{folder} holds no log of a training: no <time>/vis_data/scalars.json with a loss"
            )
        runs.append(run)
    return runs


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Name paths by as little of their end as tells them apart.

    Args:
        paths: Absolute paths, all different.

    Returns:
        A name for each.
    """
    names = []
    for path in paths:
        n_parts = 1
        while any(p != path and p.parts[-n_parts:] == path.parts[-n_parts:] for p in paths):
            n_parts += 1
        names.append("/".join(path.parts[-n_parts:]))
    return names


def draw_curves(runs: Sequence[Run]) -> Figure:
    """Plot loss and F-score over the iterations, a colour for each training.

    Args:
        runs: The trainings, at least one.

    Returns:
        The figure; its legend has the best F-score of each, and that point a mark.
    """
    figure = Figure(figsize=SIZE_IN, layout="constrained")
    left, right = figure.subplots(1, 2)
    colors = mpl.colormaps["tab10"].colors
    for index, run in enumerate(runs):
        style = {
            "color": colors[index % len(colors)],
            "linestyle": STYLES[index // len(colors) % len(STYLES)],
        }
        points = thin(run.losses, MAX_POINTS)
        left.plot(*points.T, label=_label(run), marker="." if len(points) < 3 else "", **style)
        right.plot(*run.log.f_score.T, marker="o", markersize=3.5, **style)
        if run.best:
            right.plot(*run.best, marker="*", markersize=13, color=style["color"], zorder=3)
    losses = np.concatenate([run.losses[:, 1] for run in runs])
    fit_loss_axis(left, losses.min(), losses.max())
    right.set(ylabel="F-score on validation", ylim=(0, 1.03))
    last = max(
        points[-1, 0] for run in runs for points in (run.losses, run.log.f_score) if len(points)
    )
    for axes in (left, right):
        axes.set(xlabel="iteration", xlim=(0, 1.02 * last))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    if not any(run.best for run in runs):
        right.text(0.5, 0.5, "no validation yet", ha="center", transform=right.transAxes)
    figure.legend(loc="outside lower center", ncols=min(len(runs), 3), frameon=False)
    return figure


def encode(figure: Figure, suffix: str) -> bytes:
    """Give the bytes of a file with the figure.

    Args:
        figure: The figure.
        suffix: One of ``FORMATS``.

    Returns:
        The bytes.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix.lower().removeprefix("."), dpi=DPI)
    return buffer.getvalue()


def _label(run: Run) -> str:
    """Name a training in the legend."""
    name = run.name
    if len(name) > MAX_NAME_CHARS:
        name = f"…{name[1 - MAX_NAME_CHARS :]}"
    name = name.replace("$", r"\$")  # else matplotlib would read a formula
    return f"{name} (best F {run.best[1]:.3f})" if run.best else name
