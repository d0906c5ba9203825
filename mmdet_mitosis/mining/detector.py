"""Running a trained detector over the fields of any split, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path

import torch
from mmdet.registry import DATASETS, METRICS
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset, pseudo_collate
from torch import nn
from torch.utils.data import DataLoader

from mmdet_mitosis.engine.launch import build_runner, drop_training_hooks
from mmdet_mitosis.evaluation.centroid_fscore import CentroidFScore
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.windows import merge_field


def load_detector(cfg: Config, checkpoint: Path, log_dir: Path) -> nn.Module:
    """Build a detector with the weights of a checkpoint, to predict with.

    Args:
        cfg: Its config.
        checkpoint: The ``.pth`` file.
        log_dir: Folder for MMEngine's log.

    Returns:
        The detector, on the GPU where there is one.

    Raises:
        ValueError: If the config cannot be built, or the checkpoint is of another model.
    """
    cfg = deepcopy(cfg)
    cfg.work_dir, cfg.log_level = str(log_dir), "WARNING"
    cfg.load_from, cfg.resume = str(checkpoint), False
    drop_training_hooks(cfg)
    runner = build_runner(cfg)
    runner.load_or_resume()
    return runner.model.eval()


def split_dataset(cfg: Config, split: str) -> ConfigDict:
    """Describe the windows of a split as validation reads windows, none left out.

    Args:
        cfg: A detector's config.
        split: ``train`` or ``val``.

    Returns:
        Config of the dataset.

    Raises:
        ValueError: If a dataset of the config names no annotations.
    """
    source, reading = (_innermost(cfg, name) for name in (split, "val"))
    own = {key: source[key] for key in ("ann_file", "data_root", "data_prefix") if key in source}
    return ConfigDict({**reading, **own, "test_mode": True})


def build_dataset(dataset: ConfigDict) -> BaseDataset:
    """Build a dataset.

    Args:
        dataset: Its config.

    Returns:
        The dataset.

    Raises:
        FileNotFoundError: If its annotations are not there.
        ValueError: If it cannot be built.
    """
    return DATASETS.build(dataset)


def split_metric(cfg: Config, ann_file: str, threshold: float) -> CentroidFScore:
    """Build the metric that takes a detector's windows to field level as validation does.

    Args:
        cfg: The detector's config.
        ann_file: Annotations of the split.
        threshold: Score threshold.

    Returns:
        The metric.

    Raises:
        ValueError: If validation has no ``CentroidFScore``.
    """
    evaluator = cfg.get("val_evaluator") or []
    for metric in [evaluator] if isinstance(evaluator, dict) else evaluator:
        if metric.get("type") == CentroidFScore.__name__:
            return METRICS.build({**metric, "ann_file": ann_file, "threshold": threshold})
    raise ValueError(f"{cfg.filename}: val_evaluator has no CentroidFScore, so it cannot be mined")


def windows_by_field(dataset: BaseDataset) -> dict[int, list[int]]:
    """Find the windows of each field.

    Args:
        dataset: Windows with ``img_id``.

    Returns:
        Indices of the windows, by image id.
    """
    windows: dict[int, list[int]] = {}
    for index in range(len(dataset)):
        windows.setdefault(dataset.get_data_info(index)["img_id"], []).append(index)
    return windows


@torch.no_grad()
def detect_fields(
    model: nn.Module,
    dataset: BaseDataset,
    windows: dict[int, list[int]],
    metric: CentroidFScore,
    loader: ConfigDict,
) -> Iterator[tuple[int, FieldDetections]]:
    """Detect mitoses in fields, one after the other.

    A batch holds windows of one field alone, so that what is found there does not depend on which
    fields are asked for.

    Args:
        model: The detector.
        dataset: The windows.
        windows: Those of each field, by image id.
        metric: Of :func:`split_metric`.
        loader: ``batch_size`` and ``num_workers`` are read.

    Yields:
        Image id and detections at or above the metric's threshold, merged as for scoring.
    """
    mpp = {truth.image_id: truth.mpp for truth in metric.fields}
    batches, last_batch_of = [], {}
    for image_id, indices in windows.items():
        batches += [
            indices[i : i + loader.batch_size] for i in range(0, len(indices), loader.batch_size)
        ]
        last_batch_of[len(batches) - 1] = image_id
    samples = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=loader.get("num_workers", 0),
        collate_fn=pseudo_collate,
    )
    for number, batch in enumerate(samples):
        metric.process(batch, [sample.to_dict() for sample in model.test_step(batch)])
        if number in last_batch_of:
            image_id = last_batch_of[number]
            radius_px = metric.merge_radius_um / mpp[image_id]
            yield image_id, merge_field(metric.results, radius_px).above(metric.threshold)
            metric.results.clear()


def _innermost(cfg: Config, split: str) -> ConfigDict:
    """Find the dataset of a split below what repeats or balances it."""
    dataset: Sequence | ConfigDict = cfg.get(f"{split}_dataloader", {}).get("dataset", {})
    while isinstance(dataset, dict) and "dataset" in dataset:
        dataset = dataset["dataset"]
    if not isinstance(dataset, dict) or "ann_file" not in dataset:
        raise ValueError(
            f"{cfg.filename}: {split}_dataloader.dataset names no ann_file, so it cannot be mined"
        )
    return dataset
