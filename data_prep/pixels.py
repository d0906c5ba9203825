"""The options of the command that write pixels: tiles, and copies for fast reading."""

from __future__ import annotations

import argparse
import math
import os

from data_prep.output import Staging
from data_prep.parallel import shares
from data_prep.product import Product
from data_prep.store import store_fields
from data_prep.tiled_part import FORMATS, TiledPart, TileOptions
from data_prep.tiles import FOLDER, FieldTiles, plan, write_tiles

MIN_MEMORY_GIB = 1.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options.

    Args:
        parser: Gets them.
    """
    parser.add_argument(
        "--write-tiles",
        action="store_true",
        help="write each window as a file below tiles/, with annotations/tiles_*.json, for tools "
        "that know no fields; training here needs none",
    )
    default = TileOptions()
    parser.add_argument(
        "--window",
        type=int,
        default=default.window_size,
        help="side of a tile, px (default: %(default)s)",
    )
    parser.add_argument(
        "--overlap",
        type=float,
        default=default.overlap,
        help="overlap of tiles, as a fraction (default: %(default)s)",
    )
    parser.add_argument(
        "--tile-format",
        choices=FORMATS,
        default=default.tile_format,
        help="files of tiles (default: %(default)s)",
    )
    parser.add_argument(
        "--store",
        action="store_true",
        help="write a copy of each field that is no TIFF of small tiles, from which training reads "
        "windows within ms: 2.3 bytes a pixel, in .fields/",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes that write pixels, at most; the files are the same for any number "
        "(default: one a processor)",
    )
    parser.add_argument(
        "--memory",
        type=float,
        default=2,
        metavar="GIB",
        help="so many of them write at once as fit into it, by the size of their fields, and at "
        "least one (default: %(default)s)",
    )


def tile_options(args: argparse.Namespace) -> TileOptions:
    """Take the options, before anything is read.

    Args:
        args: Of the command.

    Returns:
        How fields are cut up.

    Raises:
        ValueError: If one of them is out of its range.
    """
    if args.workers < 1:
        raise ValueError(f"--workers must be at least 1, got {args.workers}")
    if not MIN_MEMORY_GIB <= args.memory < math.inf:
        raise ValueError(f"--memory must be at least {MIN_MEMORY_GIB} GiB, got {args.memory}")
    options = TileOptions(args.window, args.overlap, args.tile_format)
    options.check()
    return options


def write(
    args: argparse.Namespace, product: Product, staging: Staging
) -> tuple[list[str], list[FieldTiles]]:
    """Write what pixels are asked for, and the json of the tiles beside that of the fields.

    Args:
        args: Of the command.
        product: What is prepared.
        staging: Gets the json.

    Returns:
        What is worth saying, and the tiles that there are now.

    Raises:
        OSError: If something cannot be written; a second run goes on from there.
        ValueError: If an image cannot be read.
    """
    images = product.whole["images"]
    memory = round(args.memory * 2**30)
    sizes = {image["file_name"]: (image["width"], image["height"]) for image in images}
    notes, tasks = [], []
    if args.write_tiles:
        paths = {image["file_name"]: product.image_path(image) for image in images}
        for part, coco in product.cocos():
            tiled = TiledPart(coco, part, tile_options(args))
            staging.add_pieces(f"tiles_{part}", tiled.info(), coco["categories"], tiled.pieces())
            notes.append(tiled.sentence())
            tasks += plan(tiled, args.out / FOLDER / part, paths, sizes)
        parts = shares([task.size for task in tasks], memory)
        write_tiles(tasks, args.out / FOLDER, args.workers, parts)
    if args.store:
        used = product.parts_of_images()
        paths = {i["file_name"]: product.image_path(i) for i in images if i["id"] in used}
        parts = shares([sizes[name] for name in paths], memory)
        notes.append(store_fields(args.out, paths, args.workers, parts))
    return notes, tasks
