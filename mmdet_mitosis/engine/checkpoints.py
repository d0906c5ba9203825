"""Reading checkpoints, and telling early that one is of another model."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdet_mitosis import compat
from mmdet_mitosis.fileio import write_bytes_atomic

MIN_FRACTION = 0.5
"""Share of the parameters that weights to train from must fit; other classes fit in part."""


def find_checkpoint(path: str | Path) -> Path:
    """Take a checkpoint by its file, or the best one of a work folder.

    Args:
        path: A ``.pth`` file, or a folder with one ``best_*.pth``.

    Returns:
        The file.

    Raises:
        FileNotFoundError: If there is no such file, or no ``best_*.pth`` in the folder.
        ValueError: If the folder has several.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"no such checkpoint: {path}")
        return path
    found = sorted(path.glob("best_*.pth"))
    if not found:
        raise FileNotFoundError(f"no best_*.pth in {path}: has it been trained and validated?")
    if len(found) > 1:
        raise ValueError(f"{path} has {len(found)} best_*.pth; name one: {found[0].name}, …")
    return found[0]


def read_weights(path: str | Path) -> Any:
    """Read a file of torch on the CPU, safely where this torch can (else saying that it cannot).

    Args:
        path: The ``.pth`` file.

    Returns:
        Its contents.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it cannot be read, or holds what cannot be loaded safely.
    """
    compat.warn_if_unsafe()
    with Path(path).open("rb") as file:
        try:
            return torch.load(file, map_location="cpu", weights_only=compat.loads_safely())
        # What is cut short or no pickle at all can raise any error on its way.
        except Exception as error:
            raise ValueError(f"cannot read {path} as a checkpoint: {_reason(error)}") from error


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint that MMEngine wrote, as :func:`read_weights`.

    Args:
        path: The ``.pth`` file.

    Returns:
        Its contents; ``state_dict`` among them.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is no checkpoint, or holds what cannot be loaded safely.
    """
    checkpoint = read_weights(path)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path} is no MMEngine checkpoint: it has no 'state_dict'")
    return checkpoint


def write_checkpoint(path: str | Path, checkpoint: dict) -> None:
    """Write a checkpoint.

    Args:
        path: File to write; it appears whole or not at all.
        checkpoint: Its contents.
    """
    file = io.BytesIO()
    torch.save(checkpoint, file)
    write_bytes_atomic(path, file.getvalue())


def _reason(error: Exception) -> str:
    """Say in one line why torch did not load a file, without its advice to load it unsafely."""
    text = str(error)
    held = re.search(r"GLOBAL (\S+)", text)
    if held:
        return f"it holds {held[1]}, which could run code and so is not loaded"
    if type(error) is ValueError:
        return " ".join(text.split())
    if isinstance(error, pickle.UnpicklingError):
        # torch's reason is the last line before it points to its documentation.
        text = text.partition("Check the documentation")[0].strip().rpartition("\n")[2]
    told = text.partition("\n")[0].partition(". ")[0]
    return f"it is cut short, or none at all ({type(error).__name__}: {told})"


@HOOKS.register_module()
class CheckpointMatchHook(Hook):
    """Refuse a checkpoint of another model, which MMEngine loads with a page of warnings.

    Testing and resuming need every parameter; training may start from weights that fit in part,
    such as those of a detector of other classes.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare names and shapes.

        Raises:
            ValueError: If the checkpoint is of another model.
        """
        model = getattr(runner.model, "module", runner.model)
        starting = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        check_weights(
            model,
            checkpoint.get("state_dict", checkpoint),
            runner._load_from or "the checkpoint",
            MIN_FRACTION if starting else 1,
        )


def check_weights(
    model: torch.nn.Module,
    state_dict: Mapping[str, torch.Tensor],
    source: str | Path,
    min_fraction: float = 1,
) -> None:
    """Refuse weights of another model.

    Args:
        model: The model.
        state_dict: The weights; parameters that the model does not have are no matter.
        source: Where they are from, for the message.
        min_fraction: Share of the model's parameters that must be there in the right shape.

    Raises:
        ValueError: If they are of another model.
    """
    given = {name.removeprefix("module."): value for name, value in state_dict.items()}
    wanted = model.state_dict()
    wrong = [
        name
        for name, value in wanted.items()
        if name not in given or given[name].shape != value.shape
    ]
    if len(wrong) > (1 - min_fraction) * len(wanted):
        raise ValueError(
            f"{source} is of another model: {len(wrong)} of {len(wanted)} parameters of this "
            f"config's {type(model).__name__} are missing in it or of another shape, "
            f"{wrong[0]} first"
        )
