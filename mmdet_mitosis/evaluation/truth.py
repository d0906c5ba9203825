"""The ground truth of a split: its fields with their mitoses and look-alikes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from mmdet_mitosis.coco_file import CocoParts, annotation_name, need, read_parts
from mmdet_mitosis.coco_values import EDGE_PX, centroid_of, mpp_of, name_of, polygons_of
from mmdet_mitosis.evaluation.categories import is_mitosis
from mmdet_mitosis.evaluation.tiles import Tile, fields_of_tiles
from mmdet_mitosis.json_file import finite_list, parse_json, shown

UNKNOWN = "unknown"

MAX_PATH = 4096
"""Letters of the longest path that systems take."""


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
    if not isinstance(ann_file, str | Path) or len(str(ann_file)) > MAX_PATH:
        raise ValueError(f"ann_file is {shown(ann_file)}; expected the path of a json")
    path = Path(ann_file)
    if not path.is_file():
        raise FileNotFoundError(f"no such annotation file: {path} (data_prep/prepare.py makes it)")
    try:
        return _truth(read_parts(parse_json(path.read_bytes())), mpp)
    except ValueError as error:
        raise ValueError(f"{path} is no COCO json of fields: {error}") from error


def _truth(coco: CocoParts, mpp: float | None) -> Truth:
    """Make the records of a json."""
    kinds = {key: is_mitosis(name) for key, name in coco.categories.items()}
    if True not in kinds.values():
        names = ", ".join(map(shown, coco.categories.values())) or "none"
        raise ValueError(f"it has no category of mitoses, only {names}")
    images = coco.images
    cells: dict[int, list[dict]] = {image_id: [] for image_id in images}
    for number, ann in enumerate(coco.annotations, start=1):
        mitosis = kinds[ann["category_id"]]
        if mitosis is not None:
            image = images[ann["image_id"]]
            cell = _cell(ann, image, mitosis, annotation_name(ann, number))
            cells[ann["image_id"]].append(cell)
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


def _cell(ann: dict, image: dict, mitosis: bool, name: str) -> dict:
    """Take from an annotation what is scored."""
    place = centroid_of if "centroid" in ann else _middle
    xy = np.array(place(ann, image, name))
    return {"mitosis": mitosis, "xy": xy, "polygons": polygons_of(ann, name)}


def _middle(ann: dict, image: dict, name: str) -> tuple[float, float]:
    """Give the middle of an annotation's box."""
    box = finite_list(need(ann, "bbox", name), 4)
    if box is None or min(box[2:]) <= 0:
        raise ValueError(f"bbox must be [x, y, width, height], got {shown(ann['bbox'])} in {name}")
    x, y, width, height = box
    if x + width > image["width"] + EDGE_PX or y + height > image["height"] + EDGE_PX:
        raise ValueError(
            f"the bbox {shown(ann['bbox'])} of {name} reaches beyond its image of "
            f"{image['width']} x {image['height']} px: COCO's is [x, y, width, height]; for "
            "MIDOG's corners, make the json with data_prep/prepare.py midog"
        )
    middle = [x + width / 2, y + height / 2]
    return centroid_of({"centroid": middle}, image, f"the bbox of {name}")


def _field(image: dict, cells: list[dict], look_alikes: bool, mpp: float | None) -> FieldTruth:
    """Make the record of one field."""
    own = mpp_of(image, mpp)
    if own is None:
        raise ValueError(f"{image['file_name']} has no mpp, µm a pixel: give it with --mpp")
    mitoses = [cell for cell in cells if cell["mitosis"]]
    others = [cell for cell in cells if not cell["mitosis"]]
    return FieldTruth(
        image_id=image["id"],
        file_name=image["file_name"],
        width=image["width"],
        height=image["height"],
        mpp=own,
        case=name_of(image, "case", PurePosixPath(image["file_name"]).stem),
        scanner=name_of(image, "scanner", UNKNOWN),
        centroids_xy=_points(mitoses),
        polygons=[cell["polygons"] for cell in mitoses],
        look_alikes_xy=_points(others) if look_alikes else None,
    )


def _points(cells: Iterable[dict]) -> np.ndarray:
    """Centroids of cells, (N, 2)."""
    return np.array([cell["xy"] for cell in cells], dtype=float).reshape(-1, 2)
