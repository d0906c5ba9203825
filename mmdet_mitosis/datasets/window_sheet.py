"""A sheet of windows as a detector is shown them, with their objects, to be judged at a glance."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import PolygonMasks
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData
from PIL import Image, ImageDraw
from tqdm import tqdm

from mmdet_mitosis.datasets.mitosis_dataset import MitosisDataset
from mmdet_mitosis.evaluation.windows import mask_polygons
from mmdet_mitosis.sheets import WARNING, Caption, Cell, contact_sheet

COLORS = ((0, 225, 60), (255, 196, 0), (80, 160, 255))
"""Of the outlines, by class: mitoses are green, look-alikes amber."""
LINE_WIDTH_PX = 2


def build_split(cfg: Config, split: str) -> BaseDataset:
    """Build the dataset of a split so that its windows bring their objects.

    Args:
        cfg: The config; it is not changed.
        split: ``train``, ``val`` or ``test``.

    Returns:
        The dataset; its pipeline is the config's, which in validation and test is led to load
        annotations too.

    Raises:
        FileNotFoundError: If its files are not there.
        ValueError: If the config has no such split, or its files are wrong.
    """
    loader = cfg.get(f"{split}_dataloader")
    if not loader:
        raise ValueError(f"{cfg.filename} has no {split}_dataloader")
    settings = deepcopy(loader.dataset)
    steps = settings.get("pipeline") or []
    annotated = any(step.type == "LoadAnnotations" for step in steps)
    if steps and not annotated and settings.type == MitosisDataset.__name__:
        loading = {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True}
        settings.pipeline = [steps[0], loading, *steps[1:]]
    try:
        return DATASETS.build(settings)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"the {split} dataset of {cfg.filename} cannot be built: {error}"
        ) from error


def choose_windows(dataset: BaseDataset, count: int, seed: int) -> list[int]:
    """Draw windows, one half with objects and one without, as far as there are so many.

    Args:
        dataset: Its records have ``instances``.
        count: How many.
        seed: Seed of the draw.

    Returns:
        Their indices, no index twice, those with objects first.
    """
    order = np.random.default_rng(seed).permutation(len(dataset)).tolist()
    full = [i for i in order if dataset.get_data_info(i)["instances"]]
    empty = sorted(set(order) - set(full), key=order.index)
    n_full = min(len(full), max(count - count // 2, count - len(empty)))
    return full[:n_full] + empty[: count - n_full]


def window_sheet(
    dataset: BaseDataset, indices: Sequence[int], title: str, size: int, columns: int, seed: int
) -> Image.Image:
    """Draw windows after all steps of their pipeline.

    Args:
        dataset: Its pipeline ends with ``PackDetInputs``.
        indices: The windows, at least one.
        title: The line above them.
        size: Length of the longer side of each picture, px.
        columns: Most pictures in a row.
        seed: Seed of the augmentation; with it a window looks the same, whatever is beside it.

    Returns:
        The sheet; below each window stand its field, the place in it, px, and its objects.

    Raises:
        ValueError: If an image cannot be read, or is not packed.
    """
    bar = tqdm(indices, desc="windows", unit="window")
    cells = [window_cell(dataset, index, size, seed) for index in bar]
    return contact_sheet(Caption(title), cells, columns)


def window_cell(dataset: BaseDataset, index: int, size: int, seed: int) -> Cell:
    """Draw one window with the outlines of its objects, or their boxes where it has no masks.

    Args:
        dataset: As :func:`window_sheet`.
        index: The window.
        size: As :func:`window_sheet`.
        seed: As :func:`window_sheet`.

    Returns:
        The picture and two lines about it.

    Raises:
        ValueError: As :func:`window_sheet`.
    """
    _seed_all(np.random.SeedSequence((seed, index)).generate_state(1).item())
    packed = dataset[index]
    if not isinstance(packed, dict) or not {"inputs", "data_samples"} <= set(packed):
        raise ValueError("the pipeline of the dataset must end with PackDetInputs")
    sample: DetDataSample = packed["data_samples"]
    objects = sample.gt_instances
    picture = draw_window(packed["inputs"], objects, size)
    return Cell(picture, [_place(sample), _contents(sample, objects, dataset.metainfo["classes"])])


def draw_window(image: torch.Tensor, objects: InstanceData, size: int) -> Image.Image:
    """Draw objects over a window.

    Args:
        image: (3, H, W), BGR, grey levels 0 to 255.
        objects: ``bboxes`` (N, 4) and ``labels`` (N,), and where there are such ``masks``; px of
            the window.
        size: Length of the longer side of the picture, px.

    Returns:
        The picture.
    """
    bgr = image.permute(1, 2, 0).numpy().clip(0, 255).round().astype(np.uint8)
    scale = size / max(bgr.shape[:2])
    width, height = (max(1, round(side * scale)) for side in bgr.shape[1::-1])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = Image.fromarray(cv2.resize(bgr, (width, height), interpolation=how)[..., ::-1])
    draw = ImageDraw.Draw(picture)
    labels = objects.labels.tolist() if "labels" in objects else []
    for label, outlines in zip(labels, _outlines(objects), strict=True):
        for outline in outlines:
            points = [tuple(point) for point in (np.reshape(outline, (-1, 2)) * scale).tolist()]
            draw.line([*points, points[0]], COLORS[label % len(COLORS)], LINE_WIDTH_PX)
    return picture


def _outlines(objects: InstanceData) -> list[list[np.ndarray]]:
    """Give the outlines of each object, x and y in turn, px of the window."""
    if "masks" in objects:
        masks = objects.masks
        if isinstance(masks, PolygonMasks):
            return masks.masks
        return [mask_polygons(mask.astype(bool), (0, 0)) for mask in masks.masks]
    if "bboxes" not in objects:
        return []
    boxes = getattr(objects.bboxes, "tensor", objects.bboxes).numpy()
    return [[box[[0, 1, 2, 1, 2, 3, 0, 3]]] for box in boxes]


def _place(sample: DetDataSample) -> Caption:
    """Say which window it is."""
    field = Path(str(sample.get("img_path", "?"))).stem
    corner = sample.get("window_xyxy", sample.get("point"))
    return Caption(field if corner is None else f"{field} at {corner[0]:.0f}, {corner[1]:.0f}")


def _contents(sample: DetDataSample, objects: InstanceData, classes: Sequence[str]) -> Caption:
    """Say what it holds, and what was done to it as a whole."""
    if "label" in sample:
        words = [classes[sample.label]]
    else:
        counts = Counter(objects.labels.tolist() if "labels" in objects else [])
        words = [f"{n} x {classes[label]}" for label, n in sorted(counts.items())] or ["no object"]
    if sample.get("flip"):
        words.append(f"flip {sample.get('flip_direction', '')}".rstrip())
    if sample.get("stain_normalized") is False:
        return Caption(", ".join([*words, "stains as they were"]), WARNING)
    return Caption(", ".join(words))


def _seed_all(seed: int) -> None:
    """Seed whatever a transform may draw from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def pipeline_names(dataset: Any) -> list[str]:
    """List the steps of a dataset's pipeline, but for loading and packing.

    Args:
        dataset: The dataset.

    Returns:
        Names of the classes.
    """
    names = [type(step).__name__ for step in dataset.pipeline.transforms]
    return [n for n in names if not n.startswith(("Load", "Pack"))]
