"""Parts of the page: plots with captions, and sentences in place of what cannot be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from mmdet_mitosis.evaluation.counting import CaseCount
from mmdet_mitosis.evaluation.functional import CountAgreement, Counts
from mmdet_mitosis.evaluation.scoring import split_curve, split_froc
from mmdet_mitosis.report.count_plots import plot_bland_altman, plot_counts
from mmdet_mitosis.report.curve_plots import plot_f_score, plot_froc, plot_precision_recall
from mmdet_mitosis.report.plots import signed
from mmdet_mitosis.report.scored_run import ScoredRun
from mmdet_mitosis.report.tables import Table, counts_table
from mmdet_mitosis.report.training_log import TrainingLog
from mmdet_mitosis.report.training_plot import MAX_POINTS, plot_loss, plot_validation


@dataclass(frozen=True)
class Section:
    """Plots with their captions, sentences, and a table where there is one."""

    plots: list[tuple[Markup, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    table: Table | None = None


def curve_section(run: ScoredRun, figures: dict, counts: Counts) -> Section:
    """Draw what every threshold would give.

    Args:
        run: The run.
        figures: Its figures, of :func:`~mmdet_mitosis.evaluation.report.summarize`.
        counts: At the threshold of the report.

    Returns:
        The section.
    """
    threshold, radius_um = run.scores["threshold"], run.scores["radius_um"]
    curve = split_curve(run.fields, run.detections, radius_um)
    if not len(curve.thresholds):
        return Section(notes=["There is no detection at any score, so there are no curves."])
    if not curve.n_gt:
        return Section(notes=["The split has no labelled mitosis, so there are no curves."])
    area_mm2 = sum(truth.area_mm2 for truth in run.fields)
    froc = figures["froc"]
    recalls = ", ".join(
        f"{recall:.2f} at {rate}" for rate, recall in froc["recall_at_fp_per_mm2"].items()
    )
    return Section(
        plots=[
            (
                plot_precision_recall(curve, counts),
                f"Precision over recall; average precision {figures['ap']:.3f}. Dotted lines join "
                "points of one F-score.",
            ),
            (
                plot_f_score(curve, counts, threshold),
                f"F-score over the threshold. It is {counts.f_score:.3f} at the threshold of this "
                f"report, {threshold:.3f}; the highest of this split is no result (see above).",
            ),
            (
                plot_froc(split_froc(curve, run.fields), counts, area_mm2),
                f"FROC: recall over false positives per mm², of {area_mm2:.2f} mm². "
                f"Recall {recalls} per mm²; mean of these {froc['mean_recall']:.3f}.",
            ),
        ],
        notes=[
            "The curves are by greedy matching, which serves all thresholds in one pass; the mark "
            f"is by {figures['method']} matching, and can lie beside the line."
        ],
    )


def training_section(log: TrainingLog, tested_at: int | None) -> Section:
    """Draw the training.

    Args:
        log: Its log.
        tested_at: Iteration of the checkpoint that was tested, None if unknown.

    Returns:
        The section.
    """
    if not log.n_runs:
        return Section(
            notes=[
                "The work folder has no log of a training (<timestamp>/vis_data/scalars.json), so "
                "there are no training curves."
            ]
        )
    plots, notes = [], []
    if np.isfinite(log.loss[:, 1]).any():
        caption = "Training loss."
        if len(log.loss) > MAX_POINTS:
            caption = f"Training loss: {len(log.loss)} records, drawn as {MAX_POINTS} means."
        plots.append((plot_loss(log.loss, tested_at), caption))
    else:
        notes.append("The log has no finite loss.")
    if np.isfinite(log.f_score[:, 1]).any():
        best = log.f_score[np.nanargmax(log.f_score[:, 1])]
        caption = f"F-score on the validation split; best {best[1]:.3f} at iteration {best[0]:.0f}."
        plots.append((plot_validation(log.f_score, tested_at), caption))
    else:
        notes.append("The log has no F-score of a validation.")
    if n_lost := int((~np.isfinite(log.loss[:, 1])).sum()):
        notes.append(f"{n_lost} of {len(log.loss)} records have a loss that is not finite.")
    if log.n_runs > 1:
        notes.append(
            f"The log is of {log.n_runs} runs; where a later one repeats iterations, its are drawn."
        )
    if log.n_bad_lines:
        notes.append(f"{log.n_bad_lines} lines of the logs could not be read.")
    return Section(plots, notes)


def count_section(figures: dict) -> Section:
    """Draw how the counts of cases agree.

    Args:
        figures: Of :func:`~mmdet_mitosis.evaluation.report.summarize`.

    Returns:
        The section.
    """
    rows = figures["counts"]["cases"]
    if not rows:
        return Section(notes=["There is no case to count in."])
    cases = [
        CaseCount(name, row["n_truth"], row["n_predicted"], row["area_mm2"])
        for name, row in rows.items()
    ]
    agreement = CountAgreement(**figures["counts"]["agreement"])
    notes = [
        f"Quadratic weighted kappa of the scores (1 to 3): {_number(agreement.kappa)} of the "
        f"counts as they are, {_number(agreement.kappa_scaled)} of the counts scaled to 2 mm². "
        f"Correlation of the counts: Pearson {_number(agreement.pearson)}, Spearman "
        f"{_number(agreement.spearman)}.",
        "A count up to 11 scores 1, up to 22 it scores 2, and from 23 on 3, in ten high-power "
        "fields, for which 2 mm² are taken.",
    ]
    undefined = (agreement.kappa, agreement.kappa_scaled, agreement.pearson, agreement.spearman)
    if None in undefined:
        notes.append(
            "What is called undefined needs cases that differ: a kappa scores that are not all the "
            "same, a correlation two cases with different counts."
        )
    caption = f"Predicted less labelled over the mean of both; bias {signed(agreement.bias)}"
    if agreement.limit_low is None:
        caption += ". Limits of agreement need two cases."
    else:
        low, high = signed(agreement.limit_low), signed(agreement.limit_high)
        caption += f", 95 % limits of agreement {low} to {high} (Bland and Altman)."
    return Section(
        plots=[
            (
                plot_counts(cases),
                f"Predicted over labelled mitoses, a point a case: {len(cases)}.",
            ),
            (plot_bland_altman(cases, agreement), caption),
        ],
        notes=notes,
        table=counts_table(rows),
    )


def _number(value: float | None) -> str:
    """Write a number that may not be defined."""
    return "undefined" if value is None else f"{value:.3f}"
