"""Turn an archive of annotated fields into COCO json: prepare.py SOURCE ROOT --out DIR."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.coco import to_coco
from data_prep.records import Archive, Field
from data_prep.sources import mitos12, tupac16
from data_prep.splits import SPLITS, divide, load_split
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.fileio import check_writable, write_json_files

READERS: dict[str, Callable[[Path], Archive]] = {"tupac16": tupac16.read, "mitos12": mitos12.read}
DEFAULTS = {
    "tupac16": {"split": "paper", "shape": "mixed"},
    "mitos12": {"split": "mitos12", "shape": "contour"},
}
MAX_NAMED = 10


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
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
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if not args.root.is_dir():
        raise FileNotFoundError(f"no such folder: {args.root}")
    split = load_split(args.split)
    check_writable(args.out)
    archive = READERS[args.source](args.root.resolve())
    check_mitoses(archive)
    parts, strays, missing = divide(archive.fields, split)
    left_out = [*archive.left_out, *strays]
    if left_out and args.strict:
        raise ValueError(f"{left_out[0]} (--strict; {len(left_out)} in all)")
    notes = [*archive.notes, *missing, *empty_parts(parts)]
    write(args, archive, parts, {"left_out": left_out, "notes": notes})
    print(format_table(parts))
    print_some("left out", left_out)
    print_some("notes", notes)
    print(f"written: {args.out / 'annotations'}/{{{','.join(SPLITS)}}}.json")


def check_mitoses(archive: Archive) -> None:
    """Refuse an archive without a mitosis."""
    if any(field.mitoses for field in archive.fields):
        return
    message = f"no mitosis at all in {archive.root}: {len(archive.fields)} labelled fields read"
    if archive.left_out:
        message += f", {len(archive.left_out)} things left out, first: {archive.left_out[0]}"
    raise ValueError(message)


def empty_parts(parts: dict[str, list[Field]]) -> list[str]:
    """Say which splits hold no mitosis."""
    return [
        f"{part} has no mitosis, so nothing can be measured on it"
        for part, fields in parts.items()
        if not any(field.mitoses for field in fields)
    ]


def write(
    args: argparse.Namespace,
    archive: Archive,
    parts: dict[str, list[Field]],
    remarks: dict[str, list[str]],
) -> None:
    """Write the json of all splits and the summary, and link the images: all or nothing."""
    files = {}
    for part in SPLITS:
        coco = to_coco(archive, parts[part], args.shape, args.seed)
        coco["info"].update(split=part, split_name=Path(args.split).name)
        files[args.out / "annotations" / f"{part}.json"] = coco
    files[args.out / "summary.json"] = {
        "source": archive.source,
        "shape": args.shape,
        "seed": args.seed,
        "split_name": Path(args.split).name,
        "splits": {part: summary(fields) for part, fields in parts.items()},
        **remarks,
    }
    link = args.out / "images" / archive.source
    if link.exists() and not link.is_symlink():
        raise ValueError(f"{link} is in the way: a link to {archive.root} belongs there")
    write_json_files(files, links={link: archive.root})


def counts(fields: list[Field]) -> dict[str, int | float]:
    """Count cases, fields and mitoses, and measure the area in mm²."""
    return {
        "cases": len({field.case for field in fields}),
        "fields": len(fields),
        "mitoses": sum(len(field.mitoses) for field in fields),
        "mm2": round(sum(f.width * f.height * f.mpp**2 for f in fields) / 1e6, 3),
    }


def by_scanner(fields: list[Field]) -> dict[str, dict[str, int | float]]:
    """Count for each scanner."""
    return {
        scanner: counts([field for field in fields if field.scanner == scanner])
        for scanner in sorted({field.scanner for field in fields})
    }


def summary(fields: list[Field]) -> dict:
    """Count for the whole split, for each scanner, and name the cases."""
    names = sorted({field.case for field in fields})
    return {**counts(fields), "case_names": names, "scanners": by_scanner(fields)}


def format_table(parts: dict[str, list[Field]]) -> str:
    """Lay out the counts by split and scanner."""
    rows = [["split", "scanner", "cases", "fields", "mitoses", "mm²"]]
    for part, fields in parts.items():
        for scanner, found in by_scanner(fields).items():
            rows.append([part, scanner, *map(str, found.values())])
    everything = counts([field for fields in parts.values() for field in fields])
    rows.append(["all", "", *map(str, everything.values())])
    return AsciiTable(rows).table


def print_some(title: str, sentences: list[str]) -> None:
    """Print how many sentences there are, and the first ones."""
    if not sentences:
        return
    print(f"{title}: {len(sentences)}")
    for sentence in sentences[:MAX_NAMED]:
        print(f"  {sentence}")
    if len(sentences) > MAX_NAMED:
        print(f"  … and {len(sentences) - MAX_NAMED} more, all in summary.json")


if __name__ == "__main__":
    run_main(main, "prepare.py")
