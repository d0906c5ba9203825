"""Models of the two-stage baseline."""

from mmdet_mitosis.models.candidate_detector import CandidateDetector
from mmdet_mitosis.models.candidate_refiner import CandidateRefiner
from mmdet_mitosis.models.fcn8s_head import FCN8sHead
from mmdet_mitosis.models.two_stage_mitosis import TwoStageMitosisDetector
from mmdet_mitosis.models.vgg16_fcn import VGG16FCN

__all__ = [
    "VGG16FCN",
    "CandidateDetector",
    "CandidateRefiner",
    "FCN8sHead",
    "TwoStageMitosisDetector",
]
