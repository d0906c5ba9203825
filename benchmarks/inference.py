"""How long it takes to find the mitoses of fields, beside MMDetection's and SAHI's ways.

python benchmarks/inference.py CHECKPOINT ANN_FILE IMAGES [--options]

One network with one set of weights looks at the fields of ANN_FILE (which data_prep/prepare.py
wrote; IMAGES is the folder of their files) in windows of its size, 512 px. This project lays them
with a halo; SAHI's slices overlap by 25 %, as is usual. Every way reads the files and estimates the
stains once a field. The bare network has the windows of the first way in memory.

Each repeat goes through all fields with each way in turn, so that what else the machine does meets
all alike; times are medians of the repeats. Processor time is that of all cores together; it tells
a slow way from a busy machine. Mitoses count as found, and detections as false, at the threshold
that the checkpoint stores; AP is over all thresholds; a duplicate is a further detection within
6.25 µm of the same mitosis. --options adds rows for mixed precision, channels last and
torch.compile.

MMDetection's and SAHI's ways need sahi in this environment (pip install --no-deps sahi); without
it their rows are left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from terminaltables import AsciiTable
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import large_image_ways as ways
from benchmarks.large_image_ways import Look, Weights
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.checkpoints import find_checkpoint
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.scoring import (
    MERGE_RADIUS_UM,
    score_fields,
    split_curve,
    total,
)
from mmdet_mitosis.evaluation.truth import FieldTruth, load_fields
from mmdet_mitosis.inference.detector import MitosisDetector
from mmdet_mitosis.inference.slide_run import SAME_MPP
from mmdet_mitosis.inference.speed import Speed

OWN, BARE = "this project", "the bare network, same windows"
OTHERS = {
    "MMDetection: slices, NMS": ways.slices_and_nms,
    "SAHI: get_sliced_prediction": ways.sliced_prediction,
}
OPTIONS = {
    "--amp": Speed(amp=True),
    "--channels-last": Speed(channels_last=True),
    "--amp --channels-last": Speed(amp=True, channels_last=True),
    "--compile": Speed(compiled=True),
    "--amp --channels-last --compile": Speed(True, True, True),
}
LIMIT_OTHERS, LIMIT_BARE, LIMIT_F = 2.0, 0.9, 0.005
HEADER = (
    "",
    "MPixel/s",
    "as fast",
    "processor s/MPixel",
    "found",
    "false",
    "duplicates",
    "F-score",
    "AP",
)


@dataclass
class Measured:
    """What a way took for all fields, a value a repeat, and what it found the last time."""

    seconds: list[float] = field(default_factory=list)
    processor_seconds: list[float] = field(default_factory=list)
    detections: dict[int, FieldDetections] = field(default_factory=dict)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="inference.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, help="checkpoint, or a work folder with its best")
    parser.add_argument("ann_file", type=Path, help="COCO json of the fields")
    parser.add_argument("images", type=Path, help="folder that its file names are relative to")
    parser.add_argument("--config", type=Path, help="config (default: the checkpoint's)")
    parser.add_argument("--threshold", type=float, help="(default: the checkpoint's)")
    parser.add_argument("--device", help="as cuda:0 or cpu (default: a GPU where there is one)")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3, help="of every way (default: 3)")
    parser.add_argument("--fields", type=int, help="only so many of them")
    parser.add_argument("--options", action="store_true", help="each of the detector's, too")
    args = parser.parse_args(argv)
    for name in ("batch_size", "repeats", "fields"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {value}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    checkpoint = find_checkpoint(args.checkpoint)
    weights = Weights(
        checkpoint, args.config, args.threshold, args.device, args.batch_size, args.workers
    )
    detector = weights.detector()
    fields = load_fields(args.ann_file)[: args.fields]
    check_resolution(fields, detector)
    looks = {OWN: ways.own(detector)}
    if importlib.util.find_spec("sahi") is None:
        print("sahi is not installed: MMDetection's and SAHI's ways are left out", file=sys.stderr)
    else:
        looks |= {name: make(weights, detector) for name, make in OTHERS.items()}
    paths = [(args.images / truth.file_name, truth.mpp) for truth in fields]
    looks[BARE], n_windows = ways.bare_network(detector, paths)
    if args.options:
        for name, speed in OPTIONS.items():
            looks[f"{OWN} {name}"] = ways.own(weights.detector(speed))
    measured = measure(looks, fields, paths, args.repeats)
    words = sys.argv[1:] if argv is None else argv
    print(f"$ python benchmarks/inference.py {' '.join(words)}".rstrip())
    print(table(measured, fields, detector.threshold))
    where = torch.cuda.get_device_name() if "cuda" in detector.device else "CPU"
    print(
        f"{len(fields)} fields, {n_windows} windows of {detector.window_size} px with a halo; "
        f"{where}, {os.cpu_count()} processors, torch in {torch.get_num_threads()} threads; "
        f"medians of {args.repeats}"
    )
    verdict(measured, fields, detector.threshold)


def check_resolution(fields: list[FieldTruth], detector: MitosisDetector) -> None:
    """Refuse fields of another resolution: this project would compute other pixels of them."""
    if not fields:
        raise ValueError("there is no field that is labelled")
    for truth in fields:
        if abs(truth.mpp / detector.mpp - 1) >= SAME_MPP:
            raise ValueError(
                f"{truth.file_name} has {truth.mpp:g} µm a pixel, the detector {detector.mpp:g}: "
                "fields must be of the detector's resolution"
            )


def measure(
    looks: dict[str, Look], fields: list[FieldTruth], paths: list[tuple[Path, float]], repeats: int
) -> dict[str, Measured]:
    """Time every way on all fields, several times, taking turns."""
    measured = {name: Measured() for name in looks}
    for look in looks.values():
        look(*paths[0])  # what the first look alone takes is not counted
    steps = tqdm(total=repeats * len(fields) * len(looks), desc="fields", unit="field")
    with steps as bar:
        for _ in range(repeats):
            sums = {name: np.zeros(2) for name in looks}
            for truth, path in zip(fields, paths, strict=True):
                for name, look in looks.items():
                    start = np.array([time.perf_counter(), time.process_time()])
                    measured[name].detections[truth.image_id] = look(*path)
                    sums[name] += np.array([time.perf_counter(), time.process_time()]) - start
                    bar.update()
            for name, (wall, processors) in sums.items():
                measured[name].seconds.append(float(wall))
                measured[name].processor_seconds.append(float(processors))
    return measured


def table(measured: dict[str, Measured], fields: list[FieldTruth], threshold: float) -> str:
    """Lay the table out."""
    mpixel = sum(truth.width * truth.height for truth in fields) / 1e6
    own = statistics.median(measured[OWN].seconds)
    rows = [HEADER]
    for name, one in measured.items():
        wall, processors = map(statistics.median, (one.seconds, one.processor_seconds))
        row = [name, f"{mpixel / wall:.3f}", f"{own / wall:.2f}", f"{processors / mpixel:.3f}"]
        if name != BARE:
            counts = total(score_fields(fields, one.detections, threshold))
            n_twice = n_duplicates(fields, one.detections, threshold)
            found = f"{counts.tp} of {counts.tp + counts.fn}"
            ap = split_curve(fields, one.detections).average_precision
            row += [found, str(counts.fp), str(n_twice), f"{counts.f_score:.3f}", f"{ap:.3f}"]
        rows.append(row + [""] * (len(HEADER) - len(row)))
    return AsciiTable(rows).table


def n_duplicates(
    fields: list[FieldTruth], detections: dict[int, FieldDetections], threshold: float
) -> int:
    """Count the detections within the merge radius of a mitosis that has another one there."""
    count = 0
    for truth in fields:
        found = detections[truth.image_id].above(threshold).centers_xy
        gaps = np.hypot(*(truth.centroids_xy.reshape(-1, 1, 2) - found.reshape(1, -1, 2)).T)
        near = (gaps <= MERGE_RADIUS_UM / truth.mpp).sum(axis=0)
        count += int((near - 1).clip(min=0).sum())
    return count


def verdict(measured: dict[str, Measured], fields: list[FieldTruth], threshold: float) -> None:
    """Say how it stands with what is promised."""
    own = statistics.median(measured[OWN].seconds)
    times = {name: statistics.median(one.seconds) / own for name, one in measured.items()}
    for name in OTHERS:
        if name in times:
            kept = "yes" if times[name] >= LIMIT_OTHERS else "NO"
            print(f"{times[name]:.2f} times as fast as {name} ({LIMIT_OTHERS:g}): {kept}")
    kept = "yes" if times[BARE] >= LIMIT_BARE else "NO"
    print(f"{times[BARE]:.2f} of the speed of the bare network ({LIMIT_BARE:g}): {kept}")
    scores = {
        name: total(score_fields(fields, one.detections, threshold)).f_score
        for name, one in measured.items()
    }
    for name in OPTIONS:
        if (row := f"{OWN} {name}") in measured:
            change = scores[row] - scores[OWN]
            kept = "yes" if abs(change) < LIMIT_F else "NO"
            print(
                f"{name}: {1 / times[row]:.2f} times as fast, F {change:+.4f} ({LIMIT_F}): {kept}"
            )


if __name__ == "__main__":
    run_main(main, "inference.py")
