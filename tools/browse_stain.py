"""Show what stain normalisation does: python tools/browse_stain.py IMAGE… --out sheet.png."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic
from mmdet_mitosis.sheets import FORMATS, encode
from mmdet_mitosis.stain import NORMALIZERS, StainNormalizer
from mmdet_mitosis.stain.sheet import stain_sheet
from mmdet_mitosis.stain.targets import set_target

SIZES = (32, 4096)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="browse_stain.py", description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="whole fields")
    parser.add_argument("--out", required=True, type=Path, help="sheet to write, .png or .jpg")
    parser.add_argument(
        "--target",
        type=Path,
        metavar="FILE",
        help="what is normalised to: an image, or a json of a fit or of a saved normaliser "
        "(default: the reference of each method)",
    )
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=list(NORMALIZERS),
        default=list(NORMALIZERS),
        help="methods to show (default: all)",
    )
    parser.add_argument(
        "--size", type=int, default=320, help="side of a picture, px (default: 320)"
    )
    args = parser.parse_args(argv)
    if args.out.suffix.lower() not in FORMATS:
        parser.error(f"--out must end in {', '.join(FORMATS)}, got {args.out}")
    if not SIZES[0] <= args.size <= SIZES[1]:
        parser.error(f"--size must be {SIZES[0]} to {SIZES[1]}, got {args.size}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    check_writable(args.out.parent)
    normalizers = [make(method, args.target) for method in dict.fromkeys(args.methods)]
    sheet = stain_sheet(args.images, normalizers, args.size)
    write_bytes_atomic(args.out, encode(sheet, args.out.suffix))
    print(f"sheet: {args.out}")


def make(method: str, target: Path | None) -> StainNormalizer:
    """Make the normaliser of a method, with its target."""
    normalizer = NORMALIZERS[method]()
    if target is not None:
        try:
            set_target(normalizer, target)
        except ValueError as error:
            raise ValueError(f"{error} (--methods names what it is a target for)") from error
    return normalizer


if __name__ == "__main__":
    run_main(main, "browse_stain.py")
