"""Fields, their windows, and how windows are drawn."""

from mmdet_mitosis.datasets.candidate_dataset import CandidateDataset
from mmdet_mitosis.datasets.draw_sampler import DrawSampler
from mmdet_mitosis.datasets.mitosis_dataset import MitosisDataset
from mmdet_mitosis.datasets.negative_ratio_sampler import NegativeRatioSampler

__all__ = ["CandidateDataset", "DrawSampler", "MitosisDataset", "NegativeRatioSampler"]
