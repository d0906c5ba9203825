"""Plots of loss and validation F-score over the iterations of a training."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmdet_mitosis.report.plots import FIRST, SECOND, draw_svg

MAX_POINTS = 500
"""Of more points of the loss, means of so many groups are drawn."""
WIDE_SPREAD = 30
"""From this ratio of the highest to the lowest loss on, its axis is logarithmic."""


def plot_loss(loss: np.ndarray, tested_at: int | None) -> Markup:
    """Plot the training loss.

    Args:
        loss: (N, 2) iteration and loss, at least one that is finite.
        tested_at: Iteration of the checkpoint that was tested, None if unknown.

    Returns:
        The SVG.
    """
    points = thin(loss[np.isfinite(loss[:, 1])], MAX_POINTS)

    def draw(axes: Axes) -> None:
        axes.plot(*points.T, color=FIRST, marker="." if len(points) < 3 else "")
        fit_loss_axis(axes, points[:, 1].min(), points[:, 1].max())
        _finish(axes, tested_at)

    return draw_svg("loss", "Training loss over the iterations", draw)


def plot_validation(f_score: np.ndarray, tested_at: int | None) -> Markup:
    """Plot the F-score of the validation split.

    Args:
        f_score: (N, 2) iteration and F-score, at least one that is finite.
        tested_at: Iteration of the checkpoint that was tested, None if unknown.

    Returns:
        The SVG.
    """

    def draw(axes: Axes) -> None:
        axes.plot(*f_score.T, color=FIRST, marker="o", markersize=5)
        axes.set(ylabel="F-score on validation", ylim=(0, 1.03))
        axes.set_xlim(left=0)
        _finish(axes, tested_at)

    return draw_svg("validation", "F-score of the validation split over the iterations", draw)


def fit_loss_axis(axes: Axes, low: float, high: float) -> None:
    """Make the vertical axis one of a loss, logarithmic where the loss spreads wide.

    Args:
        axes: The axes; changed in place.
        low: The lowest loss.
        high: The highest one.
    """
    if low > 0 and high / low > WIDE_SPREAD:
        axes.set_yscale("log")
    else:
        axes.set_ylim(min(0.0, low * 1.05), max(high, 0.0) * 1.05 or 1.0)
    axes.set_ylabel("training loss")


def thin(points: np.ndarray, most: int) -> np.ndarray:
    """Take the means of neighbouring points where there are too many.

    Args:
        points: (N, 2).
        most: Number of points that are not too many.

    Returns:
        (M, 2), M at most ``most``.
    """
    if len(points) <= most:
        return points
    return np.array([group.mean(axis=0) for group in np.array_split(points, most)])


def _finish(axes: Axes, tested_at: int | None) -> None:
    """Set the axis of iterations, and mark that of the checkpoint that was tested."""
    axes.set_xlabel("iteration")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    if tested_at is not None:
        axes.axvline(tested_at, color=SECOND, linewidth=1.2, linestyle="--", label="tested")
        axes.legend(loc="best")
