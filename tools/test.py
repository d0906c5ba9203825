"""Test a detector: python tools/test.py CONFIG CHECKPOINT."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from tqdm import tqdm

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.datasets.fields import read_field
from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.config_options import ConfigOptions
from mmdet_mitosis.engine.costs import measured_costs
from mmdet_mitosis.engine.launch import build_runner, for_testing, load_config, lock_work_dir
from mmdet_mitosis.engine.peers import naming_the_dead
from mmdet_mitosis.engine.threshold_hook import choose_threshold, stored_threshold_once
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.report import format_summary, summarize
from mmdet_mitosis.fileio import check_writable, write_bytes_atomic, write_json_atomic
from mmdet_mitosis.inference.overlay import draw_field
from mmdet_mitosis.places import below
from mmdet_mitosis.report import write_report
from mmdet_mitosis.report.provenance import versions


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test.py", description=__doc__)
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint, or a work folder with its best_*.pth")
    parser.add_argument("--work-dir", help="folder for logs and scores")
    parser.add_argument(
        "--split",
        nargs="+",
        choices=["val", "test"],
        default=["test"],
        help="splits to score (default: test)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        help="score threshold instead of the checkpoint's: choose it on the validation split",
    )
    parser.add_argument("--out", help="write the field-level detections here too, as COCO results")
    parser.add_argument("--show-dir", help="write a picture of every field into this folder")
    parser.add_argument(
        "--report",
        action="store_true",
        help="write <split>_report.html into the work folder (later: tools/report.py)",
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigOptions,
        help="override settings of the config: key=value, with dotted keys",
    )
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    if args.out and Path(args.out).suffix != ".json":
        parser.error(f"--out must end in .json, got {args.out}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.work_dir, args.cfg_options, args.launcher)
    checkpoint = find_checkpoint(args.checkpoint)
    for target in (cfg.work_dir, args.show_dir, args.out and Path(args.out).parent):
        if target:
            check_writable(target)
    stored = read_checkpoint(checkpoint)
    threshold, origin = choose_threshold(stored, checkpoint, args.threshold)
    once = stored_threshold_once(stored, checkpoint) if args.threshold is None else None
    cfg.load_from, cfg.resume = str(checkpoint), False
    done = []
    with lock_work_dir(cfg, "test"):
        for split in args.split:
            runner = build_runner(for_testing(cfg, split, threshold, once))
            with naming_the_dead():
                runner.test()
            if not is_main_process():
                continue
            metric = find_metric(runner)
            costs = measured_costs(runner, stored, sum(field.area_mm2 for field in metric.fields))
            source = {"threshold_from": origin, "checkpoint": str(checkpoint), **costs}
            write_scores(args, cfg, split, metric, source)
            done.append((split, metric))
        # The other processes wait at the next split's beginning, and not for long.
        for split, metric in done:
            show_results(args, cfg, split, metric)


def find_metric(runner: Runner) -> CentroidFScore:
    """Find the metric with the fields' detections."""
    return next(m for m in runner.test_evaluator.metrics if isinstance(m, CentroidFScore))


def summarize_once(metric: CentroidFScore) -> dict:
    """Give the figures where one window alone judges each place, as infer.py has it."""
    once = metric.once
    names = ("tp", "fp", "fn", "precision", "recall", "f_score")
    return {"threshold": metric.threshold_once, **{name: getattr(once, name) for name in names}}


def write_scores(
    args: argparse.Namespace,
    cfg: Config,
    split: str,
    metric: CentroidFScore,
    source: dict,
) -> None:
    """Print the table, and write detections and scores."""
    summary = summarize(
        split,
        metric.fields,
        metric.detections,
        metric.threshold,
        source["threshold_from"],
        metric.radius_um,
        metric.method,
    )
    if metric.once is not None:
        summary["once"] = summarize_once(metric)
    print(f"\n{format_summary(summary)}")
    summary |= source
    summary |= {
        "ann_file": str(metric.ann_file),
        "image_root": str(image_root(cfg[f"{split}_dataloader"].dataset)),
        "config": Path(args.config).name,
        "versions": versions(),
    }
    metric.save(Path(cfg.work_dir) / f"{split}_detections.json")
    scores_file = Path(cfg.work_dir) / f"{split}_scores.json"
    write_json_atomic(scores_file, summary)
    print(f"scores: {scores_file}")
    if args.out:
        out = Path(args.out)
        if len(args.split) > 1:
            out = out.with_stem(f"{out.stem}_{split}")
        metric.save(out)
        print(f"detections: {out}")


def show_results(args: argparse.Namespace, cfg: Config, split: str, metric: CentroidFScore) -> None:
    """Write the pictures and the report, which may take long."""
    if args.show_dir:
        folder = Path(args.show_dir)
        draw_split(folder, image_root(cfg[f"{split}_dataloader"].dataset), metric)
        print(f"pictures: {folder}")
    if args.report:
        print(f"report: {write_report(cfg.work_dir, split)}")


def image_root(dataset: Config) -> Path:
    """Give the folder that the fields' ``file_name`` is relative to."""
    return Path(dataset.get("data_root") or "", (dataset.get("data_prefix") or {}).get("img", ""))


def draw_split(folder: Path, images: Path, metric: CentroidFScore) -> None:
    """Write a picture of every field of a split."""
    for field in tqdm(metric.fields, "pictures", unit="picture"):
        found = metric.detections.get(field.image_id, FieldDetections())
        picture = draw_field(
            read_field(below(images, field.file_name, f"image {field.image_id!r}")),
            field,
            found.above(metric.threshold),
            metric.radius_um,
        )
        name = Path(field.file_name).with_suffix(".png").as_posix().replace("/", "_")
        png = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))[1]
        write_bytes_atomic(folder / name, png.tobytes())


if __name__ == "__main__":
    run_main(main, "test.py")
