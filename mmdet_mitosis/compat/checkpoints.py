"""Checkpoints that MMEngine wrote, under torch's safe loader."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch.torch_version import TorchVersion

SAFE_SINCE = (2, 6)
"""First torch that loads safely by default and takes a stand-in for a name."""

UNSAFE = (
    "torch {version} cannot load checkpoints safely (2.6 and later can): load only those that you "
    "trust"
)


def loads_safely() -> bool:
    """Tell whether this torch loads MMEngine's checkpoints under ``weights_only=True``.

    Returns:
        True for torch 2.6 and later.
    """
    return TorchVersion(torch.__version__) >= SAFE_SINCE


def warn_if_unsafe(stacklevel: int = 2) -> None:
    """Say in one line that loading cannot be safe, where it cannot.

    Args:
        stacklevel: As in ``warnings.warn``, counted from the caller.
    """
    if not loads_safely():
        warnings.warn(UNSAFE.format(version=torch.__version__), stacklevel=stacklevel + 1)


def allow_checkpoints() -> None:
    """Name what MMEngine stores beside tensors to torch's safe loader, where torch has one."""
    if not loads_safely():
        warn_if_unsafe(stacklevel=3)
        return
    # The functions by what they make, as NumPy 2 moved them: a file of either NumPy loads in both.
    scalar = np.float64(0).__reduce__()[0]
    array = np.empty(0).__reduce__()[0]
    dtypes = {type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"}
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            bytes,
            (_history_method, "builtins.getattr"),
            (scalar, "numpy.core.multiarray.scalar"),
            (scalar, "numpy._core.multiarray.scalar"),
            (array, "numpy.core.multiarray._reconstruct"),
            (array, "numpy._core.multiarray._reconstruct"),
            np.ndarray,
            np.dtype,
            *sorted(dtypes, key=lambda kind: kind.__name__),
        ]
    )


def _history_method(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` in a checkpoint: admits only what a HistoryBuffer stores."""
    if owner is not HistoryBuffer or name not in ("min", "max", "mean", "current"):
        raise ValueError(f"a checkpoint may not look up {name!r} of {owner!r}")
    return getattr(owner, name)
