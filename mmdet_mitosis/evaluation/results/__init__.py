"""Any detector's results on disk: read, brought to fields, and scored."""

from mmdet_mitosis.evaluation.results.reader import read_results
from mmdet_mitosis.evaluation.results.results import Results
from mmdet_mitosis.evaluation.results.summary import as_oracle, format_results, score_results
from mmdet_mitosis.evaluation.results.target import Target, load_target
from mmdet_mitosis.evaluation.results.threshold import (
    Threshold,
    check_scores,
    choose_on,
    own_threshold,
    tune,
)

__all__ = [
    "Results",
    "Target",
    "Threshold",
    "as_oracle",
    "check_scores",
    "choose_on",
    "format_results",
    "load_target",
    "own_threshold",
    "read_results",
    "score_results",
    "tune",
]
