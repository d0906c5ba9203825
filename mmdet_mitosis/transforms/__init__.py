"""Steps of a pipeline."""

from mmdet_mitosis.transforms.copy_paste_mitoses import CopyPasteMitoses
from mmdet_mitosis.transforms.load_candidate import LoadCandidate
from mmdet_mitosis.transforms.load_window import LoadWindow
from mmdet_mitosis.transforms.rotate_candidate import RotateCandidate
from mmdet_mitosis.transforms.rotate_window import RotateWindow
from mmdet_mitosis.transforms.stain_augment import StainAugment
from mmdet_mitosis.transforms.stain_normalize import StainNormalize

__all__ = [
    "CopyPasteMitoses",
    "LoadCandidate",
    "LoadWindow",
    "RotateCandidate",
    "RotateWindow",
    "StainAugment",
    "StainNormalize",
]
