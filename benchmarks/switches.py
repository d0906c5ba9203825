"""What each switch of docs/switches.md does to a detector that is trained with it.

python data_prep/prepare.py mitos12 ROOT --out DATA
python benchmarks/switches.py --data DATA --work DIR

The small Mask R-CNN of configs/maskrcnn_r18_mitos12.py is trained from scratch, without its turns,
stain augmentation and schedule, and then with one switch at a time. The threshold is chosen on
validation after the last iteration. Runs that are done are not run again. Times are medians over
the iterations after the first ten; compare them where nothing else runs, with --times, which
neither validates nor tests.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from terminaltables import GithubFlavoredMarkdownTable

from mmdet_mitosis.cli import run_main, run_script
from mmdet_mitosis.evaluation.results.work_folder import read_work_folders
from mmdet_mitosis.evaluation.scoring import f_score_interval, score_fields, total
from mmdet_mitosis.fileio import write_bytes_atomic
from mmdet_mitosis.json_file import load_json

REPO = Path(__file__).resolve().parents[1]
DOCS = REPO / "docs" / "switches.md"
run = partial(run_script, REPO)

SECTION = re.compile(r"^## (.+?)\n.*?^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NONE = "none"
HARD = "hard negatives"
LARGER = "larger batches"
UNLABELLED = "look-alikes"
"""What contest data without such labels cannot show."""
HEADER = ["switch", "seed", "AP, val", "AP, test", "TP", "FP", "FN", "F-score (95 %), test", "s/it"]
WARM_UP = 10
"""Iterations whose times do not count."""
BASE = """
_base_ = "{config}"
data_root = "{data}/"
max_iters = {iterations}

train_pipeline = [
    step for step in _base_.train_pipeline if step["type"] not in ("StainAugment", "RotateWindow")
]
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(ann_file=data_root + "annotations/val.json")
test_evaluator = dict(ann_file=data_root + "annotations/test.json")
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.01, by_epoch=False, begin=0, end=max_iters // 60 + 1)
]
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=max_iters))
"""
HALF = """
train_cfg = dict(max_iters=_base_.max_iters // 2, val_interval=_base_.max_iters // 2)
"""
"""Larger batches see as many images."""


def read_switches(path: Path = DOCS) -> dict[str, str]:
    """Read the lines of each switch, by its heading in lower case or, as ``bfloat16``, as it is."""
    return {name[0].lower() + name[1:]: lines for name, lines in SECTION.findall(path.read_text())}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    switches = read_switches()
    parser = argparse.ArgumentParser(
        prog="switches.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of prepare.py")
    parser.add_argument("--work", type=Path, required=True, help="folder for all that it makes")
    parser.add_argument(
        "--config", type=Path, default=REPO / "configs" / "maskrcnn_r18_mitos12.py", help="detector"
    )
    parser.add_argument("--iterations", type=int, default=600, help="of a run (default: 600)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="(default: 0)")
    parser.add_argument(
        "--switches",
        nargs="+",
        choices=[NONE, *switches],
        default=[NONE, *(name for name in switches if name != UNLABELLED)],
        metavar="NAME",
        help="names of sections, or 'none' (default: all but look-alikes)",
    )
    parser.add_argument("--times", action="store_true", help="time the iterations, and no more")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if not (args.data / "annotations").is_dir():
        raise FileNotFoundError(f"--data names no folder that prepare.py has written: {args.data}")
    rows = []
    for seed in args.seeds:
        for name in args.switches:
            if args.times:
                row = [seconds(time_steps(args, name, seed))]
            else:
                row = figures(train_and_test(args, name, seed))
            rows.append([name, str(seed), *row])
            header = [*HEADER[:2], HEADER[-1]] if args.times else HEADER
            print(f"\n{GithubFlavoredMarkdownTable([header, *rows]).table}\n", flush=True)


def time_steps(args: argparse.Namespace, name: str, seed: int) -> Path:
    """Train with a switch and without validation, unless that is done; give the work folder."""
    folder = folder_of(args, f"times {name}", seed)
    if not (folder / "last_checkpoint").is_file():
        options = [f"randomness.seed={seed}", f"train_cfg.val_begin={args.iterations + 1}"]
        words = ["--work-dir", folder, "--cfg-options", *options]
        run("tools/train.py", write_config(args, name), "--load-from", "none", *words)
    return folder


def train_and_test(args: argparse.Namespace, name: str, seed: int) -> Path:
    """Train with a switch, unless that is done, and test on both splits; give the work folder."""
    folder = folder_of(args, name, seed)
    if not (folder / "test_scores.json").is_file():
        config = write_config(args, name)
        options = [f"randomness.seed={seed}"]
        if name == HARD:
            mined = args.work.resolve() / f"mined_{seed}"
            if not (mined / "candidates" / "train.json").is_file():
                first = train_and_test(args, NONE, seed)
                run("tools/mine_candidates.py", config.with_stem(NONE), first, "--out", mined)
            options.append(f"train_dataloader.sampler.hard_file={mined}/candidates/train.json")
        words = ["--work-dir", folder, "--cfg-options", *options]
        run("tools/train.py", config, "--load-from", "none", "--resume", *words)
        for split in ("val", "test"):
            run("tools/test.py", config, folder, "--split", split, *words)
    return folder


def folder_of(args: argparse.Namespace, name: str, seed: int) -> Path:
    """Name the folder of a run."""
    return args.work.resolve() / f"{name.replace(' ', '_')}_{seed}"


def write_config(args: argparse.Namespace, name: str) -> Path:
    """Write the config of a switch, and the one without any that it inherits from."""
    folder = args.work.resolve() / "configs"
    base = folder / f"{NONE}.py"
    values = {"config": args.config.resolve(), "data": args.data.resolve()}
    lines = BASE.format(**values, iterations=args.iterations)
    write_bytes_atomic(base, lines.encode())
    if name == NONE:
        return base
    path = folder / f"{name.replace(' ', '_')}.py"
    more = HALF if name == LARGER else ""
    write_bytes_atomic(path, f'_base_ = "{NONE}.py"\n{read_switches()[name]}{more}'.encode())
    return path


def figures(folder: Path) -> list[str]:
    """Read a run: precision by split, counts and F-score of the test, time of an iteration."""
    precisions = [
        load_json(folder / f"{split}_scores.json", "the scores of a test")["ap"]
        for split in ("val", "test")
    ]
    target, (found,) = read_work_folders([folder], "test")
    fields = score_fields(target.fields, found.results.detections, found.threshold.value)
    counts = total(fields)
    low, high, _ = f_score_interval(fields)
    return [
        *(f"{ap:.3f}" for ap in precisions),
        *(str(n) for n in (counts.tp, counts.fp, counts.fn)),
        f"{counts.f_score:.3f} ({low:.3f} to {high:.3f})",
        seconds(folder),
    ]


def seconds(folder: Path) -> str:
    """Say how long an iteration took, s: the median without the first ones of each start."""
    found = []
    for path in sorted(folder.glob("*/vis_data/scalars.json")):
        lines = map(json.loads, path.read_text().splitlines())
        found += [line["time"] for line in lines if "loss" in line][WARM_UP:]
    return f"{statistics.median(found):.2f}"


if __name__ == "__main__":
    run_main(main, "switches.py")
