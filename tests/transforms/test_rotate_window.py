"""RotateWindow: pixels, boxes and masks turn together, by quarters alone."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.datasets.transforms import RandomFlip
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from mmdet_mitosis.geometry.shapes import pixel_polygons
from mmdet_mitosis.geometry.turns import turn_boxes, turn_points
from mmdet_mitosis.transforms import RotateWindow
from tests.make_data import box, mask_bbox

WIDTH, HEIGHT = 40, 24
OBJECTS = [box(3, 2, 9, 14), box(30, 15, 40, 24), box(12, 4, 15, 5)]


def masks():
    found = np.zeros((len(OBJECTS), HEIGHT, WIDTH), np.uint8)
    for mask, mitosis in zip(found, OBJECTS, strict=True):
        mask[mitosis.pixels_xy[:, 1], mitosis.pixels_xy[:, 0]] = 1
    return found


def record(polygons=False):
    """A window whose first channel counts its objects' pixels."""
    bitmaps = masks()
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = bitmaps.sum(axis=0)
    outlines = [[p.ravel() for p in pixel_polygons(o.pixels_xy)] for o in OBJECTS]
    return {
        "img": image,
        "img_shape": image.shape[:2],
        "gt_bboxes": HorizontalBoxes(torch.tensor([mask_bbox(m) for m in bitmaps]).float()),
        "gt_masks": PolygonMasks(outlines, HEIGHT, WIDTH)
        if polygons
        else BitmapMasks(bitmaps, HEIGHT, WIDTH),
    }


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3, 4, 7])
def test_points_go_where_numpy_turns_their_pixels(quarters):
    labels = np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH)
    turned = np.rot90(labels, quarters)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    middles = np.stack([x, y], axis=2).reshape(-1, 2) + 0.5
    found = turn_points(middles, WIDTH, HEIGHT, quarters)
    columns, rows = (found - 0.5).astype(int).T
    np.testing.assert_array_equal(turned[rows, columns], labels.ravel())


def test_boxes_stay_boxes():
    found = turn_boxes(np.array([[3, 2, 9, 14.5]]), WIDTH, HEIGHT, 1)
    assert found.tolist() == [[2, WIDTH - 9, 14.5, WIDTH - 3]]
    assert turn_boxes(np.empty((0, 4)), WIDTH, HEIGHT, 1).shape == (0, 4)


@pytest.mark.parametrize("polygons", [False, True])
def test_everything_turns_together_and_each_way_as_often(polygons):
    np.random.seed(0)
    seen = []
    for _ in range(80):
        before = record(polygons)
        image = before["img"].copy()
        after = RotateWindow()(before)
        (quarters,) = [k for k in range(4) if np.array_equal(np.rot90(image, k), after["img"])]
        seen.append(quarters)
        height, width = after["img_shape"] = after["img"].shape[:2]
        found = after["gt_masks"].to_ndarray()
        assert found.shape == (len(OBJECTS), height, width)
        np.testing.assert_array_equal(found.sum(axis=0), after["img"][..., 0])
        boxes = after["gt_bboxes"].tensor
        assert boxes.dtype == torch.float32
        assert boxes.tolist() == [mask_bbox(mask) for mask in found]
    assert all(10 <= seen.count(k) <= 30 for k in range(4))


def test_with_a_flip_there_are_eight_orientations():
    steps = Compose([RotateWindow(), RandomFlip(prob=0.5, direction="horizontal")])
    np.random.seed(0)
    found = {steps(record())["img"].tobytes() for _ in range(100)}
    assert len(found) == 8


def test_a_window_without_objects_or_annotations_turns(mmdet_scope):
    turn = TRANSFORMS.build({"type": "RotateWindow"})
    empty = record()
    empty["gt_bboxes"] = HorizontalBoxes(torch.zeros(0, 4))
    empty["gt_masks"] = BitmapMasks(np.zeros((0, HEIGHT, WIDTH), np.uint8), HEIGHT, WIDTH)
    np.random.seed(3)
    shape = turn(empty)["img_shape"]
    assert empty["gt_masks"].masks.shape == (0, *shape) and empty["gt_bboxes"].tensor.shape[0] == 0
    image = turn({"img": np.zeros((4, 6, 3), np.uint8)})["img"]
    assert image.flags.c_contiguous and sorted(image.shape[:2]) == [4, 6]
    assert repr(turn) == "RotateWindow()"
