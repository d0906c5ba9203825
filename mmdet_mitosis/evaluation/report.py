"""What a test prints and keeps: a table, and the same figures as data."""

from __future__ import annotations

from terminaltables import AsciiTable

from mmdet_mitosis.cli import printable
from mmdet_mitosis.evaluation.counting import summarize_counts
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import FROC_RATES, MATCH_METHODS, Counts, Curve
from mmdet_mitosis.evaluation.scoring import (
    FieldScore,
    f_score_interval,
    group_by,
    score_fields,
    split_curve,
    split_froc,
    total,
    total_look_alikes,
)
from mmdet_mitosis.evaluation.truth import FieldTruth

HEADER = ["", "fields", "mitoses", "TP", "FP", "FN", "precision", "recall", "F-score"]


def summarize(
    split: str,
    fields: list[FieldTruth],
    detections: dict[int, FieldDetections],
    threshold: float,
    threshold_from: str,
    radius_um: float,
    method: str = "optimal",
) -> dict:
    """Score a split at a threshold in every way that is reported.

    Args:
        split: Its name.
        fields: Its fields.
        detections: By image id.
        threshold: Lowest score that counts.
        threshold_from: Where the threshold was chosen.
        radius_um: Match radius, µm.
        method: Matching of the headline.

    Returns:
        The figures, ready for json: the headline (``n_look_alikes`` of it: how many of the false
        positives are look-alikes, None where these are not labelled), ``interval``,
        ``by_method``, ``cases``, ``scanners``, ``ap``, ``froc`` (recall at each rate of false
        positives per mm², and their mean; None without fields), ``counts`` (as
        :func:`summarize_counts`), and ``oracle_f_score``, the highest F-score that a threshold
        tuned on this very split would give, by greedy matching.
    """
    scores = score_fields(fields, detections, threshold, radius_um, method)
    low, high, unit = f_score_interval(scores)
    curve = split_curve(fields, detections, radius_um)
    return {
        "split": split,
        "threshold": threshold,
        "threshold_from": threshold_from,
        "method": method,
        "radius_um": radius_um,
        **_figures(scores),
        "interval": {"low": low, "high": high, "level": 0.95, "resampled": unit},
        "ap": curve.average_precision,
        "oracle_f_score": curve.best_f_score,
        "froc": _froc_figures(curve, fields) if fields else None,
        "by_method": {
            name: _ratios(total(score_fields(fields, detections, threshold, radius_um, name)))
            for name in MATCH_METHODS
        },
        "cases": _groups(scores, "case"),
        "scanners": _groups(scores, "scanner"),
        "counts": summarize_counts(scores),
    }


def _groups(scores: list[FieldScore], key: str) -> dict[str, dict]:
    """Figures of each group of fields."""
    return {k: _figures(v) for k, v in group_by(scores, lambda f: getattr(f, key)).items()}


def _froc_figures(curve: Curve, fields: list[FieldTruth]) -> dict:
    """Recall at each rate of false positives per mm², and their mean."""
    froc = split_froc(curve, fields)
    recalls = froc.recall_at(FROC_RATES).tolist()
    by_rate = {f"{rate:g}": recall for rate, recall in zip(FROC_RATES, recalls, strict=True)}
    return {"mean_recall": froc.mean_recall, "recall_at_fp_per_mm2": by_rate}


def _ratios(counts: Counts) -> dict:
    """Counts and what is made of them."""
    return {
        "tp": counts.tp,
        "fp": counts.fp,
        "fn": counts.fn,
        "precision": counts.precision,
        "recall": counts.recall,
        "f_score": counts.f_score,
    }


def _figures(scores: list[FieldScore]) -> dict:
    """Figures of some fields."""
    n_mitoses = sum(len(score.field.centroids_xy) for score in scores)
    return {
        "n_fields": len(scores),
        "n_mitoses": n_mitoses,
        **_ratios(total(scores)),
        "n_look_alikes": total_look_alikes(scores),
    }


def format_summary(summary: dict) -> str:
    """Lay out a summary for a terminal.

    Args:
        summary: Of :func:`summarize`.

    Returns:
        Several lines.
    """
    rows = [HEADER]
    rows += [_row(f"case {name}", figures) for name, figures in summary["cases"].items()]
    if len(summary["scanners"]) > 1:
        rows += [_row(name, figures) for name, figures in summary["scanners"].items()]
    rows.append(_row(summary["split"], summary))
    table = AsciiTable(rows)
    table.inner_footing_row_border = True
    for column in range(1, len(HEADER)):
        table.justify_columns[column] = "right"
    interval, paper = summary["interval"], summary["by_method"]["paper"]
    lines = [
        table.table,
        f"threshold {summary['threshold']:.3f} from {printable(summary['threshold_from'])}; "
        f"{summary['method']} matching within {summary['radius_um']} µm",
        f"95 % interval of F: {interval['low']:.3f} to {interval['high']:.3f} "
        f"(bootstrap by {interval['resampled']})",
        f"paper's rule (a second hit counts as nothing): F {paper['f_score']:.3f}, "
        f"precision {paper['precision']:.3f}, recall {paper['recall']:.3f}",
    ]
    if summary["n_look_alikes"] is not None:
        lines.append(
            f"{summary['n_look_alikes']} of the {summary['fp']} false positives are labelled "
            "look-alikes"
        )
    if once := summary.get("once"):
        lines.append(
            f"each place looked at once, as tools/infer.py does, at its threshold "
            f"{once['threshold']:.3f}: F {once['f_score']:.3f}, precision {once['precision']:.3f}, "
            f"recall {once['recall']:.3f}"
        )
    greedy = summary["by_method"]["greedy"]
    if greedy["tp"] != summary["tp"]:
        lines.append(f"greedy matching: F {greedy['f_score']:.3f}")
    return "\n".join(lines)


def _row(name: str, figures: dict) -> list[str]:
    """One line of the table."""
    counts = [str(figures[k]) for k in ("n_fields", "n_mitoses", "tp", "fp", "fn")]
    return [
        printable(name),
        *counts,
        *(f"{figures[k]:.3f}" for k in ("precision", "recall", "f_score")),
    ]
