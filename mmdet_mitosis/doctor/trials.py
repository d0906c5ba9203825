"""Whether what is installed works together: by trying it."""

from __future__ import annotations

import importlib
import sys
import tempfile
import warnings
from pathlib import Path

from .check import NOTE, STOP, Check, installed, why_not


def check_project() -> Check:
    """Examine whether this project imports, and from where."""
    reason = why_not(lambda: importlib.import_module("mmdet_mitosis"))
    if reason:
        advice = f"it does not import ({reason}): pip install -c constraints.txt -e '.[lite]'"
        return Check("mmdet-mitosis", installed("mmdet-mitosis") or "not installed", STOP, advice)
    package = importlib.import_module("mmdet_mitosis")
    here, there = Path(__file__).parents[1], Path(package.__file__).parent
    if here.resolve() != there.resolve():
        advice = f"it is another checkout than {here}: pip install -e {here.parent}"
        return Check("mmdet-mitosis", f"{package.__version__} ({there})", NOTE, advice)
    return Check("mmdet-mitosis", package.__version__)


def check_operators() -> Check:
    """Examine what answers mmcv's operators."""
    from mmdet_mitosis import compat

    with warnings.catch_warnings():  # the table says it
        warnings.simplefilter("ignore")
        backend = compat.install()
    fault = getattr(sys.modules["mmcv._ext"], "fault", "")
    if fault:
        advice = (
            f"compiled mmcv does not import ({fault}): build it for this torch, or use mmcv-lite"
        )
        return Check("operators", f"answered by {backend}", NOTE, advice)
    return Check("operators", f"answered by {backend}")


def check_loading() -> Check:
    """Examine whether a checkpoint as MMEngine writes it loads safely."""
    import torch
    from mmengine.logging import HistoryBuffer

    from mmdet_mitosis import compat
    from mmdet_mitosis.engine.checkpoints import read_checkpoint

    if not compat.loads_safely():
        advice = "load only checkpoints that you trust, or install torch 2.6 or later"
        return Check("safe loading", f"not with torch {torch.__version__}", NOTE, advice)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.pth"
        torch.save({"state_dict": {}, "loss": HistoryBuffer([0.5], [1])}, path)
        reason = why_not(lambda: read_checkpoint(path))
    if reason:
        advice = f"training cannot be resumed ({reason}): pip install -c constraints.txt torch"
        return Check("safe loading", "fails", STOP, advice)
    return Check("safe loading", "works")


def check_by_running() -> Check:
    """Run two operators, on the CPU and on a GPU if there is one."""
    import torch

    devices = ["cpu"] + ["cuda"] * torch.cuda.is_available()
    for device in devices:
        reason = why_not(lambda device=device: run_operators(device))
        if reason:
            advice = f"{reason}: install the torch and torchvision that are built for this {device}"
            return Check("self test", f"nms or roi_align fails on {device}", STOP, advice)
    return Check("self test", f"nms and roi_align run on {' and '.join(devices)}")


def run_operators(device: str) -> None:
    """Run nms and roi_align on what has a known answer.

    Args:
        device: Where.

    Raises:
        ValueError: If the answer is another.
    """
    import torch
    from mmcv.ops import nms, roi_align

    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 7], [20, 20, 28, 28]], device=device)
    kept = nms(boxes, torch.tensor([0.5, 0.9, 0.7], device=device), 0.5)[1].tolist()
    if kept != [1, 2]:
        raise ValueError(f"nms keeps boxes {kept} where 1 and 2 are right")
    ramp = torch.arange(8.0, device=device).repeat(8, 1)[None, None].requires_grad_()
    region = torch.tensor([[0.0, 2, 2, 6, 6]], device=device)
    mean = roi_align(ramp, region, 1, 1.0, 2, "avg", True)
    mean.sum().backward()
    if abs(mean.item() - 3.5) > 1e-4 or abs(ramp.grad.sum().item() - 1) > 1e-4:
        raise ValueError(f"roi_align gives {mean.item()} where 3.5 is right")
