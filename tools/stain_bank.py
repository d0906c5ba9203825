"""Collect the stains of scanners: python tools/stain_bank.py IMAGE_OR_FOLDER… --out bank.json.

StainAugment(mode="bank", bank="bank.json") draws from them. An image is a whole field; a folder is
one that data_prep/prepare.py has written with --stain-fits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from mmdet_mitosis.cli import printable, run_main
from mmdet_mitosis.fileio import check_writable
from mmdet_mitosis.stain import NORMALIZERS
from mmdet_mitosis.stain.bank import StainBank
from mmdet_mitosis.stain.separator import StainSeparator

METHODS = [name for name, kind in NORMALIZERS.items() if issubclass(kind, StainSeparator)]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="stain_bank.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER")
    parser.add_argument("--out", required=True, type=Path, help="bank to write, .json")
    parser.add_argument(
        "--method", choices=METHODS, default="macenko", help="how stains are estimated"
    )
    args = parser.parse_args(argv)
    if args.out.suffix.lower() != ".json":
        parser.error(f"--out must end in .json, got {args.out}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    check_writable(args.out.parent)
    normalizer = NORMALIZERS[args.method]()
    banks = [
        StainBank.of_prepared(source, normalizer)
        if source.is_dir()
        else StainBank.of_images([source], normalizer)
        for source in dict.fromkeys(args.sources)
    ]
    bank = StainBank(
        *(
            tuple(chain.from_iterable(getattr(one, part) for one in banks))
            for part in ("fits", "names", "weights")
        )
    )
    bank.save(args.out)
    names = printable(", ".join(bank.names[:5]))
    print(f"{len(bank)} stains of {names}{' …' * (len(bank) > 5)}")
    print(f"bank: {args.out}")


if __name__ == "__main__":
    run_main(main, "stain_bank.py")
