"""Models of the two-stage baseline, backbones of timm, and ensembles of any detectors."""

from mmdet_mitosis.models.candidate_detector import CandidateDetector
from mmdet_mitosis.models.candidate_refiner import CandidateRefiner
from mmdet_mitosis.models.ensemble_detector import EnsembleDetector
from mmdet_mitosis.models.fcn8s_head import FCN8sHead
from mmdet_mitosis.models.timm_backbone import TimmBackbone
from mmdet_mitosis.models.two_stage_mitosis import TwoStageMitosisDetector
from mmdet_mitosis.models.vgg16_fcn import VGG16FCN

__all__ = [
    "VGG16FCN",
    "CandidateDetector",
    "CandidateRefiner",
    "EnsembleDetector",
    "FCN8sHead",
    "TimmBackbone",
    "TwoStageMitosisDetector",
]
