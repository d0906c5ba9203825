"""Plots of how predicted counts agree with true ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mmdet_mitosis.evaluation.counting import CaseCount
from mmdet_mitosis.evaluation.functional import CountAgreement
from mmdet_mitosis.report.plots import FIRST, MUTED, SECOND, draw_svg, short_name, signed

MAX_NAMED = 12
"""Up to so many cases, each point has its name."""


def plot_counts(cases: Sequence[CaseCount]) -> Markup:
    """Plot the predicted over the true mitoses of each case, with the line of equality.

    Args:
        cases: At least one.

    Returns:
        The SVG.
    """
    truth = np.array([case.n_truth for case in cases])
    predicted = np.array([case.n_predicted for case in cases])

    def draw(axes: Axes) -> None:
        most = max(1, truth.max(), predicted.max()) * 1.1
        axes.plot([0, most], [0, most], color=MUTED, linewidth=1, linestyle="--", label="equal")
        axes.plot(truth, predicted, "o", color=FIRST, markersize=6, alpha=0.8, linestyle="none")
        _name(axes, cases, truth, predicted)
        axes.set(xlabel="labelled mitoses", ylabel="predicted mitoses")
        axes.set(xlim=(-most / 40, most), ylim=(-most / 40, most))
        _whole_ticks(axes)
        axes.legend(loc="upper left")

    return draw_svg("counts", "Predicted over labelled mitoses of each case", draw)


def plot_bland_altman(cases: Sequence[CaseCount], agreement: CountAgreement) -> Markup:
    """Plot the difference of the counts over their mean (Bland and Altman, Lancet 1986).

    Args:
        cases: At least one.
        agreement: Of these cases; limits that are None are not drawn.

    Returns:
        The SVG.
    """
    truth = np.array([case.n_truth for case in cases], dtype=float)
    predicted = np.array([case.n_predicted for case in cases], dtype=float)

    def draw(axes: Axes) -> None:
        mean, difference = (truth + predicted) / 2, predicted - truth
        axes.axhline(0, color=MUTED, linewidth=0.8)
        limits = [v for v in (agreement.limit_low, agreement.limit_high) if v is not None]
        lines = [(agreement.bias, "-", f"bias {signed(agreement.bias)}")]
        label = "limits " + ", ".join(map(signed, limits))
        lines += [(limit, "--", label if limit is limits[0] else "") for limit in limits]
        for value, style, label in lines:
            axes.axhline(value, color=SECOND, linewidth=1.2, linestyle=style, label=label)
        axes.plot(mean, difference, "o", color=FIRST, markersize=6, alpha=0.8, linestyle="none")
        _name(axes, cases, mean, difference)
        values = [0, *difference, *limits]
        reach = max(1.0, max(values) - min(values))
        axes.set(xlabel="mean of both counts", ylabel="predicted less labelled")
        # Room for the legend above.
        axes.set_ylim(min(values) - 0.15 * reach, max(values) + 0.4 * reach)
        axes.set_xlim(0, max(1.0, mean.max()) * 1.12)
        _whole_ticks(axes)
        axes.legend(loc="upper left", ncols=2)

    return draw_svg("bland-altman", "Difference of the counts over their mean", draw)


def _name(axes: Axes, cases: Sequence[CaseCount], x: np.ndarray, y: np.ndarray) -> None:
    """Write each case's name beside its point, where there are few."""
    if len(cases) > MAX_NAMED:
        return
    for i, case in enumerate(cases):
        # Towards the middle, where a name has room.
        on_left = x[i] <= x.max() / 2
        name = axes.annotate(
            short_name(case.case),
            (x[i], y[i]),
            xytext=(5 if on_left else -5, 4),
            textcoords="offset points",
            fontsize=8.5,
            ha="left" if on_left else "right",
            parse_math=False,
        )
        name.set_in_layout(False)


def _whole_ticks(axes: Axes) -> None:
    """Put the ticks at whole numbers."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
