"""Plots of what every threshold would give."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from mmdet_mitosis.evaluation.functional import Counts, Curve, Froc
from mmdet_mitosis.report.plots import FIRST, INK, MUTED, SECOND, draw_svg

LEVELS = (0.2, 0.4, 0.6, 0.8)
"""F-scores whose lines are drawn beneath a precision-recall curve."""
FROC_REACH = 10.0
"""False positives per mm² up to which the FROC is drawn at least."""


def plot_precision_recall(curve: Curve, counts: Counts) -> Markup:
    """Plot precision over recall, with lines of equal F-score.

    Args:
        curve: Of the split; it must hold detections and mitoses.
        counts: At the threshold of the report.

    Returns:
        The SVG.
    """

    def draw(axes: Axes) -> None:
        recall = np.linspace(0.001, 1, 200)
        for level in LEVELS:
            precision = level * recall / np.maximum(2 * recall - level, 1e-9)
            valid = (2 * recall > level) & (precision <= 1)
            axes.plot(recall[valid], precision[valid], color=MUTED, linewidth=0.7, linestyle=":")
            y = level / (2 - level)
            axes.annotate(
                f"F {level:.1f}",
                (1.03, y),
                annotation_clip=False,
                color=MUTED,
                fontsize=8.5,
                va="center",
            )
        axes.step(
            np.concatenate([[0], curve.recall]),
            np.concatenate([curve.precision[:1], curve.precision]),
            where="post",
            color=FIRST,
            label="every threshold",
        )
        _mark(axes, counts.recall, counts.precision)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.03))
        axes.legend(loc="lower left")

    return draw_svg("precision-recall", "Precision over recall", draw)


def plot_f_score(curve: Curve, counts: Counts, threshold: float) -> Markup:
    """Plot the F-score over the threshold.

    Args:
        curve: Of the split; it must hold detections.
        counts: At the threshold of the report.
        threshold: Of the report.

    Returns:
        The SVG.
    """

    def draw(axes: Axes) -> None:
        low, high = min(0.0, float(curve.thresholds[-1])), max(1.0, float(curve.thresholds[0]))
        # A threshold lets in what scores at least as much: F holds down to the next lower score.
        axes.step(
            np.concatenate([[high], curve.thresholds, [low]]),
            np.concatenate([[0.0], curve.f_score, curve.f_score[-1:]]),
            where="post",
            color=FIRST,
            label="F-score",
        )
        best = int(np.argmax(curve.f_score))
        axes.plot(
            curve.thresholds[best],
            curve.f_score[best],
            "D",
            color=MUTED,
            markerfacecolor="none",
            markersize=7,
            label="oracle (no result)",
            linestyle="none",
        )
        axes.axvline(threshold, color=SECOND, linewidth=1, linestyle="--")
        _mark(axes, threshold, counts.f_score)
        axes.set(xlabel="threshold", ylabel="F-score", xlim=(low, high), ylim=(0, 1.03))
        axes.legend(loc="best")

    return draw_svg("f-score", "F-score over the threshold", draw)


def plot_froc(curve: Froc, counts: Counts, area_mm2: float) -> Markup:
    """Plot recall over false positives per mm².

    Args:
        curve: Of the split; it must hold detections and mitoses.
        counts: At the threshold of the report.
        area_mm2: Area of the split's fields, mm².

    Returns:
        The SVG, up to ``FROC_REACH`` false positives per mm² or twice what the report's threshold
        gives.
    """

    def draw(axes: Axes) -> None:
        rate = counts.fp / area_mm2
        reach = max(FROC_REACH, 2 * rate)
        axes.step(
            np.concatenate([[0], curve.fp_per_mm2, [max(reach, curve.fp_per_mm2[-1])]]),
            np.concatenate([[0], curve.recall, curve.recall[-1:]]),
            where="post",
            color=FIRST,
            label="every threshold",
        )
        _mark(axes, rate, counts.recall)
        axes.set(xlabel="false positives per mm²", ylabel="recall")
        axes.set(xlim=(-reach / 50, reach), ylim=(0, 1.03))
        axes.legend(loc="lower right")

    return draw_svg("froc", "Recall over false positives per square millimetre", draw)


def _mark(axes: Axes, x: float, y: float) -> None:
    """Mark the threshold of the report."""
    axes.plot(
        x,
        y,
        "o",
        color=SECOND,
        markeredgecolor=INK,
        markersize=8,
        linestyle="none",
        label="threshold of this report",
        zorder=5,
    )
