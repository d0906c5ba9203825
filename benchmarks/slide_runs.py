"""Detectors that are trained with slides held out, for leave_one_slide_out.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.splits import slide
from mmdet_mitosis.cli import run_script
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.results.work_folder import read_work_folders
from mmdet_mitosis.evaluation.truth import FieldTruth
from mmdet_mitosis.fileio import write_json_atomic
from mmdet_mitosis.json_file import load_json

run = partial(run_script, Path(__file__).resolve().parents[1])

EVERY = 4
"""Of each slide that is not held out, the first of so many fields chooses the threshold."""


@dataclass(frozen=True)
class Test:
    """What a detector found on the slides that were held out.

    ``ap`` and ``oracle``, the F-score of a threshold tuned there, are of all of them.
    """

    fields: list[FieldTruth]
    detections: dict[int, FieldDetections]
    threshold: float
    ap: float
    oracle: float

    def fields_of(self, slide: str) -> list[FieldTruth]:
        """Give the fields of one slide."""
        return [field for field in self.fields if field.case == slide]


@dataclass(frozen=True)
class SlideRuns:
    """Trains and tests a config without some slides, each run once, in a folder of its own.

    Args:
        config: The config.
        data: Folder with ``annotations/all.json``.
        work: Folder for all that is made.
        load_from: Weights to start from, or ``none``.
        seeds: Those of the detectors that judge together.
        views: In which these look at each window.
        cfg_options: Further settings of the config.
    """

    config: Path
    data: Path
    work: Path
    load_from: str = "none"
    seeds: tuple[int, ...] = (0,)
    views: str = "one"
    cfg_options: tuple[str, ...] = ()

    def slides(self) -> list[str]:
        """Name all slides of the data."""
        return sorted({image["case"] for image in _content(self.data)["images"]})

    def test(self, held_out: Sequence[str], seed: int) -> Test:
        """Train with slides held out, unless that is done, and test on them."""
        folder = self._folder(held_out, seed)
        if not (folder / "test_scores.json").is_file():
            options = self._options(seed, self.split(held_out))
            words = ["--work-dir", folder, "--cfg-options", *options]
            run("tools/train.py", self.config, "--load-from", self.load_from, "--resume", *words)
            run("tools/test.py", self.config, folder, *words)
        return _read(folder)

    def test_together(self, held_out: Sequence[str]) -> Test:
        """Test the detectors of all seeds as one, unless that is done."""
        folder = self._folder(held_out, "ensemble" if self.views == "one" else self.views)
        if not (folder / "test_scores.json").is_file():
            options = self._options(self.seeds[0], self.split(held_out))
            members = [self._folder(held_out, seed) for seed in self.seeds]
            words = ["--views", self.views, "--out", folder, "--cfg-options", *options]
            run("tools/ensemble.py", self.config, *members, *words)
            run("tools/test.py", folder / "ensemble.py", folder, "--work-dir", folder)
        return _read(folder)

    def _folder(self, held_out: Sequence[str], seed: int | str) -> Path:
        """Name the folder of a run."""
        return self.work / self.config.stem / f"{'+'.join(sorted(held_out))}_{seed}"

    def split(self, held_out: Sequence[str]) -> Path:
        """Write train.json, val.json and test.json, which has the slides; give their folder.

        The same tissue on another scanner is in none of them.
        """
        folder = self.work / "annotations" / "+".join(sorted(held_out))
        content = _content(self.data)
        parts: dict[str, list[dict]] = {"train": [], "val": [], "test": []}
        seen: dict[str, int] = {}
        source = content["info"]["source"]
        tissues = {slide(source, case) for case in held_out}
        for image in content["images"]:
            case = image["case"]
            if case not in held_out and slide(source, case) in tissues:
                continue
            number = seen[case] = seen.get(case, -1) + 1
            part = "test" if case in held_out else "train" if number % EVERY else "val"
            parts[part].append(image)
        for part, images in parts.items():
            ids = {image["id"] for image in images}
            kept = [one for one in content["annotations"] if one["image_id"] in ids]
            write_json_atomic(
                folder / f"{part}.json", {**content, "images": images, "annotations": kept}
            )
        return folder.resolve()

    def _options(self, seed: int, annotations: Path) -> list[str]:
        """Say what of the config a run changes."""
        last = Config.fromfile(self.config).train_cfg.max_iters
        found = [f"randomness.seed={seed}", f"train_cfg.val_interval={last}"]
        found.append(f"default_hooks.checkpoint.interval={last}")
        for part in ("train", "val", "test"):
            found.append(f"{part}_dataloader.dataset.data_root={self.data.resolve()}/")
            found.append(f"{part}_dataloader.dataset.ann_file={annotations / part}.json")
        for part in ("val", "test"):
            found.append(f"{part}_evaluator.ann_file={annotations / part}.json")
        return [*found, *self.cfg_options]


@cache
def _content(data: Path) -> dict:
    """Read all fields and their mitoses."""
    return load_json(data / "annotations" / "all.json", "what prepare.py --split none made")


def _read(folder: Path) -> Test:
    """Read what a test left in its folder."""
    target, (found,) = read_work_folders([folder], "test")
    scores = load_json(folder / "test_scores.json", "the scores of a test")
    return Test(
        list(target.fields),
        found.results.detections,
        found.threshold.value,
        scores["ap"],
        scores["oracle_f_score"],
    )
