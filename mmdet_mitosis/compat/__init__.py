"""What makes MMDetection run on today's torch; the only place with such knowledge.

mmcv's compiled operators are answered by torchvision where compiled mmcv is not importable, and
checkpoints that MMEngine wrote load under ``weights_only=True``.
"""

from __future__ import annotations

import importlib
import sys
import warnings

import torch

from mmdet_mitosis.compat.checkpoints import allow_checkpoints, loads_safely, warn_if_unsafe
from mmdet_mitosis.compat.compiled import lay_out_inputs
from mmdet_mitosis.compat.operators import MissingOperatorError, Operators

__all__ = [
    "COMPILED",
    "TORCHVISION",
    "MissingOperatorError",
    "install",
    "loads_safely",
    "warn_if_unsafe",
]

COMPILED, TORCHVISION = "compiled mmcv", "torchvision"


def install() -> str:
    """Make mmcv's operators and MMEngine's checkpoints work; a second call changes nothing.

    Returns:
        What answers the operators: ``'compiled mmcv'`` or ``'torchvision'``.

    Raises:
        ImportError: If mmcv, compiled or not, does not import.
    """
    allow_checkpoints()
    if isinstance(sys.modules.get("mmcv._ext"), Operators):
        return TORCHVISION
    # By itself first, so that what hinders all of mmcv is not taken for a lack of operators.
    importlib.import_module("mmcv")
    fault = ""
    try:
        compiled = importlib.import_module("mmcv._ext")
    except ImportError as error:
        if not (isinstance(error, ModuleNotFoundError) and error.name == "mmcv._ext"):
            fault = " ".join(str(error).split())
            warnings.warn(
                f"compiled mmcv does not import ({fault}), so torchvision answers its operators: "
                f"build it for torch {torch.__version__}, or install mmcv-lite in its place",
                stacklevel=2,
            )
    else:
        lay_out_inputs(compiled)
        return COMPILED
    sys.modules["mmcv._ext"] = Operators(fault)
    return TORCHVISION
