"""The figures of results, and their own name where the threshold was tuned on them."""

from __future__ import annotations

from typing import Any

from mmdet_mitosis.cli import printable
from mmdet_mitosis.evaluation.report import format_summary, summarize
from mmdet_mitosis.evaluation.results.results import Results
from mmdet_mitosis.evaluation.results.target import Target
from mmdet_mitosis.evaluation.results.threshold import Threshold
from mmdet_mitosis.evaluation.scoring import RADIUS_UM

F_SCORE = "f_score"
ORACLE = "oracle_f_score"


def score_results(
    target: Target,
    results: Results,
    threshold: Threshold,
    radius_um: float = RADIUS_UM,
    method: str = "optimal",
) -> dict:
    """Score results in every way that is reported.

    Args:
        target: The ground truth.
        results: The results.
        threshold: The threshold.
        radius_um: Match radius, µm.
        method: Matching of the headline.

    Returns:
        As :func:`~mmdet_mitosis.evaluation.report.summarize`, and ``ground_truth``, ``results``,
        ``format``, ``n_detections`` (at any score), ``n_left_out``, ``n_without_detections``
        (fields) and ``notes``. Without scores ``ap``, ``froc`` and ``oracle_f_score`` are None.
        For an oracle see :func:`as_oracle`.
    """
    summary = summarize(
        target.path.stem,
        target.fields,
        results.detections,
        threshold.value,
        threshold.origin,
        radius_um,
        method,
    )
    if not results.has_scores:
        summary |= dict.fromkeys(("ap", "froc", ORACLE))
    return {
        **summary,
        "ground_truth": str(target.path),
        "results": str(results.path),
        "format": results.form,
        "n_detections": sum(map(len, results.detections.values())),
        "n_left_out": results.n_left_out,
        "n_without_detections": results.n_without,
        "notes": list(results.notes),
    }


def as_oracle(summary: dict) -> dict:
    """Rename what came of a threshold that was tuned on the split itself.

    Args:
        summary: Of :func:`score_results`.

    Returns:
        The same figures; each ``f_score`` is ``oracle_f_score`` (the best by greedy matching,
        which has that name elsewhere, is left out), ``interval`` is ``oracle_interval``.
    """
    renamed = _renamed({key: value for key, value in summary.items() if key != ORACLE})
    renamed["oracle_interval"] = renamed.pop("interval")
    return renamed


def _renamed(value: Any) -> Any:
    """Rename F-scores at any depth."""
    if not isinstance(value, dict):
        return value
    return {ORACLE if key == F_SCORE else key: _renamed(inner) for key, inner in value.items()}


def format_results(summary: dict, oracle: bool) -> str:
    """Lay out the figures for a terminal.

    Args:
        summary: Of :func:`score_results`.
        oracle: Whether the threshold was tuned on the split itself.

    Returns:
        Several lines.
    """
    said = f"{summary['format']} {summary['results']}: {summary['n_detections']} detections"
    lines = [printable(text) for text in (said, *summary["notes"])]
    if not oracle:
        return "\n".join([*lines, format_summary(summary)])
    split = summary["split"]
    return "\n".join(
        [
            *lines,
            f"ORACLE: the threshold was tuned on {split} itself. Every F-score below is an "
            "oracle's, none is that of the detector on images it has not seen.",
            format_summary({**summary, "split": f"{split} (oracle)"}),
            f"{ORACLE} {summary[F_SCORE]:.3f}",
        ]
    )
