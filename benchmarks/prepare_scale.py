"""What prepare.py takes on an archive of TUPAC16's size: time, memory, bytes; and how they grow.

python benchmarks/prepare_scale.py [--quick] [--labels-root FOLDER] [--original-root FOLDER]

Each row is one run of the command, imports included: its time, the time of the processors that it
took, and the memory of all its processes together. White images of the right sizes stand in for all
656; tiles and copies for fast reading are measured on large fields that are painted, as many as fit
the disk. Json of tiles without their pixels is the command with the step left out that writes the
pixels. Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.process_memory import MIB, Measured, measure
from benchmarks.tupac16_sized import N_IMAGES, make_archive, make_large_fields
from mmdet_mitosis.cli import run_main

ROOT = Path(__file__).resolve().parents[1]
LIMIT_BYTES = 2 * 2**30
BYTES_PER_LARGE_FIELD = 450e6
"""On disk: the field, and its tiles as PNG."""

ALTERNATIVE = ("--labels", "alternative", "--look-alikes")
IMPORT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from data_prep import pixels, prepare"
WITHOUT_PIXELS = "pixels.write_tiles = lambda *_: None; prepare.main(sys.argv[1:])"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="prepare_scale.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--images", type=int, nargs="*", default=[164, 328, 656, 1312], help="of the json rows"
    )
    parser.add_argument(
        "--fields", type=int, nargs="*", default=[5, 10, 20], help="large, of the rows with pixels"
    )
    parser.add_argument(
        "--quick", action="store_true", help="164 and 656 images, 2 and 4 fields, and no folds"
    )
    parser.add_argument("--labels-root", type=Path, help="folder of TUPAC16's alternative labels")
    parser.add_argument("--original-root", type=Path, help="folder of TUPAC16's original labels")
    parser.add_argument("--work", type=Path, help="folder to work in (default: the system's)")
    args = parser.parse_args()
    if args.quick:
        args.images, args.fields = [164, 656], [2, 4]
    return args


def main() -> None:
    args = parse_args()
    for n_images in (*args.images, *args.fields):
        if n_images < 1:
            raise ValueError(f"the number of images must be at least 1, got {n_images}")
    if max(args.fields, default=0) > 50:
        raise ValueError(f"there are 50 large fields at most, got {max(args.fields)}")
    rows, largest = [["what", "images", "time", "processors", "peak memory", "written"]], 0
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        work = Path(folder)
        check_disk(work, max(args.fields, default=0))
        for what, n_images, found, n_bytes in measured(args, work):
            largest = max(largest, found.peak_bytes)
            memory = f"{found.peak_bytes / MIB:.0f} MiB"
            times = (f"{found.seconds:.1f} s", f"{found.processor_seconds:.1f} s")
            row = [what, str(n_images or ""), *times, memory, size(n_bytes)]
            print(" | ".join(row), file=sys.stderr, flush=True)
            rows.append(row)
    print(AsciiTable(rows).table)
    verdict = "under" if largest < LIMIT_BYTES else "over"
    print(f"largest peak {largest / MIB:.0f} MiB, {verdict} 2 GiB; {os.cpu_count()} processors")


def check_disk(work: Path, n_fields: int) -> None:
    """Refuse before the work what will not fit."""
    needed, free = n_fields * BYTES_PER_LARGE_FIELD, shutil.disk_usage(work).free
    if needed > free:
        raise OSError(
            f"{n_fields} large fields with their tiles take {needed / 1e9:.0f} GB, "
            f"{work} has {free / 1e9:.0f} GB: take fewer --fields, or another --work"
        )


Row = tuple[str, int, Measured, int]


def measured(args: argparse.Namespace, work: Path) -> Iterator[Row]:
    """Measure row after row."""
    yield "imports alone", 0, measure([sys.executable, "-c", IMPORT]), 0
    yield from json_rows(args, work)
    yield from tile_json_rows(work)
    yield from pixel_rows(args.fields, work)


def json_rows(args: argparse.Namespace, work: Path) -> Iterator[Row]:
    """Measure what writes no pixels: all numbers of images, then all ways for 656."""
    for n_images in args.images:
        root = make_archive(work / "archive", n_images)
        yield run("json, --look-alikes", n_images, work, *ALTERNATIVE)
        shutil.rmtree(root)
    root = make_archive(work / "archive", N_IMAGES)
    labels = ("--labels-root", root / "original")
    yield run("json, original labels", N_IMAGES, work, *labels)
    if args.original_root is not None:
        labels = ("--labels-root", args.original_root)
        yield run("json, the real original labels", N_IMAGES, work, *labels)
    if args.labels_root is not None:
        labels = (*ALTERNATIVE, "--labels-root", args.labels_root)
        yield run("json, --look-alikes, the real labels", N_IMAGES, work, *labels)
    for split in () if args.quick else ("kfold:5", "loco"):
        words = (*ALTERNATIVE, "--split", split)
        yield run(f"json, --look-alikes --split {split}", N_IMAGES, work, *words)
    yield run("json, --look-alikes --preview", N_IMAGES, work, *ALTERNATIVE, "--preview")
    yield run("json, --look-alikes --store (white)", N_IMAGES, work, *ALTERNATIVE, "--store")


def tile_json_rows(work: Path) -> Iterator[Row]:
    """Measure json of tiles without their pixels."""
    for n_images, all_large in ((N_IMAGES, False), (2 * N_IMAGES, False), (N_IMAGES, True)):
        shutil.rmtree(work / "archive", ignore_errors=True)
        make_archive(work / "archive", n_images, all_large=all_large)
        words = (*ALTERNATIVE, "--write-tiles")
        large = " (all of 5657 px)" if all_large else ""
        program = f"{IMPORT}; {WITHOUT_PIXELS}"
        what = f"json of tiles, --look-alikes{large}"
        yield run(what, n_images, work, *words, program=program)
    shutil.rmtree(work / "archive")


def pixel_rows(n_fields: Sequence[int], work: Path) -> Iterator[Row]:
    """Measure tiles and copies of large fields."""
    for number in n_fields:
        root = make_large_fields(work / "archive", number)
        words = (*ALTERNATIVE, "--split", "none")
        for more in (("--write-tiles",), ("--store",)):
            yield run(f"{more[0]}, 5657 px", number, work, *words, *more)
        if number == min(n_fields):
            more = ("--write-tiles", "--tile-format", "jpg", "--workers", 8)
            yield run("--write-tiles, jpg, --workers 8, 5657 px", number, work, *words, *more)
        shutil.rmtree(root)


def run(what: str, n_images: int, work: Path, *words: object, program: str = "") -> Row:
    """Run the command into a new folder, and remove it."""
    out = work / "out"
    command = ["-c", program] if program else [ROOT / "data_prep" / "prepare.py"]
    found = measure([sys.executable, *command, "tupac16", work / "archive", "--out", out, *words])
    n_bytes = sum(
        Path(parent, name).lstat().st_size for parent, _, names in os.walk(out) for name in names
    )
    shutil.rmtree(out)
    return what, n_images, found, n_bytes


def size(n_bytes: int) -> str:
    """Write a number of bytes."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"


if __name__ == "__main__":
    run_main(main, "prepare_scale.py")
