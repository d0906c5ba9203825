"""Turn an archive of annotated fields into COCO json, or join what was prepared.

prepare.py SOURCE ROOT --out DIR
prepare.py merge FOLDER… --train-only FOLDER… --out DIR
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep import merge, pixels, stained, tiles
from data_prep.coco import subset, to_coco
from data_prep.output import Staging
from data_prep.preview import N_OBJECTS, contact_sheet
from data_prep.product import Product
from data_prep.records import Archive
from data_prep.sources import midog, mitos12, mitos14, table, tupac16
from data_prep.splits import CHOICES, assign, check_split
from data_prep.summary import counts, format_table, print_some, summarise, without_mitoses
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.locks import locked
from mmdet_mitosis.stain import StainNormalizer

READERS: dict[str, ModuleType] = {
    "tupac16": tupac16,
    "mitos12": mitos12,
    "mitos14": mitos14,
    "midog": midog,
    "table": table,
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="prepare.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for source, module in READERS.items():
        add_reader(commands.add_parser(source, help=module.HELP, description=module.HELP), module)
    joined = commands.add_parser(
        "merge",
        help="folders that prepare.py has written, joined split by split",
        description=merge.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    merge.add_arguments(joined)
    add_output(joined)
    return parser.parse_args(argv)


def add_reader(sub: argparse.ArgumentParser, module: ModuleType) -> None:
    """Add the options of a source, its own and those that all share."""
    sub.add_argument("root", type=Path, help="folder of the archive")
    add_output(sub)
    sub.add_argument(
        "--split", default=module.DEFAULT_SPLIT, help=f"{CHOICES} (default: %(default)s)"
    )
    sub.add_argument(
        "--shape",
        choices=["circle", "ellipse", "mixed", "contour"],
        default=module.DEFAULT_SHAPE,
        help="polygon of a mitosis (default: %(default)s)",
    )
    sub.add_argument(
        "--look-alikes", action="store_true", help="write look-alikes too, as a second category"
    )
    if module.OPTIONS:
        module.add_arguments(sub)


def add_output(sub: argparse.ArgumentParser) -> None:
    """Add the options of what is written."""
    sub.add_argument("--out", type=Path, required=True, help="folder to write to")
    sub.add_argument(
        "--seed", type=int, default=0, help="seed of shapes, folds and preview (default: 0)"
    )
    sub.add_argument(
        "--strict",
        action="store_true",
        help="what would be left out is an error, and so is an image or a case that is there twice",
    )
    sub.add_argument(
        "--preview",
        type=int,
        nargs="?",
        const=N_OBJECTS,
        metavar="N",
        help=f"write preview.png with N objects drawn at random ({N_OBJECTS} if N is not given)",
    )
    pixels.add_arguments(sub)
    stained.add_arguments(sub)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.preview is not None and args.preview < 1:
        raise ValueError(f"--preview must be at least 1, got {args.preview}")
    pixels.tile_options(args)
    normalizer = stained.check(args)
    if args.source == "merge":
        merge.check_folders(args.folders, args.train_only, args.out)
    else:
        if not args.root.is_dir():
            raise FileNotFoundError(f"no such folder: {args.root}")
        check_split(args.split)
    with locked(args.out, "prepare"):
        if args.source == "merge":
            product = merge.join(args.folders, args.train_only)
        else:
            product = prepare(args)
        publish(args, product, normalizer)


def prepare(args: argparse.Namespace) -> Product:
    """Read an archive and divide it."""
    module = READERS[args.source]
    options = {name: getattr(args, name) for name in module.OPTIONS}
    archive: Archive = module.read(args.root.resolve(), **options)
    check_mitoses(archive)
    n_look_alikes = sum(len(field.look_alikes) for field in archive.fields)
    notes = list(archive.notes)
    if args.look_alikes and not n_look_alikes:
        raise ValueError(f"no look-alike is labelled in {archive.root}: leave out --look-alikes")
    if n_look_alikes and not args.look_alikes:
        notes.append(f"{n_look_alikes} look-alikes are not written (--look-alikes writes them)")
    members, strays, missing = assign(archive, args.split, args.seed)
    whole = to_coco(archive, list(archive.fields), args.shape, args.seed, args.look_alikes)
    ids = {image["name"]: image["id"] for image in whole["images"]}
    return Product(
        whole=whole,
        parts={part: {ids[field.name] for field in fields} for part, fields in members.items()},
        head={**whole["info"], "split_name": Path(args.split).name},
        links={archive.source: archive.root},
        left_out=[*archive.left_out, *strays],
        notes=[*notes, *missing],
    )


def check_mitoses(archive: Archive) -> None:
    """Refuse an archive without a mitosis."""
    if any(field.mitoses for field in archive.fields):
        return
    message = f"no mitosis at all in {archive.root}: {len(archive.fields)} labelled fields read"
    if archive.left_out:
        message += f", {len(archive.left_out)} things left out, first: {archive.left_out[0]}"
    raise ValueError(message)


def publish(args: argparse.Namespace, product: Product, normalizer: StainNormalizer | None) -> None:
    """Write the json of all parts, the summary and the preview: all or nothing; say what is in."""
    repeated = product.repeated()
    faults = [*product.left_out, *repeated]
    if faults and args.strict:
        raise ValueError(f"{faults[0]} (--strict; {len(faults)} in all)")
    product, of_stains = stained.write(args, normalizer, product)
    found = {}
    with Staging(args.out, product.links) as staging:
        for part, coco in product.cocos():
            staging.add_coco(part, coco)
            found[part] = summarise(coco)
        written, tasks = pixels.write(args, product, staging)
        notes = [*product.notes, *without_mitoses(found), *of_stains, *written]
        remarks = {"left_out": product.left_out, "repeated": repeated, "notes": notes}
        staging.add_file("summary.json", {**product.head, "splits": found, **remarks})
        if args.preview is not None:
            staging.add_file("preview.png", contact_sheet(product, args.preview, args.seed))
        staging.commit()
    if normalizer is not None:
        stained.clear_others(args.out, normalizer, product)
    if args.write_tiles:
        tiles.clear_others(args.out / tiles.FOLDER, tasks)
    everything = counts(subset(product.whole, product.parts_of_images()))
    print(format_table(found, everything))
    print_some("left out", product.left_out)
    print_some("there more than once", repeated)
    print_some("notes", notes)
    names = ", ".join(f"{part}.json" for part in [*product.parts][:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    print(f"written: {names}{more} in {args.out / 'annotations'}")


if __name__ == "__main__":
    run_main(main, "prepare.py")
