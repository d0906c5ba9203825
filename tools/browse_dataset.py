"""Show what a detector is trained on: python tools/browse_dataset.py CONFIG --out sheet.png."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmengine.registry import init_default_scope

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.datasets.window_sheet import (
    build_split,
    choose_windows,
    pipeline_names,
    window_sheet,
)
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.launch import load_config
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic
from mmdet_mitosis.sheets import FORMATS, encode

SIZES = (32, 4096)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="browse_dataset.py", description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument(
        "--out", type=Path, default=Path("sheet.png"), help="sheet to write (default: sheet.png)"
    )
    parser.add_argument("--split", choices=["train", "val", "test"], default="train")
    parser.add_argument(
        "--count", type=int, default=24, help="windows, half of them with objects (default: 24)"
    )
    parser.add_argument("--columns", type=int, default=6, help="windows in a row (default: 6)")
    parser.add_argument(
        "--size", type=int, default=320, help="longer side of a picture, px (default: 320)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of choice and augmentation")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        help="override settings of the config: key=value, with dotted keys",
    )
    args = parser.parse_args(argv)
    if args.out.suffix.lower() not in FORMATS:
        parser.error(f"--out must end in {', '.join(FORMATS)}, got {args.out}")
    if not SIZES[0] <= args.size <= SIZES[1]:
        parser.error(f"--size must be {SIZES[0]} to {SIZES[1]}, got {args.size}")
    for name in ("count", "columns"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    if args.seed < 0:
        parser.error(f"--seed must not be negative, got {args.seed}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    check_writable(args.out.parent)
    cfg = load_config(args.config, None, args.cfg_options)
    init_default_scope(cfg.get("default_scope", "mmdet"))
    dataset = build_split(cfg, args.split)
    indices = choose_windows(dataset, args.count, args.seed)
    steps = ", ".join(pipeline_names(dataset)) or "no step"
    title = f"{Path(args.config).stem}: {args.split} windows after {steps}; seed {args.seed}"
    sheet = window_sheet(dataset, indices, title, args.size, args.columns, args.seed)
    write_bytes_atomic(args.out, encode(sheet, args.out.suffix))
    print(f"sheet: {args.out}")


if __name__ == "__main__":
    run_main(main, "browse_dataset.py")
