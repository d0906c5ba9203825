"""How long it takes to get from fields to windows, beside sahi where it is there.

python benchmarks/prepare.py [MITOS12] [--sahi-python PYTHON]

On the 28 fields of MITOS12, or on as many synthetic ones: the json that training takes its windows
from, the copies that make reading them fast, and tiles on disk; ``sahi coco slice`` with the same
windows on the same fields; and single windows of a field of 5657 px. Times are medians without
imports; sahi runs once, and its imports are not counted either.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tifffile
from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep import prepare
from data_prep.synthetic.archive import ArchiveArguments, claim, paint_missing
from data_prep.synthetic.field import paint_field
from data_prep.tiles import encode
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.datasets import MitosisDataset, fields
from mmdet_mitosis.datasets.stored_fields import stored_path, write_stored

WINDOW, OVERLAP = 512, 0.6
N_CASES, FIELD_PX, LARGE_PX, PAINTED_PX = 28, 2084, 5657, 1000
N_WINDOWS = 200
Row = list[str]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="prepare.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("mitos12", type=Path, nargs="?", help="folder of the archive")
    parser.add_argument("--repeats", type=int, default=3, help="of each step (default: 3)")
    parser.add_argument(
        "--sahi-python", default=sys.executable, help="an interpreter that has sahi (default: this)"
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.repeats < 1:
        raise ValueError(f"--repeats must be at least 1, got {args.repeats}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if args.mitos12 is not None:
            words = ("mitos12", args.mitos12)
        else:
            words = ("tupac16", paint_archive(work / "archive"))
        rows = [["what", "time", "bytes written", "sahi takes"]]
        rows += preparing(words, work, args.repeats, args.sahi_python)
        print(AsciiTable(rows).table)
        rows = [["512 px of 5657 x 5657", "from memory", "from disk", "file", "made in"]]
        rows += reading(work)
        print(AsciiTable(rows).table)
    print(f"{os.cpu_count()} processors")


def preparing(words: Sequence, work: Path, repeats: int, sahi_python: str) -> list[Row]:
    """Time each way from the archive to windows."""
    out = work / "out"

    def run(*more: str) -> None:
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            prepare.main([str(w) for w in (*words, "--out", out, "--split", "none", *more)])

    def windows(*more: str) -> None:
        run(*more)
        data = MitosisDataset(
            ann_file=str(out / "annotations" / "all.json"),
            window_size=WINDOW,
            overlap=OVERLAP,
            test_mode=True,
            lazy_init=False,
        )
        found.append(len(data))

    found: list[int] = []
    steps = {
        "json of the fields": lambda: run(),
        "the same, and its windows listed": lambda: windows(),
        "the same, with copies for fast reading": lambda: windows("--store"),
        "tiles (png) with their json": lambda: run("--write-tiles"),
        "tiles (jpg) with their json": lambda: run("--write-tiles", "--tile-format", "jpg"),
    }
    measured = {name: timed(step, out, repeats) for name, step in steps.items()}
    run()
    sahi = sahi_times(sahi_python, out, work / "sliced")
    rows = []
    for name, (seconds, size) in measured.items():
        ratio = f"{sahi[0] / seconds:.1f} times as long" if sahi else ""
        rows.append([name, f"{seconds:.2f} s", f"{size / 1e6:.1f} MB", ratio])
    if sahi:
        rows.append(["sahi coco slice", f"{sahi[0]:.2f} s", f"{sahi[1] / 1e6:.1f} MB", ""])
    else:
        rows.append([f"sahi coco slice: {sahi_python} has no sahi", "", "", ""])
    print(f"{found[0]} windows of {WINDOW} px at {OVERLAP:.0%} overlap")
    return rows


def timed(step: Callable[[], None], out: Path, repeats: int) -> tuple[float, int]:
    """Run a step into a new folder each time; give the median time (s) and the bytes in it."""
    seconds = []
    for _ in range(repeats):
        shutil.rmtree(out, ignore_errors=True)
        os.sync()
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), folder_bytes(out)


def folder_bytes(folder: Path) -> int:
    """Add up the files of a folder; links are not followed."""
    paths = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths)


def sahi_times(python: str, out: Path, sliced: Path) -> tuple[float, int] | None:
    """Time sahi's command on the json of the fields; None where it is not installed."""
    try:
        subprocess.run([python, "-c", "import sahi"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    program = (
        "import time; from sahi.slicing import slice_coco; start = time.perf_counter(); "
        f"slice_coco({str(out / 'annotations' / 'all.json')!r}, {str(out / 'images')!r}, 'all', "
        f"output_dir={str(sliced)!r}, slice_height={WINDOW}, slice_width={WINDOW}, "
        f"overlap_height_ratio={OVERLAP}, overlap_width_ratio={OVERLAP}); "
        "print('seconds', time.perf_counter() - start)"
    )
    done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    if done.returncode:
        raise OSError(f"sahi failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout.split("seconds")[-1]), folder_bytes(sliced)


def reading(work: Path) -> list[Row]:
    """Time windows of a large field, from each kind of file."""
    tile = paint_field(0, 24, 1, PAINTED_PX).image_rgb
    repeats = -(-LARGE_PX // PAINTED_PX)
    field = np.tile(tile, (repeats, repeats, 1))[:LARGE_PX, :LARGE_PX]
    (work / "images").mkdir()
    layouts = {
        "tiled TIFF, JPEG": {"tile": (256, 256), "compression": "jpeg"},
        "tiled TIFF, LZW": {"tile": (256, 256), "compression": "lzw"},
        "TIFF in plain strips": {"rowsperstrip": 8},
        "TIFF in LZW strips": {"rowsperstrip": 8, "compression": "lzw"},
    }
    rows = []
    for name, kwargs in layouts.items():
        path = work / "images" / "field.tif"
        start = time.perf_counter()
        tifffile.imwrite(path, field, photometric="rgb", **kwargs)
        rows.append(_row(name, path, path, time.perf_counter() - start))
    png = work / "images" / "field.png"
    write_png(png, field)
    stored = stored_path(png)
    start = time.perf_counter()
    write_stored(png, stored, fields.decode_field(png))
    rows.append(_row("PNG, from its copy", png, stored, time.perf_counter() - start))
    stored.unlink()
    fields._layouts.clear()
    start = time.perf_counter()
    fields.decode_field(png)
    whole = 1000 * (time.perf_counter() - start)
    size = f"{png.stat().st_size / 1e6:.0f} MB"
    rows.append(["PNG, whole (once a field)", f"{whole:.0f} ms", "", size, ""])
    return rows


def write_png(path: Path, image_rgb: np.ndarray) -> None:
    """Write a PNG."""
    path.write_bytes(encode(np.ascontiguousarray(image_rgb), ".png"))


def _row(name: str, path: Path, file: Path, seconds: float) -> Row:
    """Time the windows of one file, from memory and from disk."""
    times = [f"{1000 * window_seconds(path, file, cold):.1f} ms" for cold in (False, True)]
    return [name, *times, f"{file.stat().st_size / 1e6:.0f} MB", f"{seconds:.1f} s"]


def window_seconds(path: Path, file: Path, cold: bool) -> float:
    """Give the median time of reading a window, each after its file has left memory or not."""
    fields._layouts.clear()
    fields.read_window(path, (0, 0, WINDOW, WINDOW))
    seconds = []
    for x, y in corners():
        if cold:
            forget(file)
        start = time.perf_counter()
        fields.read_window(path, (x, y, x + WINDOW, y + WINDOW))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def corners() -> Iterator[tuple[int, int]]:
    """Draw windows."""
    rng = np.random.default_rng(0)
    yield from rng.integers(0, LARGE_PX - WINDOW, (N_WINDOWS, 2)).tolist()


def forget(file: Path) -> None:
    """Drop a file from the system's memory."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def paint_archive(root: Path) -> Path:
    """Paint as many fields as MITOS12 has, of its size, in TUPAC16's layout."""
    cases = tuple(f"{case:02d}" for case in range(1, N_CASES + 1))
    arguments = ArchiveArguments(0, FIELD_PX, 1, cases)
    claim(root, arguments)
    paint_missing(root, arguments, os.cpu_count() or 1)
    return root


if __name__ == "__main__":
    run_main(main, "prepare.py")
