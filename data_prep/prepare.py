"""Turn an archive of annotated fields into COCO json: python data_prep/prepare.py SOURCE ROOT --out DIR."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.coco import to_coco
from data_prep.records import Archive, Field
from data_prep.sources import mitos12, tupac16
from data_prep.splits import SPLITS, divide, load_split
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.fileio import write_json_files

READERS: dict[str, Callable[[Path], Archive]] = {"tupac16": tupac16.read, "mitos12": mitos12.read}
DEFAULTS = {
    "tupac16": {"split": "paper", "shape": "mixed"},
    "mitos12": {"split": "mitos12", "shape": "contour"},
}
MAX_NAMED = 10


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="prepare.py", description=__doc__)
    sources = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for source in READERS:
        default = DEFAULTS[source]
        sub = sources.add_parser(source, help=f"the archive of {source}")
        sub.add_argument("root", type=Path, help="folder of the archive")
        sub.add_argument("--out", type=Path, required=True, help="folder to write to")
        sub.add_argument(
            "--split",
            default=default["split"],
            help="paper, mitos12, or a json file of cases (default: %(default)s)",
        )
        sub.add_argument(
            "--shape",
            choices=["circle", "ellipse", "mixed", "contour"],
            default=default["shape"],
            help="polygon of a mitosis (default: %(default)s)",
        )
        sub.add_argument("--seed", type=int, default=0, help="seed of the synthetic shapes")
        sub.add_argument(
            "--strict", action="store_true", help="anything that would be left out is an error"
        )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.root.is_dir():
        raise FileNotFoundError(f"no such folder: {args.root}")
    split = load_split(args.split)
    archive = READERS[args.source](args.root.resolve())
    if not any(field.mitoses for field in archive.fields):
        raise ValueError(f"no mitosis at all in {args.root}: {len(archive.fields)} fields read")
    parts, strays = divide(archive.fields, split)
    left_out = [*archive.left_out, *strays]
    if left_out and args.strict:
        raise ValueError(f"{left_out[0]} (--strict; {len(left_out)} in all)")
    write(args.out, archive, parts, left_out, args)
    print(format_table(parts))
    print_left_out(left_out)
    print(f"written: {args.out / 'annotations'}/{{{','.join(SPLITS)}}}.json")


def write(
    out: Path,
    archive: Archive,
    parts: dict[str, list[Field]],
    left_out: list[str],
    args: argparse.Namespace,
) -> None:
    """Write the json of all splits, and link the images."""
    files = {}
    for part in SPLITS:
        coco = to_coco(archive, parts[part], args.shape, args.seed)
        coco["info"].update(split=part, split_name=Path(args.split).name)
        files[out / "annotations" / f"{part}.json"] = coco
    files[out / "summary.json"] = {
        "source": archive.source,
        "shape": args.shape,
        "seed": args.seed,
        "splits": {part: counts(fields) for part, fields in parts.items()},
        "left_out": left_out,
    }
    link_images(out / "images" / archive.source, archive.root)
    write_json_files(files)


def link_images(link: Path, root: Path) -> None:
    """Make the archive's images reachable below the output, without a copy."""
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        raise ValueError(f"{link} is in the way: a link to {root} belongs there")
    link.symlink_to(root, target_is_directory=True)


def counts(fields: list[Field]) -> dict[str, int | float]:
    """Count cases, fields and mitoses, and measure the area in mm²."""
    return {
        "cases": len({field.case for field in fields}),
        "fields": len(fields),
        "mitoses": sum(len(field.mitoses) for field in fields),
        "mm2": round(sum(f.width * f.height * f.mpp**2 for f in fields) / 1e6, 3),
    }


def format_table(parts: dict[str, list[Field]]) -> str:
    """Lay out the counts by split and scanner."""
    rows = [["split", "scanner", "cases", "fields", "mitoses", "mm²"]]
    for part, fields in parts.items():
        for scanner in sorted({field.scanner for field in fields}):
            found = counts([field for field in fields if field.scanner == scanner])
            rows.append([part, scanner, *map(str, found.values())])
    return AsciiTable(rows).table


def print_left_out(left_out: list[str]) -> None:
    """Say what is not in the json, and how much."""
    if not left_out:
        return
    print(f"left out: {len(left_out)}")
    for sentence in left_out[:MAX_NAMED]:
        print(f"  {sentence}")
    if len(left_out) > MAX_NAMED:
        print("  … all in summary.json")


if __name__ == "__main__":
    run_main(main, "prepare.py")
