"""Stain normalisation on RGB arrays: pure arithmetic, no registry in it."""

from mmdet_mitosis.stain.macenko import MacenkoNormalizer, StainFit

__all__ = ["MacenkoNormalizer", "StainFit"]
