"""MIDOG's labels as json: like COCO, but a box is x1,y1,x2,y2."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_prep.sources.domains import Domain, edition, scanner_name
from data_prep.sources.resolution import check_mpp
from data_prep.sources.text import load_json
from mmdet_mitosis.evaluation.categories import is_mitosis
from mmdet_mitosis.json_file import finite


@dataclass(frozen=True)
class Annotation:
    """One labelled cell: its id, its number in the file, its box in px, who called it a mitosis."""

    id: int
    line: int
    is_mitosis: bool
    box_xyxy: tuple[float, float, float, float]
    confidence: float | None = None

    @property
    def center_xy(self) -> tuple[float, float]:
        """The centre of the box, px."""
        x1, y1, x2, y2 = self.box_xyxy
        return (x1 + x2) / 2, (y1 + y2) / 2


@dataclass(frozen=True)
class LabelledImage:
    """One image that the labels name; ``size`` is width and height, px, where they tell it."""

    id: int
    file_name: str
    size: tuple[int, int] | None
    domain: Domain
    annotations: list[Annotation] = field(default_factory=list)


@dataclass(frozen=True)
class Labels:
    """A label file: its images, the edition that it is of, what of it is not read."""

    path: Path
    edition: str | None
    images: list[LabelledImage]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_categories(path: Path, names: Mapping[int, str]) -> dict[int, bool]:
    """Tell the mitoses' categories from the look-alikes'.

    Args:
        path: The label file, for the message.
        names: Names of the categories by their ids.

    Returns:
        Whether the cells are mitoses, for each category that is one of the two.

    Raises:
        ValueError: If no category is one of mitoses.
    """
    kinds = {key: is_mitosis(name) for key, name in names.items()}
    if True not in kinds.values():
        found = ", ".join(f"{key} {name!r}" for key, name in names.items()) or "none"
        raise ValueError(
            f"{path} has no category of mitoses: it has {found}; expected 'mitotic figure' and "
            "'hard negative' or the like"
        )
    return {key: kind for key, kind in kinds.items() if kind is not None}


def share(readers: list[int], kinds: Mapping[int, bool]) -> float | None:
    """Give the share of the readers that called a cell a mitosis, or None if there were none."""
    votes = [kinds[reader] for reader in readers if reader in kinds]
    return round(sum(votes) / len(votes), 4) if votes else None


def other_categories(path: Path, counted: Counter[str]) -> tuple[str, ...]:
    """Name the annotations that are neither mitoses nor look-alikes."""
    return tuple(
        f"{path}: {number} annotations of category {name!r}, neither mitoses nor look-alikes"
        for name, number in sorted(counted.items())
    )


def read_json(path: Path) -> Labels:
    """Read MIDOG 2021's, MIDOG 2022's or MIDOG++'s json.

    Args:
        path: The file.

    Returns:
        Its labels.

    Raises:
        ValueError: If it is no such json; names the file and the annotation or image.
    """
    content = load_json(path, "json")
    images_, annotations, categories = (
        _need(content, key, list, str(path)) for key in ("images", "annotations", "categories")
    )
    names = {
        _need(c, "id", int, f"{path}, category {number}"): _need(
            c, "name", str, f"{path}, category {number}"
        )
        for number, c in enumerate(categories, start=1)
    }
    kinds = check_categories(path, names)
    images = _images(path, images_)
    others: Counter[str] = Counter()
    seen: set[int] = set()
    for line, entry in enumerate(annotations, start=1):
        annotation_id = _need(entry, "id", int, f"{path}, annotation {line} of the list")
        where = f"{path}, annotation {annotation_id}"
        if annotation_id in seen:
            raise ValueError(f"{where}: a second one has the same id")
        seen.add(annotation_id)
        image_id = _need(entry, "image_id", int, where)
        category = _need(entry, "category_id", int, where)
        if image_id not in images:
            raise ValueError(f"{where}: there is no image {image_id}")
        if category not in names:
            raise ValueError(f"{where}: there is no category {category}")
        box = _box(_need(entry, "bbox", list, where), where)
        if category not in kinds:
            others[names[category]] += 1
            continue
        readers = _need(entry, "labels", list, where) if "labels" in entry else []
        images[image_id].annotations.append(
            Annotation(annotation_id, line, kinds[category], box, share(readers, kinds))
        )
    info = content.get("info")
    description = str(info.get("description")) if isinstance(info, dict) else ""
    return Labels(
        path,
        edition(description) or edition(path.stem),
        list(images.values()),
        other_categories(path, others),
    )


def _images(path: Path, entries: list) -> dict[int, LabelledImage]:
    """Read the images, by their ids."""
    images: dict[int, LabelledImage] = {}
    for number, entry in enumerate(entries, start=1):
        image_id = _need(entry, "id", int, f"{path}, image {number} of the list")
        where = f"{path}, image {image_id}"
        if image_id in images:
            raise ValueError(f"{where}: a second one has the same id")
        tumour, scanner, mpp = (entry.get(key) for key in ("tumor_type", "scanner", "mpp"))
        if mpp is not None:
            mpp = check_mpp(_need(entry, "mpp", (int, float), where), where)
        domain = Domain(tumour or None, scanner_name(str(scanner)) if scanner else None, mpp)
        size = (_need(entry, "width", int, where), _need(entry, "height", int, where))
        name = _need(entry, "file_name", str, where)
        images[image_id] = LabelledImage(image_id, name, size, domain)
    return images


def _need(entry: Any, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """Give a value that must be there, and of its kind."""
    if not isinstance(entry, dict) or key not in entry:
        found = ", ".join(entry) if isinstance(entry, dict) else type(entry).__name__
        raise ValueError(f"{where} has no {key!r}; it holds {found or 'nothing'}")
    value = entry[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(k.__name__ for k in kinds)
        raise ValueError(f"{where}: {key} is {json.dumps(value)[:60]}; expected {expected}")
    return value


def _box(values: list, where: str) -> tuple[float, float, float, float]:
    """Read a box, and refuse one that is none."""
    numbers = [finite(value) for value in values]
    if len(numbers) != 4 or None in numbers:
        raise ValueError(
            f"{where}: bbox is {json.dumps(values)[:60]}; expected four numbers x1,y1,x2,y2"
        )
    x1, y1, x2, y2 = numbers
    if x2 <= x1 or y2 <= y1:
        raise ValueError(
            f"{where}: bbox is {values}, of width {x2 - x1:g} and height {y2 - y1:g}; expected "
            "x1,y1,x2,y2 (MIDOG's boxes are not x,y,width,height)"
        )
    return x1, y1, x2, y2
