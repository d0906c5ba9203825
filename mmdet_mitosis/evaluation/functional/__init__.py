"""Matching, merging and scoring of points: NumPy and SciPy only, no registry, no files.

Coordinates are pixels of the field, x first. Every radius is given in the unit of the points that
it is used with; callers convert micrometres with the field's ``mpp``.
"""

from mmdet_mitosis.evaluation.functional.bootstrap import (
    PairedDifference,
    bootstrap_difference,
    bootstrap_interval,
)
from mmdet_mitosis.evaluation.functional.clinical import (
    CountAgreement,
    bland_altman,
    count_agreement,
    mitoses_per_mm2,
    mitotic_score,
    pearson,
    quadratic_kappa,
    spearman,
)
from mmdet_mitosis.evaluation.functional.counts import Counts
from mmdet_mitosis.evaluation.functional.curve import Curve, threshold_curve
from mmdet_mitosis.evaluation.functional.froc import FROC_RATES, Froc, free_response
from mmdet_mitosis.evaluation.functional.matching import MATCH_METHODS, match_points, score_order
from mmdet_mitosis.evaluation.functional.merging import merge_windows
from mmdet_mitosis.evaluation.functional.outcome import (
    Outcome,
    count_look_alikes,
    count_matches,
    judge_points,
)

__all__ = [
    "FROC_RATES",
    "MATCH_METHODS",
    "CountAgreement",
    "Counts",
    "Curve",
    "Froc",
    "Outcome",
    "PairedDifference",
    "bland_altman",
    "bootstrap_difference",
    "bootstrap_interval",
    "count_agreement",
    "count_look_alikes",
    "count_matches",
    "free_response",
    "judge_points",
    "match_points",
    "merge_windows",
    "mitoses_per_mm2",
    "mitotic_score",
    "pearson",
    "quadratic_kappa",
    "score_order",
    "spearman",
    "threshold_curve",
]
