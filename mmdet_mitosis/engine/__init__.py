"""Hooks around MMEngine's runner."""

from mmdet_mitosis.engine.checkpoint_match_hook import CheckpointMatchHook
from mmdet_mitosis.engine.class_check_hook import ClassCheckHook
from mmdet_mitosis.engine.stain_report_hook import StainReportHook
from mmdet_mitosis.engine.storage import AtomicLocalBackend
from mmdet_mitosis.engine.threshold_hook import ThresholdHook
from mmdet_mitosis.engine.timing_hook import TimingHook

__all__ = [
    "AtomicLocalBackend",
    "CheckpointMatchHook",
    "ClassCheckHook",
    "StainReportHook",
    "ThresholdHook",
    "TimingHook",
]
