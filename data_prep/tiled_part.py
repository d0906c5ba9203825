"""What the tiles of a part hold, expanded field by field, and the names of their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import shapely

from data_prep.coco import MITOSIS
from data_prep.coco_files import Piece
from mmdet_mitosis.geometry.expansion import Outline, Window, expand_field
from mmdet_mitosis.geometry.windows import polygons_bbox

FORMATS = ("png", "jpg")
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class TileOptions:
    """How fields are cut up: side of a tile (px), overlap (fraction of it), and file format."""

    window_size: int = 512
    overlap: float = 0.6
    tile_format: str = "png"

    def check(self) -> None:
        """Refuse what no tiles can be made with.

        Raises:
            ValueError: Naming the option and its value.
        """
        if self.window_size < 16:
            raise ValueError(f"--window must be at least 16 px, got {self.window_size}")
        if not 0 <= self.overlap < 1:
            raise ValueError(f"--overlap must be in [0, 1), got {self.overlap}")
        if self.tile_format not in FORMATS:
            raise ValueError(
                f"unknown tile format {self.tile_format!r}; choose one of {', '.join(FORMATS)}"
            )


@dataclass
class TiledPart:
    """The fields of a part, expanded into windows by the rules of ``MitosisDataset``.

    A cell is in each tile that its centroid lies inside. Of ``train`` are left out: tiles that show
    more than a quarter of a mitosis centred outside, and fields that nobody has labelled.

    Attributes:
        coco: The COCO dictionary of the part.
        part: Its name.
        options: How fields are cut up.
        boxes: The tiles of each field that ``pieces`` has come to, by its file name: (N, 4) int32
            x1, y1, x2, y2, px of the field.
        n_foreign: Tiles left out that show part of a mitosis centred outside.
        n_unlabelled: Fields left out that nobody has labelled.
    """

    coco: dict
    part: str
    options: TileOptions
    boxes: dict[str, np.ndarray] = field(default_factory=dict)
    n_foreign: int = 0
    n_unlabelled: int = 0

    def info(self) -> dict:
        """Say what the json of the tiles says of itself.

        Returns:
            What that of the fields says, ``window`` and ``overlap``.
        """
        options = self.options
        return {**self.coco["info"], "window": options.window_size, "overlap": options.overlap}

    def pieces(self) -> Iterator[Piece]:
        """Expand the fields, once.

        Yields:
            The tiles of a field and their annotations. File names are relative to ``tiles/<part>``;
            an image has ``field`` (the file name of its field) and ``window`` (x1, y1, x2, y2, px
            of it) beside what its field has.
        """
        training = self.part.rpartition("/")[2] == "train"
        cells: dict[int, list[dict]] = {}
        for ann in self.coco["annotations"]:
            cells.setdefault(ann["image_id"], []).append(ann)
        n_images = n_annotations = 0
        for image in self.coco["images"]:
            if training and not image["labelled"]:
                self.n_unlabelled += 1
                continue
            images, annotations = [], []
            for box, shown, shows_foreign in _windows(
                image, cells.get(image["id"], []), self.options
            ):
                if training and shows_foreign:
                    self.n_foreign += 1
                    continue
                n_images += 1
                images.append(_image(image, box, n_images, self.options.tile_format))
                for ann, polygons in shown:
                    n_annotations += 1
                    numbers = {"id": n_annotations, "image_id": n_images}
                    annotations.append({**numbers, **_annotation(ann, polygons, box)})
            if images:
                boxes = [tile["window"] for tile in images]
                self.boxes[image["file_name"]] = np.array(boxes, np.int32)
            yield images, annotations

    def sentence(self) -> str:
        """Count the tiles.

        Returns:
            A sentence.
        """
        found = f"{sum(map(len, self.boxes.values()))} tiles of {self.part}"
        if self.n_foreign:
            found += f"; {self.n_foreign} left out that show part of a mitosis centred outside"
        if self.n_unlabelled:
            found += f"; {self.n_unlabelled} fields left out that nobody has labelled"
        return found


def tile_folder(file_name: str) -> str:
    """Name the folder of a field's tiles below ``tiles/<part>``.

    Args:
        file_name: The file name of the field.

    Returns:
        A relative path with forward slashes.
    """
    stem, _, suffix = file_name.rpartition(".")
    return f"{stem}_{suffix}"


def tile_name(box: Box, tile_format: str) -> str:
    """Name a tile in the folder of its field.

    Args:
        box: Its window x1, y1, x2, y2, px of the field.
        tile_format: ``png`` or ``jpg``.

    Returns:
        The name.
    """
    return "_".join(map(str, box)) + f".{tile_format}"


def _windows(
    field: dict, anns: list[dict], options: TileOptions
) -> Iterable[tuple[Box, list[tuple[dict, list[list[float]]]], bool]]:
    """Give the windows of a field, what each shows, and whether it shows a foreign mitosis."""
    mitoses = [ann for ann in anns if ann["category_id"] == MITOSIS["id"]]
    others = [ann for ann in anns if ann["category_id"] != MITOSIS["id"]]
    expanded: list[list[Window]] = []
    for group in (mitoses, others):
        outlines = [Outline(tuple(ann["centroid"]), ann["segmentation"]) for ann in group]
        size = (field["width"], field["height"])
        expanded.append(expand_field(*size, outlines, options.window_size, options.overlap))
    for of_mitoses, of_others in zip(*expanded, strict=True):
        shown = [(mitoses[index], polygons) for index, polygons in of_mitoses.objects]
        shown += [(others[index], polygons) for index, polygons in of_others.objects]
        yield of_mitoses.xyxy, shown, of_mitoses.shows_foreign


def _image(field: dict, box: Box, image_id: int, tile_format: str) -> dict:
    """Describe a tile."""
    x1, y1, x2, y2 = box
    return {
        **field,
        "id": image_id,
        "file_name": f"{tile_folder(field['file_name'])}/{tile_name(box, tile_format)}",
        "width": x2 - x1,
        "height": y2 - y1,
        "field": field["file_name"],
        "window": list(box),
    }


def _annotation(ann: dict, polygons: list[list[float]], box: Box) -> dict:
    """Describe what a tile shows of a cell, px of the tile."""
    x1, y1, x2, y2 = polygons_bbox(polygons)
    own = {key: ann[key] for key in ann if key not in ("id", "image_id")}
    return {
        **own,
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": sum(shapely.Polygon(np.reshape(flat, (-1, 2))).area for flat in polygons),
        "segmentation": polygons,
        "centroid": [round(v - low, 2) for v, low in zip(ann["centroid"], box[:2], strict=True)],
    }
