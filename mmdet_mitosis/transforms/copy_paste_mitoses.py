"""More mitoses in a window: those of other fields, pasted into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmdet.structures.mask.structures import polygon_to_bitmap
from mmengine.logging import print_log

from mmdet_mitosis.evaluation.truth import FieldTruth, load_truth
from mmdet_mitosis.geometry.turns import turn_points
from mmdet_mitosis.geometry.windows import Polygons, polygons_bbox
from mmdet_mitosis.places import below
from mmdet_mitosis.transforms.load_window import LoadWindow

GLASS = 215
"""A pixel whose darkest channel is over this is glass, lumen or fat."""
MAX_GLASS = 0.1
"""Most of a place, as a fraction, that may be."""
N_PLACES = 20
"""Places that are tried for each mitosis."""


@dataclass(frozen=True)
class Source:
    """A mitosis with its surroundings.

    ``record`` is what ``LoadWindow`` needs; ``polygons`` are px of its window.
    """

    record: dict
    polygons: Polygons


@dataclass(frozen=True)
class Patch:
    """Pixels (h, w, 3) BGR of a mitosis and its surroundings, and its polygons, px of the patch."""

    image: np.ndarray
    polygons: Polygons

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def mask(self) -> np.ndarray:
        """Its pixels, (h, w) bool."""
        width, height = self.size
        return polygon_to_bitmap([np.asarray(p) for p in self.polygons], height, width)


@TRANSFORMS.register_module()
class CopyPasteMitoses(BaseTransform):
    """Paste mitoses of a split into a window, each in one of eight orientations.

    The mitosis' own pixels are taken as they are; around it they fade into the window over
    ``feather`` px. Nothing is pasted onto another object, nor where the window shows glass. A
    mitosis whose surroundings its field does not hold, or that has a neighbour in them, is no
    source. Give the pixels of both the same stains: ``steps`` has the normalisation that the
    window has had. After Ghiasi et al., Simple Copy-Paste, arXiv 2012.07177.

    This belongs after ``LoadAnnotations`` and the normalisation, and before what changes geometry.

    Required Keys:

    - img (np.uint8, (h, w, 3), BGR)
    - gt_bboxes (BaseBoxes, (N, 4))
    - gt_bboxes_labels (np.int64, (N,))
    - gt_ignore_flags (bool, (N,))
    - gt_masks (optional)

    Modified Keys:

    - img, gt_bboxes, gt_bboxes_labels (0 for what is pasted), gt_ignore_flags, gt_masks

    Args:
        ann_file: COCO json of fields: that of the training split, never of another.
        img_prefix: Folder of its images.
        steps: Steps that the pixels of a source go through after they are read.
        prob: Share of windows that get any.
        max_objects: Most that a window gets; each number from 1 is as likely.
        feather: Width of the soft edge, px.

    Raises:
        FileNotFoundError: If the json is not there.
        ValueError: If it is none of fields, or has no mitosis to paste, or a number is out of
            its range.
    """

    def __init__(
        self,
        ann_file: str,
        img_prefix: str,
        steps: Sequence[dict] = (),
        prob: float = 0.5,
        max_objects: int = 2,
        feather: int = 6,
    ) -> None:
        if not (0 <= prob <= 1 and max_objects >= 1 and feather >= 1):
            raise ValueError(
                "prob must be in [0, 1], max_objects and feather at least 1, got "
                f"{prob}, {max_objects} and {feather}"
            )
        self.ann_file, self.prob = ann_file, prob
        self.max_objects, self.feather = max_objects, feather
        self.sources = list_sources(load_truth(ann_file).fields, Path(img_prefix), feather)
        if not self.sources:
            raise ValueError(f"{ann_file} has no mitosis that can be pasted")
        self.read = Compose([LoadWindow(), *map(TRANSFORMS.build, steps)])

    def transform(self, results: dict) -> dict:
        """Paste into the window.

        Args:
            results: With the required keys.

        Returns:
            The same dictionary.

        Raises:
            FileNotFoundError: If a source's field is not there.
            ValueError: If it is not of the size that the json says, or cannot be read.
        """
        if not self._random_choice():
            return results
        for index, quarters, mirrored, places in zip(*self._random_objects(), strict=True):
            source = self.sources[index]
            image = self.read(dict(source.record))["img"]
            patch = orient(Patch(image, source.polygons), int(quarters), bool(mirrored))
            corner = self._free_place(results, patch, places)
            if corner is not None:
                self._paste(results, patch, corner)
        return results

    def _free_place(
        self, results: dict, patch: Patch, places: np.ndarray
    ) -> tuple[int, int] | None:
        """Find the first place, x and y of the patch's corner, that has tissue and no object."""
        width, height = patch.size
        room = np.array(results["img"].shape[1::-1]) - (width, height)
        if (room < 0).any():
            return None
        taken = results["gt_bboxes"].tensor.numpy()
        for x, y in (places * (room + 1)).astype(int).tolist():
            apart_x = (taken[:, 2] <= x) | (taken[:, 0] >= x + width)
            apart_y = (taken[:, 3] <= y) | (taken[:, 1] >= y + height)
            under = results["img"][y : y + height, x : x + width].min(axis=2)
            if (apart_x | apart_y).all() and np.mean(under > GLASS) <= MAX_GLASS:
                return x, y
        return None

    def _paste(self, results: dict, patch: Patch, corner: tuple[int, int]) -> None:
        """Blend the patch into the window, and add its object."""
        (x, y), (width, height) = corner, patch.size
        image = results["img"].copy()
        under = image[y : y + height, x : x + width]
        under[:] = blend(patch, under, self.feather)
        results["img"] = image
        offset = np.array([x, y], dtype=float)
        polygons = [(np.reshape(p, (-1, 2)) + offset).ravel() for p in patch.polygons]
        boxes = results["gt_bboxes"]
        new = type(boxes)(boxes.tensor.new_tensor([polygons_bbox(polygons)]))
        results["gt_bboxes"] = type(boxes).cat([boxes, new])
        labels = results["gt_bboxes_labels"]
        results["gt_bboxes_labels"] = np.append(labels, np.zeros(1, labels.dtype))
        results["gt_ignore_flags"] = np.append(results["gt_ignore_flags"], False)
        if "gt_masks" in results:
            results["gt_masks"] = add_mask(results["gt_masks"], polygons)

    @cache_randomness
    def _random_choice(self) -> bool:
        """Draw whether the window gets any."""
        return bool(np.random.random() < self.prob)

    @cache_randomness
    def _random_objects(self) -> tuple[np.ndarray, ...]:
        """Draw, for each object, its source, quarter turns, mirroring, and places to try."""
        n = np.random.randint(1, self.max_objects + 1)
        return (
            np.random.randint(len(self.sources), size=n),
            np.random.randint(4, size=n),
            np.random.randint(2, size=n),
            np.random.random((n, N_PLACES, 2)),
        )

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(ann_file={self.ann_file!r}, {len(self.sources)} sources, "
            f"prob={self.prob}, max_objects={self.max_objects}, feather={self.feather})"
        )


