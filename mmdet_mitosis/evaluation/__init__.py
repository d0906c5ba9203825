"""Scoring: arithmetic in ``functional``, MMDetection's plumbing in ``centroid_fscore``."""

from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore

__all__ = ["CentroidFScore"]
