"""Matching, merging and scoring of points: NumPy and SciPy only, no registry, no files.

Coordinates are pixels of the field, x first. Every radius is given in the unit of the points that
it is used with; callers convert micrometres with the field's ``mpp``.
"""

from mmdet_mitosis.evaluation.functional.matching import MATCH_METHODS, match_points, score_order
from mmdet_mitosis.evaluation.functional.merging import merge_windows
from mmdet_mitosis.evaluation.functional.scores import (
    Counts,
    Curve,
    bootstrap_f_score,
    count_matches,
    threshold_curve,
)

__all__ = [
    "MATCH_METHODS",
    "Counts",
    "Curve",
    "bootstrap_f_score",
    "count_matches",
    "match_points",
    "merge_windows",
    "score_order",
    "threshold_curve",
]
