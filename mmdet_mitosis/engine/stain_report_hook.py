"""Saying how many windows stain normalisation left as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdet.registry import HOOKS
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.runner import Runner

MAX_NAMED = 10
"""Most fields that a report names."""
PARTS = {"train": "training", "val": "validation", "test": "test"}


@HOOKS.register_module()
class StainReportHook(Hook):
    """Count the windows that ``StainNormalize`` left as they were, and say so in one line.

    Training is reported before each validation, with the windows since the last one, and at its
    end; validation and test are at theirs. Nothing is said where every window was normalised. In a
    distributed run the windows of all processes are counted, so also those that a sampler gives
    twice to make their shares even.

    ``stain_normalized`` and ``img_path`` have to be among the ``meta_keys`` of ``PackDetInputs``;
    windows without the first are not counted.
    """

    def __init__(self) -> None:
        self._totals: Counter[str] = Counter()
        self._unchanged: dict[str, Counter[str | None]] = {part: Counter() for part in PARTS}

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
        mode: str = "train",
    ) -> None:
        """Count the windows of a batch."""
        samples = data_batch.get("data_samples") if isinstance(data_batch, dict) else None
        for metainfo in _metainfos(samples):
            if "stain_normalized" in metainfo:
                self._totals[mode] += 1
                if not metainfo["stain_normalized"]:
                    self._unchanged[mode][metainfo.get("img_path")] += 1

    def before_val_epoch(self, runner: Runner) -> None:
        """Report the training so far."""
        self._report(runner, "train")

    def after_train_epoch(self, runner: Runner) -> None:
        """Report the rest of the training."""
        self._report(runner, "train")

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Report the validation."""
        self._report(runner, "val")

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Report the test."""
        self._report(runner, "test")

    def _report(self, runner: Runner, part: str) -> None:
        """Add up what all processes have counted, say it, and begin anew."""
        # Every process gets here, with something to say or not.
        counts = all_gather_object((self._totals.pop(part, 0), dict(self._unchanged[part])))
        self._unchanged[part] = Counter()
        unchanged: Counter[str | None] = Counter()
        for _, found in counts:
            unchanged.update(found)
        if not unchanged:
            return
        total = sum(n for n, _ in counts)
        fields = sorted(path for path in unchanged if path is not None)
        text = f"{unchanged.total()} of {total} {PARTS[part]} windows left as they were"
        if fields:
            names = [Path(*Path(path).parts[-2:]).as_posix() for path in fields[:MAX_NAMED]]
            more = ", …" if len(fields) > MAX_NAMED else ""
            noun = "field" if len(fields) == 1 else "fields"
            text += f" ({len(fields)} {noun} with too little tissue: {', '.join(names)}{more})"
        runner.logger.info(f"stain normalisation: {text}")


def _metainfos(samples: Any) -> Iterator[dict]:
    """Give the metainfo of data samples, alone or in lists of any depth."""
    if isinstance(samples, list | tuple):
        for sample in samples:
            yield from _metainfos(sample)
    elif samples is not None:
        yield samples.metainfo
