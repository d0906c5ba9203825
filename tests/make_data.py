"""Small data sets as ``data_prep`` writes them, and what a window of them shows, pixel by pixel."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config

from mmdet_mitosis.geometry.shapes import pixel_polygons

CONFIGS = Path(__file__).parents[1] / "configs"
MITOSIS = [{"id": 1, "name": "mitosis"}]


@dataclass
class Mitosis:
    """An object: its pixels (N, 2) and its centroid, x first; by default the pixels' mean."""

    pixels_xy: np.ndarray
    centroid_xy: tuple[float, float] | None = None

    def __post_init__(self):
        if self.centroid_xy is None:
            self.centroid_xy = tuple((self.pixels_xy.mean(axis=0) + 0.5).tolist())


def disc(x: float, y: float, radius: float, width: int, height: int) -> Mitosis:
    """Fill a disc around a point, cut off at the field's edges."""
    yy, xx = np.mgrid[:height, :width]
    inside = (xx + 0.5 - x) ** 2 + (yy + 0.5 - y) ** 2 < radius**2
    return Mitosis(np.argwhere(inside)[:, ::-1], (float(x), float(y)))


def box(x1: int, y1: int, x2: int, y2: int, centroid_xy=None) -> Mitosis:
    """Fill a rectangle; the last pixel is (x2 - 1, y2 - 1)."""
    pixels = [(x, y) for y in range(y1, y2) for x in range(x1, x2)]
    return Mitosis(np.array(pixels), centroid_xy)


def random_mitoses(rng, n: int, width: int, height: int) -> list[Mitosis]:
    """Draw discs of 6 to 16 px, centred anywhere in a field, its far edges too."""
    centers = rng.uniform((0, 0), (width, height), (n, 2)).round()
    return [disc(x, y, rng.uniform(6, 16), width, height) for x, y in centers]


def field_image(index: int, width: int, height: int) -> np.ndarray:
    """Paint a field whose RGB pixels tell where they are; see :func:`locate`."""
    y, x = np.mgrid[:height, :width]
    high = (x >> 8) | (y >> 8) << 2 | index << 4
    return np.stack([x & 255, y & 255, high], axis=2).astype(np.uint8)


def locate(rgb: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Read off a window's pixels: the index of the field, and the x and y of each pixel in it."""
    red, green, high = np.moveaxis(rgb.astype(int), 2, 0)
    (index,) = np.unique(high >> 4)
    return int(index), red | (high & 3) << 8, green | (high >> 2 & 3) << 8


def coco(sizes: list[tuple[int, int]], mitoses: list[list[Mitosis]]) -> dict:
    """Describe fields of some (width, height) and their mitoses."""
    images, annotations = [], []
    for index, ((width, height), objects) in enumerate(zip(sizes, mitoses, strict=True)):
        images.append(
            {
                "id": index + 1,
                "file_name": f"field{index}.png",
                "name": f"field{index}",
                "width": width,
                "height": height,
                "case": f"{index:02}",
                "scanner": "scanner",
                "mpp": 0.25,
                "labelled": True,
            }
        )
        for mitosis in objects:
            outlines = pixel_polygons(mitosis.pixels_xy)
            x1, y1 = mitosis.pixels_xy.min(axis=0).tolist()
            x2, y2 = (mitosis.pixels_xy.max(axis=0) + 1).tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index + 1,
                    "category_id": 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": len(mitosis.pixels_xy),
                    "iscrowd": 0,
                    "segmentation": [outline.ravel().tolist() for outline in outlines],
                    "centroid": list(mitosis.centroid_xy),
                    "shape": "contour",
                }
            )
    return {"images": images, "annotations": annotations, "categories": MITOSIS}


def write_json(path: Path, content: object) -> str:
    """Write a json file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return str(path)


def write_data(root: Path, sizes: list, mitoses: list, split: str = "train") -> str:
    """Write ``images/`` and ``annotations/<split>.json``; give the json's path."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for index, (width, height) in enumerate(sizes):
        rgb = field_image(index, width, height)
        cv2.imwrite(str(root / "images" / f"field{index}.png"), rgb[..., ::-1])
    return write_json(root / "annotations" / f"{split}.json", coco(sizes, mitoses))


def shown(mitosis: Mitosis, window_xyxy) -> np.ndarray:
    """Paint the pixels of an object that a window shows, in the window's frame, one by one."""
    x1, y1, x2, y2 = window_xyxy
    mask = np.zeros((y2 - y1, x2 - x1), bool)
    for x, y in mitosis.pixels_xy:
        if x1 <= x < x2 and y1 <= y < y2:
            mask[y - y1, x - x1] = True
    return mask


def expected(mitoses: list[Mitosis], window_xyxy, size: tuple[int, int]):
    """Tell by the rules what a window holds.

    Returns:
        The masks of its objects, and whether it shows more than a quarter of another mitosis.
    """
    x1, y1, x2, y2 = window_xyxy
    masks, foreign = [], False
    for mitosis in mitoses:
        x, y = mitosis.centroid_xy
        mask = shown(mitosis, window_xyxy)
        inside_x = x1 <= x < x2 or x == x2 == size[0]
        inside_y = y1 <= y < y2 or y == y2 == size[1]
        if inside_x and inside_y:
            masks += [mask] if mask.any() else []
        elif 4 * np.count_nonzero(mask) > len(mitosis.pixels_xy):
            foreign = True
    return masks, foreign


def mask_bbox(mask: np.ndarray) -> list[int]:
    """Bound a mask's pixels: x1, y1, x2, y2, the far ends exclusive."""
    y, x = np.nonzero(mask)
    return [x.min().item(), y.min().item(), x.max().item() + 1, y.max().item() + 1]


def with_data(name: str, root: Path) -> Config:
    """Read a config of the tree, with its data below another root and nothing to download."""
    cfg = Config.fromfile(CONFIGS / name)
    for split in ("train", "val", "test"):
        cfg[f"{split}_dataloader"].dataset.data_root = str(root)
    for split in ("val", "test"):
        cfg[f"{split}_evaluator"].ann_file = str(root / "annotations" / f"{split}.json")
    cfg.load_from = None
    return cfg


def shrink(model, base_channels: int = 8, width: int = 16) -> None:
    """Make the demo's detector as narrow as it gets."""
    model.backbone.base_channels = base_channels
    model.neck.update(in_channels=[base_channels << k for k in range(4)], out_channels=width)
    model.rpn_head.update(in_channels=width, feat_channels=width)
    head = model.roi_head
    head.bbox_roi_extractor.out_channels = head.mask_roi_extractor.out_channels = width
    head.bbox_head.update(in_channels=width, fc_out_channels=16)
    head.mask_head.update(in_channels=width, conv_out_channels=width, num_convs=1)
