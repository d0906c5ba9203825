"""The ground truth of a split: its fields with their mitoses and look-alikes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from mmdet_mitosis.evaluation.categories import is_mitosis
from mmdet_mitosis.evaluation.tiles import Tile, fields_of_tiles

UNKNOWN = "unknown"


@dataclass(frozen=True)
class FieldTruth:
    """A field as its COCO json tells it.

    ``centroids_xy`` is (G, 2) and ``polygons`` holds G objects' COCO polygons; ``look_alikes_xy``
    is (L, 2), or None where look-alikes are not labelled. All in field px.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    mpp: float
    case: str
    scanner: str
    centroids_xy: np.ndarray
    polygons: list[list[list[float]]]
    look_alikes_xy: np.ndarray | None = None

    @property
    def area_mm2(self) -> float:
        """Area of the field, mm²."""
        return self.width * self.height * self.mpp**2 / 1e6


@dataclass(frozen=True)
class Truth:
    """What a COCO json holds.

    Attributes:
        fields: The labelled fields, also those without mitoses, in the order of the json.
        tiles: By image id, where the images of the json are tiles; empty where they are fields.
        unlabelled: File names, by image id, of fields that nobody has labelled; they cannot be
            scored.
        mitosis_ids: Ids of the categories of mitoses.
    """

    fields: list[FieldTruth]
    tiles: dict[int, Tile] = field(default_factory=dict)
    unlabelled: dict[int, str] = field(default_factory=dict)
    mitosis_ids: frozenset[int] = frozenset({1})


def load_fields(ann_file: str | Path, mpp: float | None = None) -> list[FieldTruth]:
    """Read the labelled fields of a COCO json.

    Args:
        ann_file: As :func:`load_truth`.
        mpp: As :func:`load_truth`.

    Returns:
        One record a field.

    Raises:
        FileNotFoundError: As :func:`load_truth`.
        ValueError: As :func:`load_truth`.
    """
    return load_truth(ann_file, mpp).fields


def load_truth(ann_file: str | Path, mpp: float | None = None) -> Truth:
    """Read the fields of a COCO json, and their mitoses and look-alikes.

    A json of ``prepare.py`` has all that is needed. The tiles of its ``--write-tiles`` are put
    together to fields again, except for those of ``train``, of which some are left out. In a json
    of others the middle of ``bbox`` stands in for ``centroid``, the file's name for ``case``, and
    categories go by their names (``mitosis``, ``mitotic figure``; ``look-alike``,
    ``hard negative``, …).

    Args:
        ann_file: The json.
        mpp: Size of a pixel of the images that say none, µm.

    Returns:
        The ground truth.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no such json: it names the file and what is wrong in it.
    """
    path = Path(ann_file)
    if not path.is_file():
        raise FileNotFoundError(f"no such annotation file: {path} (data_prep/prepare.py makes it)")
    try:
        return _truth(json.loads(path.read_text(encoding="utf-8")), mpp)
    except KeyError as error:
        raise ValueError(f"{path} is no COCO json of fields: it lacks {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no COCO json of fields: {error}") from error


def _truth(coco: dict, mpp: float | None) -> Truth:
    """Make the records of a json."""
    kinds = {c["id"]: is_mitosis(str(c["name"])) for c in coco["categories"]}
    if True not in kinds.values():
        names = ", ".join(repr(c["name"]) for c in coco["categories"]) or "none"
        raise ValueError(f"it has no category of mitoses, only {names}")
    images = {image["id"]: image for image in coco["images"]}
    if len(images) < len(coco["images"]):
        raise ValueError("two images have the same id")
    cells: dict[int, list[dict]] = {image_id: [] for image_id in images}
    for ann in coco["annotations"]:
        if ann["image_id"] not in images:
            raise ValueError(f"annotation {ann['id']} is of no image: {ann['image_id']!r}")
        if kinds.get(ann["category_id"]) is not None:
            image = images[ann["image_id"]]
            cells[ann["image_id"]].append(_cell(ann, image, kinds[ann["category_id"]]))
    tiles: dict[int, Tile] = {}
    if any("window" in image for image in images.values()):
        images, cells, tiles = fields_of_tiles(images, cells)
    unlabelled = {
        i: image["file_name"] for i, image in images.items() if not image.get("labelled", True)
    }
    has_look_alikes = False in kinds.values()
    fields = [
        _field(image, cells[image_id], has_look_alikes, mpp)
        for image_id, image in images.items()
        if image_id not in unlabelled
    ]
    mitosis_ids = frozenset(i for i, is_mitotic in kinds.items() if is_mitotic)
    return Truth(fields, tiles, unlabelled, mitosis_ids)


def _cell(ann: dict, image: dict, mitosis: bool) -> dict:
    """Take from an annotation what is scored."""
    if "centroid" in ann:
        centroid = np.asarray(ann["centroid"], dtype=float)
        if centroid.shape != (2,) or not np.isfinite(centroid).all():
            raise ValueError(
                f"centroid must be [x, y], got {ann['centroid']} in annotation {ann['id']}"
            )
    else:
        centroid = _middle(ann, image)
    return {"mitosis": mitosis, "xy": centroid, "polygons": ann.get("segmentation") or []}


def _middle(ann: dict, image: dict) -> np.ndarray:
    """Give the middle of an annotation's box."""
    box = np.asarray(ann["bbox"], dtype=float)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= 0).any():
        raise ValueError(
            f"bbox must be [x, y, width, height], got {ann['bbox']} in annotation {ann['id']}"
        )
    if (box[:2] + box[2:] > (image["width"] + 1, image["height"] + 1)).any():
        raise ValueError(
            f"the bbox {ann['bbox']} of annotation {ann['id']} reaches beyond its image of "
            f"{image['width']} x {image['height']} px: COCO's is [x, y, width, height]; for "
            "MIDOG's corners, make the json with data_prep/prepare.py midog"
        )
    return box[:2] + box[2:] / 2


def _field(image: dict, cells: list[dict], look_alikes: bool, mpp: float | None) -> FieldTruth:
    """Make the record of one field."""
    own = image.get("mpp", mpp)
    if own is None:
        raise ValueError(f"{image['file_name']} has no mpp, µm a pixel: give it with --mpp")
    if not 0 < float(own) < np.inf:
        raise ValueError(f"mpp must be positive, got {own} for {image['file_name']}")
    mitoses = [cell for cell in cells if cell["mitosis"]]
    others = [cell for cell in cells if not cell["mitosis"]]
    return FieldTruth(
        image_id=image["id"],
        file_name=image["file_name"],
        width=image["width"],
        height=image["height"],
        mpp=float(own),
        case=str(image.get("case", PurePosixPath(image["file_name"]).stem)),
        scanner=str(image.get("scanner", UNKNOWN)),
        centroids_xy=_points(mitoses),
        polygons=[cell["polygons"] for cell in mitoses],
        look_alikes_xy=_points(others) if look_alikes else None,
    )


def _points(cells: Iterable[dict]) -> np.ndarray:
    """Centroids of cells, (N, 2)."""
    return np.array([cell["xy"] for cell in cells], dtype=float).reshape(-1, 2)
