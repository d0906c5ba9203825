"""The two-stage baseline beside Mask R-CNN, and Mask R-CNN refined: train, test and compare.

python tools/baseline.py demo --out demo
python tools/baseline.py mitos12 --data data/mitos12 --out work_dirs/baseline_mitos12

``demo`` makes its synthetic data as tools/demo.py does, and takes the Mask R-CNN trained there. A
step that is done is not done again; an interrupted one goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmdet_mitosis.cli import run_main, run_script
from mmdet_mitosis.engine.checkpoints import find_checkpoint

run = partial(run_script, Path(__file__).resolve().parents[1])
STAGES = "configs/two_stage/{stage}_{study}.py"
DONE = ".trained"
"""Marks a work folder whose training has come to its end."""
MIN_RECALL = 0.95
"""What the candidates of Mask R-CNN are to reach on validation, as those of stage 1 are."""
MASK_RCNN = "configs/maskrcnn_r18_{study}.py"


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="baseline.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", choices=["demo", "mitos12"])
    parser.add_argument("--out", type=Path, required=True, help="folder for all that it makes")
    parser.add_argument("--data", type=Path, help="mitos12: folder that prepare.py has written")
    args = parser.parse_args(argv)
    if (args.study == "mitos12") is not (args.data is not None):
        parser.error("--data is for mitos12, which needs it")
    if args.data is not None and not (args.data / "annotations").is_dir():
        parser.error(f"--data names no folder that prepare.py has written: {args.data}")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    Chain(args.study, args.out.resolve(), args.data and args.data.resolve()).run()


@dataclass(frozen=True)
class Refinement:
    """A detector of candidates, and where its refinement is made.

    Attributes:
        config: Of the detector.
        checkpoint: Its checkpoint, or work folder; its threshold is one for candidates.
        joined: Config of both stages.
        mined: Folder for what the refiner is trained on.
        refiner: Work folder of the refiner.
        work: Work folder of both stages.
    """

    config: str
    checkpoint: Path
    joined: str
    mined: Path
    refiner: Path
    work: Path


class Chain:
    """The steps of a study, in order.

    Args:
        study: ``demo`` or ``mitos12``.
        out: Folder for all that is made.
        data: Prepared data; None where the demo makes its own.
    """

    def __init__(self, study: str, out: Path, data: Path | None) -> None:
        self.study, self.out = study, out
        self.data = data or out / "data"
        self.maskrcnn = out / ("work" if data is None else "maskrcnn")
        self.candidates = out / "candidates"

    def run(self) -> None:
        """Do all steps that are not done."""
        maskrcnn = MASK_RCNN.format(study=self.study)
        if self.study == "demo":
            if not (self.maskrcnn / "test_scores.json").is_file():
                run("tools/demo.py", "--out", self.out)
        else:
            self._train_and_test(self.maskrcnn, maskrcnn)
        self._train_and_test(self.candidates, self._config("candidates"))
        two_stage = Refinement(
            self._config("candidates"),
            self.candidates,
            self._config("two_stage"),
            self.out / "mined",
            self.out / "refiner",
            self.out / "two_stage",
        )
        refined = Refinement(
            maskrcnn,
            self.out / "maskrcnn_candidates" / "candidates.pth",
            self._config("maskrcnn_refined"),
            self.out / "maskrcnn_mined",
            self.out / "maskrcnn_refiner",
            self.out / "maskrcnn_refined",
        )
        self._refine(two_stage)
        self._choose_candidates(maskrcnn, refined.checkpoint)
        self._refine(refined)
        folders = (self.maskrcnn, self.candidates, two_stage.work, refined.work)
        run("tools/compare.py", *folders, "--out", self.out / "comparison.md")

    def _config(self, stage: str) -> str:
        """Name the config of a stage."""
        return STAGES.format(stage=stage, study=self.study)

    def _train_and_test(self, work: Path, config: str) -> None:
        """Train a detector and test it."""
        self._train(work, config)
        self._test(work, config, work)

    def _train(self, work: Path, config: str, *options: str) -> None:
        """Train, going on from what is there, unless that is done."""
        # A run that early stopping has ended would go on.
        if (work / DONE).is_file():
            return
        run(
            *("tools/train.py", config, "--work-dir", work, "--resume"),
            *("--cfg-options", *self._paths(config), *options),
        )
        (work / DONE).touch()

    def _test(self, work: Path, config: str, checkpoint: Path) -> None:
        """Test, unless that is done."""
        if is_older(work / "test_scores.json", [find_checkpoint(checkpoint)]):
            run(
                *("tools/test.py", config, checkpoint, "--work-dir", work, "--report"),
                *("--cfg-options", *self._paths(config)),
            )

    def _choose_candidates(self, config: str, out: Path) -> None:
        """Lower the threshold of Mask R-CNN to one for candidates."""
        if is_older(out, [find_checkpoint(self.maskrcnn)]):
            run(
                *("tools/choose_threshold.py", config, self.maskrcnn, "--out", out),
                *("--min-recall", MIN_RECALL, "--work-dir", out.parent),
                *("--cfg-options", *self._paths(config)),
            )

    def _refine(self, one: Refinement) -> None:
        """Mine, train the refiner, join and test."""
        found = find_checkpoint(one.checkpoint)
        mined = {split: one.mined / "candidates" / f"{split}.json" for split in ("train", "val")}
        if any(is_older(path, [found]) for path in mined.values()):
            run(
                *("tools/mine_candidates.py", one.config, found, "--out", one.mined),
                *("--cfg-options", *self._paths(one.config)),
            )
        done = one.refiner / DONE
        if done.is_file() and is_older(done, mined.values()):
            shutil.rmtree(one.refiner, ignore_errors=True)  # trained on other candidates
        files = [f"{split}_dataloader.dataset.ann_file={path}" for split, path in mined.items()]
        self._train(one.refiner, self._config("refiner"), *files)
        joined, stages = one.work / "joined.pth", (found, find_checkpoint(one.refiner))
        if is_older(joined, stages):
            run(
                *("tools/join_stages.py", one.joined, *stages, "--out", joined),
                *("--work-dir", one.work, "--cfg-options", *self._paths(one.joined)),
            )
        self._test(one.work, one.joined, joined)

    def _paths(self, config: str) -> list[str]:
        """Give the settings that make a config read the data."""
        if config == self._config("refiner"):
            loaders, evaluators = ("train", "val"), ()
        else:
            loaders, evaluators = ("train", "val", "test"), ("val", "test")
        words = [f"{name}_dataloader.dataset.data_root={self.data}/" for name in loaders]
        return words + [
            f"{name}_evaluator.ann_file={self.data}/annotations/{name}.json" for name in evaluators
        ]


def is_older(path: Path, sources: Iterable[Path]) -> bool:
    """Tell whether a file is missing, or older than what it is made from.

    Args:
        path: The file.
        sources: What it is made from; they are there.

    Returns:
        Whether it has to be made.
    """
    if not path.is_file():
        return True
    changed = path.stat().st_mtime_ns
    return any(source.stat().st_mtime_ns > changed for source in sources)


if __name__ == "__main__":
    run_main(main, "baseline.py")
