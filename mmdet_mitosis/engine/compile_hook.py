"""torch.compile for the parts of a detector that it can do something for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile parts of the model for training.

    MMEngine's own switch, ``compile=True``, compiles the whole training step, of which proposals
    and targets change their shapes with every image: it is compiled again and again. Backbone and
    neck see the same shapes in every step. The first step of each shape takes some minutes more.
    Names of weights stay, so checkpoints load with the hook and without.

    Args:
        parts: Attributes of the detector.
        **options: Those of ``torch.compile``, such as ``mode`` or ``backend``.
    """

    def __init__(self, parts: Sequence[str] = ("backbone", "neck"), **options: Any) -> None:
        self.parts = tuple(parts)
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile the parts.

        Raises:
            ValueError: If the detector has no such part.
        """
        model = getattr(runner.model, "module", runner.model)
        for name in self.parts:
            part = getattr(model, name, None)
            if part is None:
                raise ValueError(f"{type(model).__name__} has no {name!r} that can be compiled")
            part.compile(**self.options)
