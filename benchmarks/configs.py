"""What each config's detector costs: parameters, multiply-adds, time and memory of a training step.

python benchmarks/configs.py
python benchmarks/configs.py maskrcnn_r101_tupac.py atss_r50_tupac.py --steps 5

Each config has a process of its own, on the CPU or, where there is one, the GPU; no weights are
loaded, and windows are random. Multiply-adds are counted once, as OpenMMLab's tables do, on one
window of the config's test size; a detector with proposals computes as many as it finds in noise.
A training step has the config's own batch and window. Times are medians, memory is the peak: of
the process without data loading on the CPU, of what torch allocated on a GPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import mmdet_mitosis.inference.detector  # noqa: F401  makes MMDetection importable, and registers

# isort: split
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from terminaltables import GithubFlavoredMarkdownTable
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from mmdet_mitosis.cli import run_main

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SIDE = 28
"""Side of the objects to train on, px: a mitosis."""
HEADER = ["config", "parameters, M", "GMAC", "batch", "s per step", "memory, GiB"]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="configs.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="*", help="files under configs/ (default: all detectors)")
    parser.add_argument("--steps", type=int, default=3, help="timed training steps (default: 3)")
    parser.add_argument("--json", action="store_true", help="one config: print its figures as json")
    args = parser.parse_args(argv)
    if args.steps < 1:
        parser.error(f"--steps must be at least 1, got {args.steps}")
    for name in args.configs:
        if not (CONFIGS / name).is_file():
            parser.error(f"no such config: {CONFIGS / name}")
    if args.json and len(args.configs) != 1:
        parser.error("--json takes one config")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.json:
        print(json.dumps(measure(CONFIGS / args.configs[0], args.steps)))
        return
    rows = [HEADER]
    for name in tqdm(args.configs or detectors(), "configs", unit="config"):
        words = [sys.executable, __file__, name, "--steps", str(args.steps), "--json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"{name} failed: {done.stderr.strip().splitlines()[-1:]}")
        rows.append(row(name, json.loads(done.stdout.splitlines()[-1])))
    print(f"$ python benchmarks/configs.py {' '.join(sys.argv[1:] if argv is None else argv)}")
    print(GithubFlavoredMarkdownTable(rows).table)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")


def detectors() -> list[str]:
    """Name the configs of detectors that are trained as a whole."""
    paths = sorted(CONFIGS.glob("*.py")) + sorted((CONFIGS / "two_stage").glob("candidates_*.py"))
    names = [path.relative_to(CONFIGS).as_posix() for path in paths]
    return [name for name in names if "refined" not in name]


def row(name: str, figures: dict) -> list[str]:
    """Lay out the figures of a config."""
    return [
        f"`{name}`",
        f"{figures['n_parameters'] / 1e6:.1f}",
        f"{figures['macs'] / 1e9:.1f}",
        f"{figures['batch_size']} x {figures['train_window']} px",
        f"{figures['step_s']:.2f}",
        f"{figures['peak_bytes'] / 2**30:.1f}",
    ]


def measure(path: Path, steps: int) -> dict:
    """Build the detector of a config and measure it.

    Args:
        path: The config.
        steps: Timed training steps, after one that warms up.

    Returns:
        ``n_parameters``, ``macs`` of a window of ``window`` px, ``step_s`` and ``peak_bytes`` of a
        training step of ``batch_size`` windows of ``train_window`` px.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(_without_weights(cfg.model))
    model.init_weights()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device)
    window, train_window = (
        int(cfg[f"{split}_dataloader"].dataset.get("window_size", 512))
        for split in ("test", "train")
    )
    batch_size = int(cfg.train_dataloader.batch_size)
    macs = _macs(model.eval(), window)
    MessageHub.get_current_instance().update_info("epoch", 0)  # as the runner does
    optimizer = build_optim_wrapper(model, {"optimizer": {"type": "SGD", "lr": 1e-6}})
    samples = [_sample(train_window, labelled=True) for _ in range(batch_size)]
    if not any(step.get("with_mask") for step in cfg.train_dataloader.dataset.pipeline):
        for sample in samples:  # RTMDet's assigner would take masks for tensors
            del sample.gt_instances.masks
    batch = {
        "inputs": [_window(train_window) for _ in range(batch_size)],
        "data_samples": samples,
    }
    seconds = [_step(model.train(), batch, optimizer) for _ in range(steps + 1)]
    peak = (
        torch.cuda.max_memory_allocated()
        if device == "cuda"
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return {
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
        "macs": macs,
        "window": window,
        "batch_size": batch_size,
        "train_window": train_window,
        "step_s": statistics.median(seconds[1:]),
        "peak_bytes": peak,
    }


def _without_weights(node: object) -> object:
    """Drop what would be downloaded, wherever in the model it is named."""
    if isinstance(node, dict):
        kept = {
            key: None
            if key == "init_cfg" and isinstance(value, dict) and value.get("type") == "Pretrained"
            else _without_weights(value)
            for key, value in node.items()
        }
        return ConfigDict(kept)
    return [_without_weights(value) for value in node] if isinstance(node, list) else node


def _window(side: int) -> torch.Tensor:
    """Make a window of noise."""
    return torch.randint(0, 256, (3, side, side), dtype=torch.uint8)


def _sample(side: int, labelled: bool) -> DetDataSample:
    """Describe a window, with a mitosis in its middle."""
    meta = {
        "img_id": 0,
        "img_shape": (side, side),
        "ori_shape": (side, side),
        "scale_factor": (1.0, 1.0),
        "batch_input_shape": (side, side),
    }
    sample = DetDataSample(metainfo=meta)
    if labelled:
        low, high = (side - SIDE) // 2, (side + SIDE) // 2
        mask = torch.zeros(1, side, side, dtype=torch.uint8)
        mask[0, low:high, low:high] = 1
        sample.gt_instances = InstanceData(
            bboxes=HorizontalBoxes(torch.tensor([[low, low, high, high]]).float()),
            labels=torch.zeros(1, dtype=torch.long),
            masks=BitmapMasks(mask.numpy(), side, side),
        )
        sample.ignored_instances = InstanceData(
            bboxes=HorizontalBoxes(torch.zeros(0, 4)), labels=torch.zeros(0, dtype=torch.long)
        )
    return sample


def _macs(model: torch.nn.Module, window: int) -> int:
    """Count the multiply-adds of a window."""
    batch = {"inputs": [_window(window)], "data_samples": [_sample(window, labelled=False)]}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.test_step(batch)
    return counter.get_total_flops() // 2


def _step(model: torch.nn.Module, batch: dict, optimizer: object) -> float:
    """Take a training step; give its duration, s."""
    start = time.perf_counter()
    model.train_step({key: list(value) for key, value in batch.items()}, optimizer)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    run_main(main, "configs.py")
