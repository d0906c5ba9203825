"""Mine the refiner's training set: python tools/mine_candidates.py CONFIG CHECKPOINT --out DIR."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.launch import load_config
from mmdet_mitosis.engine.threshold_hook import choose_threshold
from mmdet_mitosis.fileio import check_writable
from mmdet_mitosis.locks import locked
from mmdet_mitosis.mining.detector import load_detector
from mmdet_mitosis.mining.mine import Stage1, describe, mine_split
from mmdet_mitosis.mining.store import FOLDER

SPLITS = ("train", "val")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="mine_candidates.py",
        description=__doc__,
        epilog="A run that was stopped goes on where it was when it is started again.",
    )
    parser.add_argument("config", help="config of stage 1, or of any other detector")
    parser.add_argument("checkpoint", help="checkpoint, or a work folder with its best_*.pth")
    parser.add_argument(
        "--out", required=True, type=Path, help="folder to write candidates/<split>.json to"
    )
    parser.add_argument(
        "--splits", nargs="+", choices=SPLITS, default=SPLITS, help="splits to mine (default: both)"
    )
    parser.add_argument(
        "--ratio", type=float, default=16, help="negatives a mitosis in training (default: 16)"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="score that makes a candidate (default: the one that the checkpoint stores)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of random draws (default: 0)")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        help="override settings of the config: key=value, with dotted keys",
    )
    args = parser.parse_args(argv)
    if not (math.isfinite(args.ratio) and args.ratio >= 0):
        parser.error(f"--ratio must be a number of at least 0, got {args.ratio}")
    if args.threshold is not None and not math.isfinite(args.threshold):
        parser.error(f"--threshold must be a number, got {args.threshold}")
    if args.seed < 0:
        parser.error(f"--seed must be at least 0, got {args.seed}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, None, args.cfg_options)
    checkpoint = find_checkpoint(args.checkpoint)
    check_writable(args.out)
    threshold, origin = choose_threshold(read_checkpoint(checkpoint), checkpoint, args.threshold)
    with locked(args.out, "mine_candidates"):
        model = load_detector(cfg, checkpoint, args.out / FOLDER / "log")
        stage1 = Stage1(cfg, checkpoint, threshold, origin, model)
        for split in dict.fromkeys(args.splits):
            info = mine_split(stage1, split, args.out, args.ratio, args.seed)
            print(f"{describe(info)}\n  candidates: {args.out / 'candidates' / f'{split}.json'}")


if __name__ == "__main__":
    run_main(main, "mine_candidates.py")
