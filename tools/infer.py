"""Count mitoses in fields and whole slides.

python tools/infer.py slides/*.svs --checkpoint work_dirs/maskrcnn_r101_tupac --out counts

Each slide gets a folder in --out with its detections, pictures and summary.json; summary.csv and
summary.json there list all. The same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from mmdet_mitosis.cli import encodable, printable, run_main
from mmdet_mitosis.evaluation.functional.clinical import HPF10_MM2
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic, write_json_atomic
from mmdet_mitosis.inference.cohort import Cohort, Options, with_file
from mmdet_mitosis.inference.detector import MitosisDetector
from mmdet_mitosis.inference.exports import FORMATS, write_table
from mmdet_mitosis.inference.hotspot import SHAPES, field_of_view_area, find_slide_hotspot
from mmdet_mitosis.inference.inputs import find_inputs
from mmdet_mitosis.inference.picture import draw_heat, draw_slide
from mmdet_mitosis.inference.records import SlideResult
from mmdet_mitosis.inference.slides import Slide
from mmdet_mitosis.inference.speed import Speed
from mmdet_mitosis.inference.summary import summarize_case, summarize_slide
from mmdet_mitosis.launchers import process_of_launcher
from mmdet_mitosis.texts import cell

PICTURES = {"overlay": "overlay.png", "heat": "heat.png"}
COLUMNS = (
    "slide",
    "case",
    "file_name",
    "n_mitoses",
    "tissue_mm2",
    "tissue_fraction",
    "mitoses_per_mm2",
    "mitotic_score",
    "mitotic_score_scaled",
    "mpp",
    "seconds",
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="infer.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("inputs", nargs="*", help="files, folders, or patterns as 'a/*.svs'")
    parser.add_argument("--list", type=Path, metavar="FILE", help="a text file with one a line")
    parser.add_argument(
        "--cases", type=Path, metavar="CSV", help="slide,case a line (default: a slide is a case)"
    )
    parser.add_argument(
        "--checkpoint", required=True, help="checkpoint, or a work folder with its best_*.pth"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for all that is written")
    parser.add_argument("--config", help="config (default: the one that the checkpoint carries)")
    parser.add_argument(
        "--threshold",
        type=float,
        help="lowest score that counts (default: the one that validation chose)",
    )
    parser.add_argument("--mpp", type=float, help="µm a pixel, of images that do not say it")
    everything = [*FORMATS, *PICTURES]
    parser.add_argument(
        "--formats",
        nargs="+",
        choices=everything,
        default=everything,
        metavar="NAME",
        help=f"what is written beside summary.json, of {', '.join(everything)} (default: all)",
    )
    hotspot = parser.add_mutually_exclusive_group()
    hotspot.add_argument(
        "--hotspot-mm2", type=float, default=HPF10_MM2, metavar="A", help="area (default: 2 mm²)"
    )
    hotspot.add_argument(
        "--field-diameter",
        type=float,
        metavar="MM",
        help="take ten fields of view of this diameter, mm, as the area instead",
    )
    parser.add_argument("--hotspot-shape", choices=SHAPES, default=SHAPES[0])
    parser.add_argument(
        "--all-tissue", action="store_true", help="look at the whole slide, glass too"
    )
    parser.add_argument(
        "--picture-side", type=int, default=2000, metavar="PX", help="longer side (default: 2000)"
    )
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="threads that read windows")
    parser.add_argument("--device", help="as cuda:0 or cpu (default: a GPU where there is one)")
    parser.add_argument(
        "--amp", action="store_true", help="mixed precision: float16 on a GPU, bfloat16 on the CPU"
    )
    parser.add_argument(
        "--channels-last", action="store_true", help="store the channels of a pixel side by side"
    )
    parser.add_argument(
        "--compile", action="store_true", help="compile backbone and neck first, by torch.compile"
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    args = parser.parse_args(argv)
    for name, least in (("batch_size", 1), ("workers", 0), ("picture_side", 16)):
        if getattr(args, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    if args.mpp is not None and not 0 < args.mpp < np.inf:
        parser.error(f"--mpp must be positive, got {args.mpp}")
    if not 0 < args.hotspot_mm2 < np.inf:
        parser.error(f"--hotspot-mm2 must be positive, got {args.hotspot_mm2}")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    rank, world_size, local_rank = process_of_launcher(args.launcher)
    check_writable(args.out)
    inputs = find_inputs(args.inputs, args.list, args.cases)
    if args.field_diameter is not None:
        args.hotspot_mm2 = field_of_view_area(args.field_diameter)
    device = args.device
    if device is None and torch.cuda.is_available():
        device = f"cuda:{local_rank % torch.cuda.device_count()}"
    detector = MitosisDetector(
        args.checkpoint,
        args.config,
        args.threshold,
        device,
        args.batch_size,
        args.workers,
        Speed(args.amp, args.channels_last, args.compile),
    )
    if detector.note:
        print(f"infer.py: note: {printable(detector.note)}", file=sys.stderr)
    written = (*sorted(args.formats), args.hotspot_mm2, args.hotspot_shape, args.picture_side)
    if args.amp:  # the other two change results by rounding alone
        written += (detector.record["precision"],)
    options = Options(args.mpp, args.all_tissue, written)

    def write(folder: Path, result: SlideResult, slide: Slide) -> dict[str, Any]:
        return write_slide(args, folder, result, slide)

    cohort = Cohort(detector, inputs, args.out, options, write)
    cohort.run(rank, world_size)
    with cohort.alone():
        return report(cohort, args.out, alone=world_size == 1)


def write_slide(
    args: argparse.Namespace, folder: Path, result: SlideResult, slide: Slide
) -> dict[str, Any]:
    """Write what is asked for of a slide; give its summary."""
    hotspot = find_slide_hotspot(result, args.hotspot_mm2, args.hotspot_shape)
    for name in FORMATS:
        if name in args.formats:
            FORMATS[name].write(folder / FORMATS[name].file_name, result, hotspot)
    if set(PICTURES) & set(args.formats):
        thumbnail = slide.thumbnail(args.picture_side)
        if "overlay" in args.formats:
            write_picture(folder / PICTURES["overlay"], draw_slide(thumbnail, result, hotspot))
        if "heat" in args.formats:
            write_picture(folder / PICTURES["heat"], draw_heat(thumbnail, result))
    return summarize_slide(result, hotspot)


def write_picture(path: Path, picture_rgb: np.ndarray) -> None:
    """Write a PNG."""
    png = cv2.imencode(".png", np.ascontiguousarray(picture_rgb[..., ::-1]))[1]
    write_bytes_atomic(path, png.tobytes())


def report(cohort: Cohort, out: Path, alone: bool) -> int:
    """Write and print what was found in all slides; give the exit status.

    Of several processes, the last one to end prints, and says by its status that slides failed:
    launchers end all processes when one says so.
    """
    summaries, failures = cohort.summaries(), cohort.failures()
    waiting = [given.name for given in cohort.unfinished()]
    rows = [[summary[name] for name in COLUMNS] for summary in summaries]
    write_table(out / "summary.csv", COLUMNS, rows)
    by_case: dict[str, list[dict]] = {}
    for summary in summaries:
        by_case.setdefault(summary["case"], []).append(summary)
    write_json_atomic(
        out / "summary.json",
        {
            "cases": [summarize_case(slides) for slides in by_case.values()],
            "slides": summaries,
            "failed": {encodable(name): encodable(why) for name, why in failures.items()},
            "unfinished": waiting,
        },
    )
    if waiting and not alone:
        print(f"{len(waiting)} slides are with other processes")
        return 0
    for summary in summaries:
        hotspot = summary["hotspot"]
        print(
            f"{summary['slide']}: {summary['n_mitoses']} mitoses in "
            f"{summary['tissue_mm2']:.2f} mm² of tissue; hotspot "
            f"{hotspot['n_mitoses']} in {hotspot['area_mm2']:.2f} mm²; "
            f"score {summary['mitotic_score']}, scaled to 2 mm² {summary['mitotic_score_scaled']}"
        )
    print(f"{len(summaries)} of {len(cohort.inputs)} slides are done: {out / 'summary.csv'}")
    for file_name, reason in failures.items():
        print(f"failed: {cell(with_file(file_name, reason))}")
    if waiting:
        print(f"another run is at {', '.join(waiting[:5])}")
    return 1 if failures else 0


if __name__ == "__main__":
    run_main(main, "infer.py")
