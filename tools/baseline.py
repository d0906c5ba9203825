"""The two-stage baseline beside Mask R-CNN: train both, mine, join, test and compare.

python tools/baseline.py demo --out demo
python tools/baseline.py mitos12 --data data/mitos12 --out work_dirs/baseline_mitos12

``demo`` makes its synthetic data as tools/demo.py does, and takes the Mask R-CNN trained there. A
step that is done is not done again; an interrupted one goes on where it stopped.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from mmdet_mitosis.cli import run_main, run_script
from mmdet_mitosis.engine.checkpoints import find_checkpoint

run = partial(run_script, Path(__file__).resolve().parents[1])
STAGES = "configs/two_stage/{stage}_{study}.py"
DONE = ".trained"
"""Marks a work folder whose training has come to its end."""
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
        self.candidates, self.refiner = out / "candidates", out / "refiner"
        self.two_stage, self.mined = out / "two_stage", out / "mined"

    def run(self) -> None:
        """Do all steps that are not done."""
        if self.study == "demo":
            run("tools/demo.py", "--out", self.out)
        else:
            self._train_and_test(self.maskrcnn, MASK_RCNN.format(study=self.study))
        self._train_and_test(self.candidates, self._config("candidates"))
        self._mine()
        done = self.refiner / DONE
        if done.is_file() and is_older(done, self._mined_jsons()):
            shutil.rmtree(self.refiner, ignore_errors=True)  # trained on other candidates
        self._train(self.refiner, self._config("refiner"), *self._mined_files())
        self._join()
        self._test(self.two_stage, self._config("two_stage"), self.two_stage / "joined.pth")
        run(
            *("tools/compare.py", self.maskrcnn, self.candidates, self.two_stage),
            *("--out", self.out / "comparison.md"),
        )

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

    def _mine(self) -> None:
        """Let stage 1 look for the refiner's training set."""
        config, best = self._config("candidates"), find_checkpoint(self.candidates)
        if any(is_older(path, [best]) for path in self._mined_jsons()):
            run(
                *("tools/mine_candidates.py", config, best, "--out", self.mined),
                *("--cfg-options", *self._paths(config)),
            )

    def _join(self) -> None:
        """Join the stages, and choose the threshold of both together."""
        config, joined = self._config("two_stage"), self.two_stage / "joined.pth"
        stages = [find_checkpoint(folder) for folder in (self.candidates, self.refiner)]
        if is_older(joined, stages):
            run(
                *("tools/join_stages.py", config, *stages, "--out", joined),
                *("--work-dir", self.two_stage, "--cfg-options", *self._paths(config)),
            )

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

    def _mined_jsons(self) -> list[Path]:
        """Give the files of what was mined, for training and validation."""
        return [self.mined / "candidates" / f"{split}.json" for split in ("train", "val")]

    def _mined_files(self) -> list[str]:
        """Give the settings that make the refiner read what was mined."""
        pairs = zip(("train", "val"), self._mined_jsons(), strict=True)
        return [f"{split}_dataloader.dataset.ann_file={path}" for split, path in pairs]


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
