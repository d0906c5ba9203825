"""What tools/infer.py takes of memory on a slide of 100 000 x 100 000 px.

python benchmarks/slide_memory.py CHECKPOINT [--side PX] [--work FOLDER]

Two slides are made, tiled JPEG pyramids of glass with a disc of painted tissue, written tile by
tile. Each row is one run of a command with all its processes, imports included:

- tools/infer.py on a slide with little tissue, as a user runs it;
- tools/infer.py --all-tissue on a slide with more: every window of the slide is planned, read,
  normalised, and packed for the network, and its part of the results kept for a run that goes on;
  then all output is written. The network alone is left out, for it would take hours: in its place
  detections are made up, each with an outline, 100 000 on the slide.

Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from terminaltables import AsciiTable

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.process_memory import MIB, Measured, measure
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.evaluation.windows import WindowDetections
from mmdet_mitosis.geometry.windows import halo_px
from mmdet_mitosis.inference.slides import open_slide
from mmdet_mitosis.inference.tiling import Tiles, plan_tiles
from mmdet_mitosis.inference.tissue import slide_tissue

ROOT = Path(__file__).resolve().parents[1]
INFER = ROOT / "tools" / "infer.py"
MPP, WINDOW = 0.25, 512
LIMIT_BYTES = 3 * 2**30
LOOK_S = 0.25
RADIUS_PX, CORNERS = 12.0, 40
"""Of an outline that is made up."""
IMPORT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
MADE_UP = (
    IMPORT + "import runpy; from benchmarks.slide_memory import make_up; make_up({count}); "
    f"sys.argv[0] = {str(INFER)!r}; runpy.run_path({str(INFER)!r}, run_name='__main__')"
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="slide_memory.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint, or a work folder with its best")
    parser.add_argument("--side", type=int, default=100_000, help="of the slides, px")
    parser.add_argument(
        "--tissue",
        type=float,
        nargs=2,
        default=(0.01, 0.25),
        metavar="SHARE",
        help="of the two slides (default: 0.01 0.25)",
    )
    parser.add_argument("--detections", type=int, default=100_000, help="that are made up")
    parser.add_argument("--threshold", type=float, help="(default: the checkpoint's)")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--work", type=Path, help="folder to work in (default: the system's)")
    args = parser.parse_args(argv)
    if args.side < WINDOW or not all(0 < share <= 0.7 for share in args.tissue):
        parser.error(f"--side must be at least {WINDOW}, and --tissue over 0 and at most 0.7")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    rows = [["what", "windows", "time", "processors", "peak memory"]]
    largest = 0
    with tempfile.TemporaryDirectory(dir=args.work) as folder:
        work = Path(folder)
        for what, n_windows, found in measured(args, work):
            largest = max(largest, found.peak_bytes)
            times = (f"{found.seconds:.0f} s", f"{found.processor_seconds:.0f} s")
            memory = f"{found.peak_bytes / MIB:.0f} MiB"
            rows.append([what, str(n_windows or ""), *times, memory])
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print(AsciiTable(rows).table)
    verdict = "under" if largest < LIMIT_BYTES else "over"
    print(f"largest peak {largest / MIB:.0f} MiB, {verdict} 3 GiB; {os.cpu_count()} processors")


def measured(args: argparse.Namespace, work: Path) -> list[tuple[str, int, Measured]]:
    """Measure row after row."""
    command = ["--checkpoint", args.checkpoint, "--batch-size", args.batch_size]
    if args.threshold is not None:
        command += ["--threshold", args.threshold]
    yield "imports alone", 0, watch("-c", IMPORT + "import mmdet_mitosis.inference.detector")
    for share, made_up in zip(args.tissue, (False, True), strict=True):
        slide = work / "slide.tif"
        program = f"{IMPORT}from benchmarks.painted_slide import write_slide; "
        program += f"write_slide({str(slide)!r}, {args.side}, {share})"
        found = watch("-c", program)
        size = f"{slide.stat().st_size / 1e6:.0f} MB"
        yield f"writing a slide of {size}, {share:.0%} tissue", 0, found
        n_windows = len(plan(slide, all_tissue=made_up))
        words = [slide, *command, "--out", work / "out"]
        if made_up:
            program = MADE_UP.format(count=args.detections / n_windows)
            found = watch("-c", program, *words, "--all-tissue")
            what = f"infer.py --all-tissue, {args.detections} made-up detections for the network's"
        else:
            found, what = watch(INFER, *words), "infer.py"
        yield what, n_windows, found
        shutil.rmtree(work / "out")


def watch(*words: object) -> Measured:
    """Run Python and watch its memory."""
    return measure([sys.executable, *words], LOOK_S)


def plan(path: Path, all_tissue: bool) -> Tiles:
    """Lay the windows as infer.py does."""
    with open_slide(path) as slide:
        tissue = None if all_tissue else slide_tissue(slide)
        return plan_tiles(*slide.size_at(MPP), WINDOW, halo_px(WINDOW, MPP), tissue)


def make_up(per_window: float) -> None:
    """Put made-up detections in the place of the network's.

    Args:
        per_window: Mean number in a window.
    """
    from mmdet_mitosis.inference.detector import MitosisDetector

    def detect(self: MitosisDetector, prepared: list, windows_xyxy: list) -> list:
        return [made_up(window, per_window) for window in windows_xyxy]

    MitosisDetector.detect = detect


def made_up(window_xyxy: Sequence[int], mean: float) -> WindowDetections:
    """Make detections up, the same for the same window."""
    x1, y1, x2, y2 = window_xyxy
    rng = np.random.default_rng((x1, y1))
    count = rng.poisson(mean)
    centers = rng.uniform((x1, y1), (x2, y2), (count, 2))
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    outline = RADIUS_PX * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return WindowDetections(
        image_id=0,
        window_xyxy=tuple(window_xyxy),
        centers_xy=centers,
        bboxes_xyxy=np.concatenate([centers - RADIUS_PX, centers + RADIUS_PX], axis=1),
        scores=rng.uniform(0, 1, count),
        polygons=[[(center + outline).ravel().astype(np.float32)] for center in centers],
    )


if __name__ == "__main__":
    run_main(main, "slide_memory.py")
