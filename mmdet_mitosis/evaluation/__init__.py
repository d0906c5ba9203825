"""Scoring: arithmetic in ``functional``, MMDetection's plumbing in the metrics."""

from mmdet_mitosis.evaluation.candidate_score import CandidateScore
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore

__all__ = ["CandidateScore", "CentroidFScore"]
