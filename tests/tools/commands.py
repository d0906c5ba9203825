"""Running the project's commands as a user does."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from mmdet_mitosis.cli import run_main

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "configs/maskrcnn_r18_demo.py"


def run(*words: object, timeout: float = 300) -> subprocess.CompletedProcess:
    """Run a command of the checkout; its output is text."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={"OMP_NUM_THREADS": "2", **os.environ},
    )


def succeed(*words: object) -> str:
    """Run a command that has to succeed; give what it printed."""
    done = run(*words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def load(name: str) -> ModuleType:
    """Import a command of ``tools/``."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def end_here(name: str, words: Sequence, capsys: pytest.CaptureFixture) -> tuple[int, str, str]:
    """Run a command in this process; give its status, and what it printed and said."""
    main = load(name).main
    with pytest.raises(SystemExit) as caught:
        run_main(lambda: main([str(word) for word in words]), f"{name}.py")
    said = capsys.readouterr()
    return caught.value.code, said.out, said.err


def options(data: Path) -> list[str]:
    """Give the settings that make the demo's config tiny and read ``data``."""
    words = ["train_cfg.max_iters=4", "train_cfg.val_interval=2"]
    words += ["default_hooks.checkpoint.interval=2", "train_dataloader.batch_size=2"]
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        words += [f"{loader}.dataset.data_root={data}/", f"{loader}.dataset.window_size=128"]
    return words + [
        f"{split}_evaluator.ann_file={data}/annotations/{split}.json" for split in ("val", "test")
    ]
