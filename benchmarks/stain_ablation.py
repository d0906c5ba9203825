"""What stain normalisation and augmentation do to the F-score.

python benchmarks/stain_ablation.py scanners --work DIR
python benchmarks/stain_ablation.py mitos12 --data DATA --work DIR

``scanners`` paints synthetic slides of two scanners, trains on one and tests on the other;
``mitos12`` takes a folder that prepare.py mitos12 has written. Each condition is trained once a
seed, with the threshold chosen on validation, and tested. Runs that are done are not run again.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from terminaltables import AsciiTable

from mmdet_mitosis.cli import run_main, run_script
from mmdet_mitosis.fileio import write_json_atomic

run = partial(run_script, Path(__file__).resolve().parents[1])

CONDITIONS = {
    "none": ("none", 0),
    "macenko": ("macenko", 0),
    "reinhard": ("reinhard", 0),
    "vahadane": ("vahadane", 0),
    "augment": ("none", 1),
    "macenko+augment": ("macenko", 1),
}
"""The method of StainNormalize, and the probability of StainAugment, by condition."""
SCANNERS = {
    "train": ["01", "02", "03", "05", "07", "08", "10", "11"],
    "val": ["04", "06", "09", "21"],
    "test": ["27", "30", "32", "36", "41", "43"],
}
"""Cases of the synthetic archive; up to 23 they are Aperio's, from 24 on Leica's."""
SCORES = ("f_score", "precision", "recall", "ap", "oracle_f_score", "threshold")


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="stain_ablation.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", choices=["scanners", "mitos12"])
    parser.add_argument("--work", type=Path, required=True, help="folder for all that it makes")
    parser.add_argument("--data", type=Path, help="prepared folder of MITOS12")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="(default: 0 1 2)")
    parser.add_argument(
        "--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS), metavar="NAME"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    if args.study == "scanners":
        data = paint(args.work)
    elif args.data is None or not (args.data / "annotations").is_dir():
        raise FileNotFoundError(f"--data names no folder that prepare.py has written: {args.data}")
    else:
        data = args.data
    found: dict[str, list[dict]] = {}
    for seed in args.seeds:
        for condition in args.conditions:
            scores = train_and_test(args.study, data.resolve(), args.work, condition, seed)
            found.setdefault(condition, []).append(scores)
            print(table(found), flush=True)


def paint(work: Path) -> Path:
    """Paint and prepare the slides of two scanners; give the prepared folder."""
    split, archive, data = work / "scanners.json", work / "archive", work / "scanners"
    write_json_atomic(split, SCANNERS)
    cases = [case for part in SCANNERS.values() for case in part]
    run("data_prep/synthesize.py", "--out", archive, "--cases", *cases)
    run("data_prep/prepare.py", "tupac16", archive, "--split", split, "--out", data)
    return data


def train_and_test(study: str, data: Path, work: Path, condition: str, seed: int) -> dict:
    """Train one condition with one seed, unless that is done; give its scores on test."""
    folder = work / "runs" / f"{study}_{condition}_{seed}"
    scores = folder / "test_scores.json"
    if not scores.is_file():
        config = f"configs/stain/{study}.py"
        options = ["--work-dir", folder, "--cfg-options", *overrides(data, condition, seed)]
        run("tools/train.py", config, "--resume", *options)
        run("tools/test.py", config, folder, *options)
    return json.loads(scores.read_text())


def overrides(data: Path, condition: str, seed: int) -> list[str]:
    """Say what of the config a run changes."""
    method, prob = CONDITIONS[condition]
    found = [f"randomness.seed={seed}", f"train_dataloader.dataset.pipeline.3.prob={prob}"]
    for loader, at in (("train", 2), ("val", 1), ("test", 1)):
        found.append(f"{loader}_dataloader.dataset.pipeline.{at}.method={method}")
        found.append(f"{loader}_dataloader.dataset.data_root={data}/")
    for split in ("val", "test"):
        found.append(f"{split}_evaluator.ann_file={data}/annotations/{split}.json")
    return found


def table(found: dict[str, list[dict]]) -> str:
    """Lay out the mean of each score over the seeds, and the F-scores themselves."""
    rows = [["condition", *SCORES, "F-score of each seed"]]
    for condition, runs in found.items():
        means = [f"{statistics.mean(scores[name] for scores in runs):.3f}" for name in SCORES]
        rows.append([condition, *means, " ".join(f"{s['f_score']:.3f}" for s in runs)])
    return AsciiTable(rows).table


if __name__ == "__main__":
    run_main(main, "stain_ablation.py")
