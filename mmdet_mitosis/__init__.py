"""Mitosis detection with MMDetection: importing it registers everything in ``mmdet.registry``."""

from mmdet_mitosis import compat

compat.install()

from mmdet_mitosis import datasets, engine, evaluation, models, transforms  # noqa: E402

__version__ = "0.1.0"
__all__ = ["compat", "datasets", "engine", "evaluation", "models", "transforms"]
