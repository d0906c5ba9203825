"""The classes of the model, of the data and of the annotation files, checked against each other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import nn

from mmdet_mitosis.evaluation.categories import is_mitosis
from mmdet_mitosis.json_file import load_json

EXAMPLE = "metainfo=dict(classes=('mitosis',))"


@HOOKS.register_module()
class ClassCheckHook(Hook):
    """Refuse, before the first step, a model and data whose classes differ.

    MMDetection's ``NumClassCheckHook`` compares numbers alone, validation's not before the first
    validation, and never looks into the annotation files: a class that a file lacks would be
    learnt from nothing, and classes in another order than the file's would be interchanged.
    """

    def before_run(self, runner: Runner) -> None:
        """Check what is about to run: training and validation, or a test.

        Raises:
            ValueError: If classes differ.
        """
        loops = {"train": runner._train_loop, "val": runner._val_loop, "test": runner._test_loop}
        datasets = {
            f"{part}_dataloader.dataset": loop.dataloader.dataset
            for part, loop in loops.items()
            if isinstance(loop, BaseLoop)
        }
        check_classes(getattr(runner.model, "module", runner.model), datasets)


def check_classes(model: nn.Module, datasets: Mapping[str, Any]) -> None:
    """Check the classes of a model and of its data against each other.

    Args:
        model: The detector; its heads say ``num_classes``.
        datasets: Built datasets, or such that wrap others, by the name that the config has for
            them.

    Raises:
        ValueError: If a dataset names no classes; if two name different ones; if an annotation
            file has not a category for each, in the same order, or annotations of none; if not
            the first class alone is that of mitoses, which is what is scored; if a head has
            another number of classes.
    """
    known: list[tuple[str, tuple[str, ...]]] = []
    for where, dataset in datasets.items():
        for leaf in _leaves(dataset):
            classes = _classes(leaf, where)
            if isinstance(leaf, CocoDataset):
                _check_mitosis_first(classes, where)
                _check_categories(Path(leaf.ann_file), classes, where)
            known.append((where, classes))
            first, expected = known[0]
            if classes != expected:
                raise ValueError(
                    f"{where} has the classes {_listed(classes)}, but {first} has "
                    f"{_listed(expected)}: they must be the same, in the same order"
                )
    if known:
        _check_heads(model, *known[0])


def heads(model: nn.Module) -> Iterator[tuple[str, int]]:
    """List the parts of a detector that have a number of classes.

    Region proposals, semantic segmentation and backbones have classes of their own.

    Args:
        model: The detector.

    Yields:
        The place in the config, such as ``model.roi_head.bbox_head[0].num_classes``, and the
        number.
    """
    for name, module in model.named_modules():
        number = getattr(module, "num_classes", None)
        parts = name.split(".")
        own = any(part.startswith(("rpn", "semantic", "backbone")) for part in parts)
        if own or not isinstance(number, int) or number < 1:
            continue
        if name and not any(part.endswith("head") for part in parts):
            continue
        place = re.sub(r"\.(\d+)", r"[\1]", f"model.{name}" if name else "model")
        yield f"{place}.num_classes", number


def _check_heads(model: nn.Module, where: str, classes: tuple[str, ...]) -> None:
    """Refuse heads of another number of classes."""
    wrong = [f"{place} is {number}" for place, number in heads(model) if number != len(classes)]
    if wrong:
        raise ValueError(
            f"{', '.join(wrong)}, but {where} has {len(classes)} "
            f"class{'es' * (len(classes) > 1)}: {_listed(classes)}"
        )


def _leaves(dataset: Any) -> Iterator[Any]:
    """Give the datasets that one joins or repeats."""
    inner = getattr(dataset, "datasets", None) or getattr(dataset, "dataset", None)
    if inner is None:
        yield dataset
        return
    for part in inner if isinstance(inner, list | tuple) else [inner]:
        yield from _leaves(part)


def _classes(dataset: Any, where: str) -> tuple[str, ...]:
    """Give the names of a dataset's classes."""
    classes = getattr(dataset, "metainfo", {}).get("classes")
    if isinstance(classes, str):
        raise ValueError(
            f"the classes of {where} are the text {classes!r}, expected a tuple of names: a "
            f"tuple of one has a comma, {EXAMPLE}"
        )
    if not classes:
        raise ValueError(f"{where} names no classes, expected {EXAMPLE}")
    if len(set(classes)) < len(classes):
        raise ValueError(f"the classes of {where} have a name twice: {_listed(classes)}")
    return tuple(classes)


def _check_mitosis_first(classes: tuple[str, ...], where: str) -> None:
    """Refuse classes of which not the first alone is that of mitoses."""
    if [is_mitosis(name) is True for name in classes] != [True] + [False] * (len(classes) - 1):
        raise ValueError(
            f"the classes of {where} are {_listed(classes)}, expected mitoses first and nothing "
            "else that is one: the first class is what is scored"
        )


def _check_categories(path: Path, classes: tuple[str, ...], where: str) -> None:
    """Refuse an annotation file that does not hold the classes."""
    content = load_json(path, "COCO json of fields")
    categories = content["categories"]
    names = [category["name"] for category in categories]
    used = [name for name in names if name in classes]
    if len(set(used)) < len(used):
        raise ValueError(f"{path} has a category twice: {_listed(names)}")
    missing = [name for name in classes if name not in names]
    if missing:
        hint = "; prepare.py --look-alikes writes them" * (is_mitosis(missing[0]) is False)
        raise ValueError(
            f"{path} has no category {missing[0]!r}, a class of {where}, but {_listed(names)}{hint}"
        )
    if used != list(classes):
        raise ValueError(
            f"{path} has the categories {_listed(used)}, but the classes of {where} are "
            f"{_listed(classes)}: MMDetection numbers them in the order of the file"
        )
    ids = {category["id"] for category in categories}
    for annotation in content["annotations"]:
        if annotation["category_id"] not in ids:
            raise ValueError(
                f"{path}: annotation {annotation['id']} has the category_id "
                f"{annotation['category_id']!r}, expected one of {sorted(ids)}"
            )


def _listed(names: tuple[str, ...] | list[str]) -> str:
    """List names as they are written in a config."""
    return ", ".join(map(repr, names)) or "none"
