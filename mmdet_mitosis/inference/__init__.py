"""Detectors put to use: fields and whole slides, counts, pictures and exports."""

from mmdet_mitosis.inference.detector import MitosisDetector

__all__ = ["MitosisDetector"]
