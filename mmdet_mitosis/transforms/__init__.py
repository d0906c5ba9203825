"""Steps of a pipeline."""

from mmdet_mitosis.transforms.load_window import LoadWindow
from mmdet_mitosis.transforms.stain_augment import StainAugment
from mmdet_mitosis.transforms.stain_normalize import StainNormalize

__all__ = ["LoadWindow", "StainAugment", "StainNormalize"]
