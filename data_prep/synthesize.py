"""Make a synthetic archive in the layout of TUPAC16: python data_prep/synthesize.py --out DIR."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.synthetic.archive import (
    CASES,
    MIN_SIZE_PX,
    ArchiveArguments,
    claim,
    format_counts,
    paint_missing,
)
from mmdet_mitosis.cli import run_main


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="synthesize.py", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the archive")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    parser.add_argument(
        "--size", type=int, default=1000, help=f"side of a field, px, from {MIN_SIZE_PX}"
    )
    parser.add_argument("--fields-per-case", type=int, default=3, help="(default: 3)")
    parser.add_argument(
        "--cases",
        nargs="+",
        default=CASES,
        help="numbers of the cases, 01 to 23 Aperio, 24 to 73 Leica "
        "(default: 16 cases of the paper's split)",
    )
    parser.add_argument(
        "--look-alikes",
        action="store_true",
        help="label dark cells that are no mitoses, too: the layout of the alternative labels",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes; the archive is the same for any number (default: one a processor)",
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    arguments = ArchiveArguments(
        args.seed, args.size, args.fields_per_case, tuple(args.cases), args.look_alikes
    )
    arguments.check()
    claim(args.out, arguments)
    paint_missing(args.out, arguments, args.workers)
    print(f"written: {args.out}: {format_counts(args.out, arguments)}")


if __name__ == "__main__":
    run_main(main, "synthesize.py")
