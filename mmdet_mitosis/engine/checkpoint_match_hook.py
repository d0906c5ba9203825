"""What a checkpoint brings to a model: said in one report, and refused where it is of another."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import BaseModule
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.checkpoint import _load_checkpoint

from mmdet_mitosis.engine.checkpoints import check_weights, read_weights
from mmdet_mitosis.engine.weights import find_weights, load_weights


@HOOKS.register_module()
class CheckpointMatchHook(Hook):
    """Say what of a checkpoint fits, and refuse one of another model.

    MMEngine loads either with a page of warnings. Testing and resuming need every parameter.
    Training may start from weights that fit in part, such as those of a detector of other classes
    or of a bare backbone (torchvision's, timm's): they find their place under ``backbone.``, and
    the log has one report of what was loaded. So it has for what
    ``init_cfg=dict(type="Pretrained")`` names.
    """

    priority = "HIGH"
    """Before ``EMAHook``, which takes the weights from where this hook puts them."""

    def before_run(self, runner: Runner) -> None:
        """Report what ``init_cfg`` will load.

        Raises:
            ValueError: If it is of another model, or cannot be read.
        """
        if not _starts(runner):
            return
        for name, module in _bare(runner.model).named_modules():
            found = pretrained(module)
            if found is not None:
                source, weights = found
                # MMEngine loads it into the module itself, in a moment.
                report = load_weights(deepcopy(module), weights, source, name, rename=False)
                report.check()
                runner.logger.info(str(report))

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare names and shapes; where training starts, load what fits.

        Raises:
            ValueError: If the checkpoint is of another model.
        """
        model, source = _bare(runner.model), runner._load_from or "the checkpoint"
        if not _starts(runner):
            check_weights(model, checkpoint.get("state_dict", checkpoint), source)
            return
        report = load_weights(model, find_weights(checkpoint, source), source)
        report.check()
        runner.logger.info(str(report))
        # All is in its place: MMEngine has nothing left to warn of.
        checkpoint["state_dict"] = model.state_dict()


def pretrained(module: torch.nn.Module) -> tuple[str, Mapping[str, torch.Tensor]] | None:
    """Read the weights that a module's ``init_cfg`` names.

    Args:
        module: Any module.

    Returns:
        Where they are from, and those that are meant for it, by the names that it has for them;
        None if it starts otherwise, or takes them in its own way.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds no weights.
    """
    init = getattr(module, "init_cfg", None)
    if not isinstance(init, dict) or init.get("type") != "Pretrained":
        return None
    if type(module).init_weights is not BaseModule.init_weights:
        return None
    source, prefix = init["checkpoint"], init.get("prefix") or ""
    content = read_weights(source) if Path(source).is_file() else _load_checkpoint(source, "cpu")
    find_weights(content, source)
    # What mmengine.model.weight_init.PretrainedInit takes of it.
    weights = content.get("state_dict", content)
    start = f"{prefix.rstrip('.')}." if prefix else "module."
    return source, {
        name.removeprefix(start): value
        for name, value in weights.items()
        if not prefix or name.startswith(start)
    }


def _starts(runner: Runner) -> bool:
    """Tell whether a training begins, rather than a test or the rest of a training."""
    return isinstance(runner._train_loop, BaseLoop) and not runner._resume


def _bare(model: torch.nn.Module) -> torch.nn.Module:
    """Give the model that processes share, without what wraps it."""
    return getattr(model, "module", model)
