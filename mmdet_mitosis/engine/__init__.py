"""Hooks around MMEngine's runner."""

from mmdet_mitosis.engine.bfloat16_optim_wrapper import BFloat16OptimWrapper
from mmdet_mitosis.engine.channels_last_hook import ChannelsLastHook
from mmdet_mitosis.engine.checkpoint_match_hook import CheckpointMatchHook
from mmdet_mitosis.engine.class_check_hook import ClassCheckHook
from mmdet_mitosis.engine.compile_hook import CompileHook
from mmdet_mitosis.engine.divergence_hook import DivergenceHook
from mmdet_mitosis.engine.iteration_seed_hook import IterationSeedHook
from mmdet_mitosis.engine.lasting_checkpoint_hook import LastingCheckpointHook
from mmdet_mitosis.engine.resumable_early_stopping_hook import ResumableEarlyStoppingHook
from mmdet_mitosis.engine.resumable_loops import ResumableEpochLoop, ResumableIterLoop
from mmdet_mitosis.engine.stain_report_hook import StainReportHook
from mmdet_mitosis.engine.storage import AtomicLocalBackend
from mmdet_mitosis.engine.threshold_hook import ThresholdHook
from mmdet_mitosis.engine.timing_hook import TimingHook

__all__ = [
    "AtomicLocalBackend",
    "BFloat16OptimWrapper",
    "ChannelsLastHook",
    "CheckpointMatchHook",
    "ClassCheckHook",
    "CompileHook",
    "DivergenceHook",
    "IterationSeedHook",
    "LastingCheckpointHook",
    "ResumableEarlyStoppingHook",
    "ResumableEpochLoop",
    "ResumableIterLoop",
    "StainReportHook",
    "ThresholdHook",
    "TimingHook",
]
