"""Train a detector: python tools/train.py CONFIG."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.bfloat16_optim_wrapper import use_mixed_precision
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.launch import build_runner, load_config, lock_work_dir, set_start
from mmdet_mitosis.engine.peers import naming_the_dead


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="train.py", description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("--work-dir", help="folder for logs and checkpoints")
    parser.add_argument(
        "--load-from",
        help="weights to start from instead of the config's: a file, or 'none' for from scratch",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        help="go on from the last checkpoint in the work folder, or from the one named",
    )
    parser.add_argument(
        "--amp",
        action="store_true",
        help="mixed precision: bfloat16, or float16 on a GPU that has none",
    )
    parser.add_argument(
        "--auto-scale-lr", action="store_true", help="scale the learning rate with the batch size"
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        help="override settings of the config: key=value, with dotted keys",
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.work_dir, args.cfg_options, args.launcher)
    if args.amp:
        use_mixed_precision(cfg.optim_wrapper)
    if args.auto_scale_lr:
        if "base_batch_size" not in cfg.get("auto_scale_lr", {}):
            raise ValueError(f"{args.config} has no auto_scale_lr.base_batch_size to scale from")
        cfg.auto_scale_lr.enable = True
    with lock_work_dir(cfg, "train"):
        set_start(cfg, args.load_from, args.resume)
        runner = build_runner(cfg)
        with naming_the_dead():
            runner.train()


if __name__ == "__main__":
    run_main(main, "train.py")