def list_sources(fields: Sequence[FieldTruth], folder: Path, margin: int) -> list[Source]:
    """List the mitoses that can be pasted.

    Args:
        fields: The fields of a split.
        folder: Of their images.
        margin: What has to be around a mitosis, px.

    Returns:
        Those whose surroundings lie inside the field and hold no part of another mitosis.
    """
    sources, n_mitoses = [], 0
    for field in fields:
        boxes = np.array([polygons_bbox(p) for p in field.polygons]).reshape(-1, 4)
        windows = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
        windows = windows.astype(int) + np.array([-margin, -margin, margin, margin])
        n_mitoses += len(boxes)
        for i, (x1, y1, x2, y2) in enumerate(windows.tolist()):
            meets = (boxes[:, 2] > x1) & (boxes[:, 0] < x2)
            meets &= (boxes[:, 3] > y1) & (boxes[:, 1] < y2)
            inside = min(x1, y1) >= 0 and x2 <= field.width and y2 <= field.height
            if not inside or np.count_nonzero(meets) > 1:
                continue
            record = {
                "img_path": str(below(folder, field.file_name, f"image {field.image_id!r}")),
                "window_xyxy": (x1, y1, x2, y2),
                "field_shape": (field.height, field.width),
            }
            local = [(np.reshape(p, (-1, 2)) - (x1, y1)).ravel() for p in field.polygons[i]]
            sources.append(Source(record, local))
    print_log(
        f"copy-paste: {len(sources)} of {n_mitoses} mitoses; the others lie at a border or have a "
        "neighbour",
        "current",
    )
    return sources


def orient(patch: Patch, quarters: int, mirrored: bool) -> Patch:
    """Turn a patch, and mirror it from left to right.

    Args:
        patch: The patch.
        quarters: Turns of 90° against the clock.
        mirrored: Whether it is mirrored after that.

    Returns:
        The patch in its new orientation.
    """
    points = [turn_points(p, *patch.size, quarters) for p in patch.polygons]
    turned = replace(patch, image=np.rot90(patch.image, quarters))
    if mirrored:
        turned = replace(turned, image=turned.image[:, ::-1])
        points = [np.array([turned.size[0], 0]) + p * (-1, 1) for p in points]
    return replace(turned, polygons=[p.ravel() for p in points])


def blend(patch: Patch, under: np.ndarray, feather: int) -> np.ndarray:
    """Lay a patch over pixels, with a soft edge outside the mitosis.

    Args:
        patch: The patch.
        under: (h, w, 3) uint8, as large as the patch.
        feather: Width of the edge, px.

    Returns:
        (h, w, 3) uint8: the patch where the mitosis is, ``under`` beyond the edge, and between
        them what lies between.
    """
    distance = cv2.distanceTransform((~patch.mask).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(1 - distance / feather, 0, 1)
    share = (share * share * (3 - 2 * share))[..., None]
    return np.round(share * patch.image + (1 - share) * under).astype(np.uint8)


def add_mask(masks: BitmapMasks | PolygonMasks, polygons: Polygons) -> BitmapMasks | PolygonMasks:
    """Add an object to the masks of an image.

    Args:
        masks: Of the image.
        polygons: Of the object, px.

    Returns:
        The masks with its own as the last one.
    """
    height, width = masks.height, masks.width
    if isinstance(masks, PolygonMasks):
        return PolygonMasks([*masks.masks, [np.asarray(p) for p in polygons]], height, width)
    pixels = polygon_to_bitmap(polygons, height, width).astype(masks.masks.dtype)
    return BitmapMasks(np.concatenate([masks.masks, pixels[None]]), height, width)
