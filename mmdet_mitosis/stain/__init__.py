"""Stain normalisation on RGB arrays: pure arithmetic, no registry in it."""

from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.fits import ColorFit, Fit, StainFit
from mmdet_mitosis.stain.macenko import MacenkoNormalizer
from mmdet_mitosis.stain.reinhard import ReinhardNormalizer
from mmdet_mitosis.stain.vahadane import VahadaneNormalizer

NORMALIZERS: dict[str, type[StainNormalizer]] = {
    kind.method: kind for kind in (MacenkoNormalizer, ReinhardNormalizer, VahadaneNormalizer)
}
"""The methods, by their names in configs and on command lines."""

__all__ = [
    "NORMALIZERS",
    "ColorFit",
    "Fit",
    "MacenkoNormalizer",
    "ReinhardNormalizer",
    "StainFit",
    "StainNormalizer",
    "VahadaneNormalizer",
]
