"""The F-score of a config on slides that it has not seen, each slide held out in turn.

python data_prep/prepare.py mitos12 ROOT --out DATA --split none
python benchmarks/leave_one_slide_out.py CONFIG --data DATA --work DIR --load-from FILE

Of the other slides every fourth field is left out of training; the threshold is chosen on these,
after the last iteration, and no iteration is chosen: the held-out slide has no part in either.
The oracle is what a threshold tuned on the held-out slide itself would give.
Runs that are done are not run again; two processes with other --slides share the work.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config
from terminaltables import GithubFlavoredMarkdownTable

from mmdet_mitosis.cli import run_main, run_script
from mmdet_mitosis.evaluation.functional import Counts
from mmdet_mitosis.evaluation.results.work_folder import read_work_folders
from mmdet_mitosis.evaluation.scoring import FieldScore, f_score_interval, score_fields, total
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.json_file import load_json

run = partial(run_script, Path(__file__).resolve().parents[1])

EVERY = 4
"""Of each slide that is not held out, the first of so many fields chooses the threshold."""
COUNTED = ["TP", "FP", "FN", "precision", "recall", "F-score (95 %)"]
HEADER = ["held out", "seed", *COUNTED, "AP", "oracle F"]


class Run(NamedTuple):
    """A slide that was held out, with one seed, or with all of them judging together."""

    slide: str
    seed: str
    fields: list[FieldScore]
    ap: float
    oracle: float


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="leave_one_slide_out.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations/all.json")
    parser.add_argument("--work", type=Path, required=True, help="folder for all that it makes")
    parser.add_argument("--load-from", default="none", help="weights to start from (default: none)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument("--slides", nargs="+", help="those to hold out (default: each)")
    parser.add_argument("--ensemble", action="store_true", help="let the seeds judge together, too")
    parser.add_argument("--cfg-options", nargs="+", default=[], help="further settings")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    content = load_json(args.data / "annotations" / "all.json", "what prepare.py --split none made")
    slides = args.slides or sorted({image["case"] for image in content["images"]})
    annotations = {
        slide: split_fields(content, slide, args.work / "annotations" / slide) for slide in slides
    }
    runs = []
    for seed in args.seeds:
        for slide in slides:
            runs.append(train_and_test(args, slide, seed, annotations[slide]))
            print(table(runs), flush=True)
    for slide in slides if args.ensemble else ():
        runs.append(test_together(args, slide, annotations[slide]))
        print(table(runs), flush=True)


def split_fields(content: dict, slide: str, folder: Path) -> Path:
    """Write train.json, val.json and test.json of a slide that is held out; give their folder."""
    parts: dict[str, list[dict]] = {"train": [], "val": [], "test": []}
    seen: dict[str, int] = {}
    for image in content["images"]:
        case = image["case"]
        number = seen[case] = seen.get(case, -1) + 1
        part = "test" if case == slide else "train" if number % EVERY else "val"
        parts[part].append(image)
    for part, images in parts.items():
        ids = {image["id"] for image in images}
        kept = [one for one in content["annotations"] if one["image_id"] in ids]
        write_json_atomic(
            folder / f"{part}.json", {**content, "images": images, "annotations": kept}
        )
    return folder.resolve()


def train_and_test(args: argparse.Namespace, slide: str, seed: int, annotations: Path) -> Run:
    """Train with one slide held out, unless that is done, and read its test."""
    folder = folder_of(args, slide, seed)
    if not (folder / "test_scores.json").is_file():
        options = overrides(args, seed, annotations)
        run(
            *("tools/train.py", args.config, "--work-dir", folder, "--resume"),
            *("--load-from", args.load_from, "--cfg-options", *options),
        )
        run("tools/test.py", args.config, folder, "--work-dir", folder, "--cfg-options", *options)
    return read_run(slide, str(seed), folder)


def test_together(args: argparse.Namespace, slide: str, annotations: Path) -> Run:
    """Test the detectors of all seeds as one, unless that is done."""
    folder = folder_of(args, slide, "ensemble")
    if not (folder / "test_scores.json").is_file():
        options = overrides(args, 0, annotations)
        members = [folder_of(args, slide, seed) for seed in args.seeds]
        run("tools/ensemble.py", args.config, *members, "--out", folder, "--cfg-options", *options)
        run("tools/test.py", folder / "ensemble.py", folder, "--work-dir", folder)
    return read_run(slide, "together", folder)


def folder_of(args: argparse.Namespace, slide: str, seed: int | str) -> Path:
    """Name the folder of a run."""
    return args.work / args.config.stem / f"{slide}_{seed}"


def read_run(slide: str, seed: str, folder: Path) -> Run:
    """Read a test."""
    target, (found,) = read_work_folders([folder], "test")
    fields = score_fields(target.fields, found.results.detections, found.threshold.value)
    scores = load_json(folder / "test_scores.json", "the scores of a test")
    return Run(slide, seed, fields, scores["ap"], scores["oracle_f_score"])


def overrides(args: argparse.Namespace, seed: int, annotations: Path) -> list[str]:
    """Say what of the config a run changes."""
    last = Config.fromfile(args.config).train_cfg.max_iters
    found = [f"randomness.seed={seed}", f"train_cfg.val_interval={last}"]
    found.append(f"default_hooks.checkpoint.interval={last}")
    for part in ("train", "val", "test"):
        found.append(f"{part}_dataloader.dataset.data_root={args.data.resolve()}/")
        found.append(f"{part}_dataloader.dataset.ann_file={annotations / part}.json")
    for part in ("val", "test"):
        found.append(f"{part}_evaluator.ann_file={annotations / part}.json")
    return [*found, *args.cfg_options]


def table(runs: Sequence[Run]) -> str:
    """Lay out each run, and of each seed all slides together."""
    rows = [
        [one.slide, one.seed, *figures(one.fields), f"{one.ap:.3f}", f"{one.oracle:.3f}"]
        for one in sorted(runs, key=lambda one: (one.slide, one.seed))
    ]
    pooled = []
    for seed in sorted({one.seed for one in runs}):
        fields = [field for one in runs if one.seed == seed for field in one.fields]
        rows.append(["all", seed, *figures(fields), "", ""])
        if seed != "together":
            pooled.append(total(fields).f_score)
    shown = f"F-score of all, mean of {len(pooled)} seeds: {statistics.mean(pooled):.3f}"
    return f"\n{GithubFlavoredMarkdownTable([HEADER, *rows]).table}\n\n{shown}"


def figures(fields: list[FieldScore]) -> list[str]:
    """Lay out counts, ratios and the interval."""
    counts: Counts = total(fields)
    low, high, _ = f_score_interval(fields)
    return [
        *(str(n) for n in (counts.tp, counts.fp, counts.fn)),
        *(f"{value:.3f}" for value in (counts.precision, counts.recall)),
        f"{counts.f_score:.3f} ({low:.3f} to {high:.3f})",
    ]


if __name__ == "__main__":
    run_main(main, "leave_one_slide_out.py")
