"""Carrying the threshold from validation to test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmdet_mitosis.evaluation.centroid_fscore import CHOOSE, CentroidFScore
from mmdet_mitosis.json_file import finite, shown

KEY = "mitosis_threshold"
"""Where a checkpoint keeps it: what :func:`threshold_record` gives."""


def threshold_record(metric: CentroidFScore, metrics: dict) -> dict:
    """Note the threshold that a validation chose.

    Args:
        metric: The metric that chose it.
        metrics: What the validation gave, by name with prefix.

    Returns:
        ``threshold``, ``f_score``, ``threshold_once`` and ``f_score_once`` (where one window alone
        judges each place), ``chosen_on`` (its json), ``radius_um``; where it was chosen for a
        recall also ``min_recall``, the one asked for, and ``recall``, the one reached.
    """
    record = {
        "threshold": float(metrics[f"{metric.prefix}/threshold"]),
        "f_score": float(metrics[f"{metric.prefix}/f_score"]),
        "chosen_on": str(metric.ann_file),
        "radius_um": float(metric.radius_um),
    }
    for name in ("threshold_once", "f_score_once"):
        if f"{metric.prefix}/{name}" in metrics:
            record[name] = float(metrics[f"{metric.prefix}/{name}"])
    if metric.min_recall is not None:
        record["min_recall"] = float(metric.min_recall)
        record["recall"] = float(metrics[f"{metric.prefix}/recall"])
    return record


def choose_on_validation(runner: Runner) -> dict:
    """Run a test over the validation split, and note the threshold that it chooses.

    Args:
        runner: Its test is that of ``for_testing(cfg, "val", CHOOSE)``.

    Returns:
        As :func:`threshold_record`.
    """
    metrics = runner.test()
    return threshold_record(_centroid_metrics(runner.test_evaluator)[0], metrics)


def choose_threshold(
    stored: Mapping,
    path: str | Path,
    given: float | None,
    option: str = "--threshold",
    once: bool = False,
) -> tuple[float, str]:
    """Take the threshold that a user gives, else the one that a checkpoint stores.

    Args:
        stored: Content of the checkpoint.
        path: Where that is from, for the message.
        given: What the user gives, or None.
        option: How he gives it.
        once: Take the one for windows of which one alone judges each place, where the checkpoint
            stores it; those of earlier versions do not.

    Returns:
        The threshold, and where it is from.

    Raises:
        ValueError: If there is none.
    """
    if given is not None:
        return given, option
    if KEY not in stored:
        raise ValueError(
            f"{path} stores no threshold (a best_*.pth, written after its validation, does): give "
            f"one with {option}, chosen on the validation split; the log of the training prints "
            "mitosis/threshold at every validation"
        )
    threshold, chosen_on = stored_threshold(stored, path)
    own = stored_threshold_once(stored, path) if once else None
    return threshold if own is None else own, f"{chosen_on} (validation)"


def stored_threshold(stored: Mapping, path: str | Path) -> tuple[float, str]:
    """Take the threshold that a checkpoint stores.

    Args:
        stored: Content of the checkpoint, which stores one.
        path: Where that is from, for the message.

    Returns:
        The threshold, and the json that it was chosen on.

    Raises:
        ValueError: If it is none, as one that is not finite.
    """
    record = stored[KEY]
    known = record if isinstance(record, Mapping) else {}
    threshold, chosen_on = finite(known.get("threshold")), known.get("chosen_on")
    if threshold is None or not isinstance(chosen_on, str):
        raise ValueError(
            f"{path} stores the threshold {shown(record)}; expected a finite 'threshold' and the "
            "json that it was 'chosen_on'"
        )
    return threshold, chosen_on


def stored_threshold_once(stored: Mapping, path: str | Path) -> float | None:
    """Take the threshold for windows of which one alone judges each place.

    Args:
        stored: Content of the checkpoint.
        path: Where that is from, for the message.

    Returns:
        The threshold; None where the checkpoint stores none.

    Raises:
        ValueError: If what it stores is none.
    """
    record = stored.get(KEY)
    if not isinstance(record, Mapping) or "threshold_once" not in record:
        return None
    threshold = finite(record["threshold_once"])
    if threshold is None:
        raise ValueError(
            f"{path} stores the threshold_once {shown(record['threshold_once'])}; expected a "
            "finite number"
        )
    return threshold


@HOOKS.register_module()
class ThresholdHook(Hook):
    """Store the threshold that validation chose in the checkpoint that validation picks.

    Only what is written between a validation and the next step gets it: the ``best_*`` checkpoint
    and the periodic one of the same weights that MMEngine then writes anew. The other periodic
    ones would carry the threshold of an earlier state. At test time the stored
    threshold is given to every ``CentroidFScore`` of the test evaluator that has none.
    """

    def __init__(self) -> None:
        self._record: dict | None = None

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Forget the last validation: the weights are about to change."""
        self._record = None

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Note the threshold; the checkpoint hook, which saves the best, comes after this one."""
        for metric in _centroid_metrics(runner.val_loop.evaluator):
            name = f"{metric.prefix}/threshold"
            if metric.threshold == CHOOSE and metrics and name in metrics:
                self._record = threshold_record(metric, metrics)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the threshold if the weights are those that were just validated."""
        if self._record is not None:
            checkpoint[KEY] = self._record

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Give the stored threshold to the test evaluator."""
        # The property would build the loop; in training there is none yet, and none is wanted.
        test_loop = runner._test_loop
        if KEY not in checkpoint or not isinstance(test_loop, BaseLoop):
            return
        for metric in _centroid_metrics(test_loop.evaluator):
            if metric.threshold is None:
                metric.threshold, chosen_on = stored_threshold(checkpoint, "the checkpoint")
                metric.threshold_once = stored_threshold_once(checkpoint, "the checkpoint")
                runner.logger.info(
                    f"threshold {metric.threshold:.4f} from the checkpoint, chosen on {chosen_on}"
                )


def _centroid_metrics(evaluator: object) -> list[CentroidFScore]:
    """Find the metrics that take a threshold."""
    return [m for m in evaluator.metrics if isinstance(m, CentroidFScore)]
