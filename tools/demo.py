"""The whole way in one command: synthesise, prepare, train, test, draw."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mmdet_mitosis.cli import run_main, run_script

run = partial(run_script, Path(__file__).resolve().parents[1])
CONFIG = "configs/maskrcnn_r18_demo.py"


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo.py", description=__doc__)
    parser.add_argument("--out", default="demo", help="folder for all that it makes")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    out = Path(parse_args(argv).out).resolve()
    archive, data, work, pictures = (out / n for n in ("archive", "data", "work", "pictures"))
    paths = [
        f"{loader}.dataset.data_root={data}/"
        for loader in ("train_dataloader", "val_dataloader", "test_dataloader")
    ]
    paths += [
        f"{split}_evaluator.ann_file={data}/annotations/{split}.json" for split in ("val", "test")
    ]
    run("data_prep/synthesize.py", "--out", archive)
    run("data_prep/prepare.py", "tupac16", archive, "--out", data)
    run("tools/train.py", CONFIG, "--work-dir", work, "--resume", "--cfg-options", *paths)
    run(
        *("tools/test.py", CONFIG, work, "--work-dir", work, "--show-dir", pictures),
        *("--out", work / "detections.json", "--cfg-options", *paths),
    )
    scores = json.loads((work / "test_scores.json").read_text())
    figures = " ".join(
        f"{k}={scores[k]:.2f}" for k in ("f_score", "precision", "recall", "threshold")
    )
    print(f"demo: {figures} pictures={pictures}")


if __name__ == "__main__":
    run_main(main, "demo.py")
