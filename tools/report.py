"""Write the report of a test as one HTML page: python tools/report.py WORK_DIR."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.fileio import check_writable
from mmdet_mitosis.report import write_report


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="report.py", description=__doc__)
    parser.add_argument("work_dir", type=Path, help="work folder of tools/test.py")
    parser.add_argument(
        "--split", choices=["val", "test"], default="test", help="split (default: test)"
    )
    parser.add_argument(
        "--out", type=Path, help="page to write (default: WORK_DIR/<split>_report.html)"
    )
    parser.add_argument(
        "--ann-file", type=Path, help="where the annotation file is, if it was moved after the test"
    )
    parser.add_argument(
        "--image-root", type=Path, help="where the images are, if they were moved after the test"
    )
    args = parser.parse_args(argv)
    if args.out and args.out.suffix.lower() not in (".html", ".htm"):
        parser.error(f"--out must end in .html, got {args.out}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if not args.work_dir.is_dir():
        raise FileNotFoundError(f"no such folder: {args.work_dir}")
    check_writable(args.out.parent if args.out else args.work_dir)
    path = write_report(args.work_dir, args.split, args.out, args.ann_file, args.image_root)
    print(f"report: {path}")


if __name__ == "__main__":
    run_main(main, "report.py")
