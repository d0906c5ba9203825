"""Plot loss and F-score of trainings: python tools/plot_log.py WORK_DIR… --out curves.png."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import printable_lines, run_main
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic
from mmdet_mitosis.report.run_curves import FORMATS, draw_curves, encode, read_runs


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="plot_log.py", description=__doc__)
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="WORK_DIR",
        help="work folders of trainings; the runs in each, such as resumed ones, are joined",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("curves.png"), help="picture (default: curves.png)"
    )
    parser.add_argument("--names", nargs="+", help="names in the legend (default: the folders)")
    args = parser.parse_args(argv)
    if args.out.suffix.lower() not in FORMATS:
        parser.error(f"--out must end in {', '.join(FORMATS)}, got {args.out}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    check_writable(args.out.parent)
    runs = read_runs(args.runs, args.names)
    write_bytes_atomic(args.out, encode(draw_curves(runs), args.out.suffix))
    for run in runs:
        print(printable_lines(str(run)))
    print(f"curves: {args.out}")


if __name__ == "__main__":
    run_main(main, "plot_log.py")
