"""Stain normalisation on RGB arrays: pure arithmetic, no registry in it."""

from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.fits import ColorFit, Fit, StainFit
from mmdet_mitosis.stain.macenko import MacenkoNormalizer

NORMALIZERS: dict[str, type[StainNormalizer]] = {kind.method: kind for kind in (MacenkoNormalizer,)}
"""The methods, by their names in configs and on command lines."""

__all__ = ["NORMALIZERS", "ColorFit", "Fit", "MacenkoNormalizer", "StainFit", "StainNormalizer"]
