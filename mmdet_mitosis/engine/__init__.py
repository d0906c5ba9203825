"""Hooks around MMEngine's runner."""

from mmdet_mitosis.engine.checkpoints import CheckpointMatchHook
from mmdet_mitosis.engine.storage import AtomicLocalBackend
from mmdet_mitosis.engine.threshold_hook import ThresholdHook

__all__ = ["AtomicLocalBackend", "CheckpointMatchHook", "ThresholdHook"]
