"""The eight views, against Pillow's and NumPy's ways to turn an image."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmdet_mitosis.models.views import VIEW_SETS, VIEWS, turn, turn_back, turn_boxes_back

HEIGHT, WIDTH = 7, 11
PILLOW = {view: None if view == "identity" else Image.Transpose[view.upper()] for view in VIEWS}


def pixels(channels: int = 3) -> np.ndarray:
    """An image without symmetry, (channels, height, width)."""
    return np.random.default_rng(0).integers(0, 255, (channels, HEIGHT, WIDTH), dtype=np.uint8)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_pillows_of_that_name(view) -> None:
    image = pixels()
    method = PILLOW[view]
    expected = Image.fromarray(np.moveaxis(image, 0, 2))
    expected = np.asarray(expected if method is None else expected.transpose(method))
    turned = turn(torch.from_numpy(image), view)
    np.testing.assert_array_equal(np.moveaxis(turned.numpy(), 0, 2), expected)
    np.testing.assert_array_equal(turn_back(turned, view).numpy(), image)


@pytest.mark.parametrize("view", VIEWS)
def test_boxes_come_back_to_the_pixels_that_they_bounded(view) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        (x1, x2), (y1, y2) = (np.sort(rng.choice(n + 1, 2, replace=False)) for n in (WIDTH, HEIGHT))
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[y1:y2, x1:x2] = True
        rows, columns = np.nonzero(turn(torch.from_numpy(mask), view).numpy())
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        box = turn_boxes_back(torch.tensor([seen]), view, (HEIGHT, WIDTH))
        assert box.tolist() == [[x1, y1, x2, y2]]


def test_the_sets_hold_different_views_and_begin_with_the_image_as_it_is() -> None:
    image = torch.from_numpy(pixels())
    for name, n in (("one", 1), ("flips", 4), ("all", 8)):
        turned = [tuple(turn(image, view).flatten().tolist()) for view in VIEW_SETS[name]]
        assert len(set(turned)) == n
        assert turned[0] == tuple(image.flatten().tolist())
    shapes = {tuple(turn(image, view).shape[1:]) for view in VIEW_SETS["flips"]}
    assert shapes == {(HEIGHT, WIDTH)}


def test_no_boxes_are_no_boxes() -> None:
    for view in VIEWS:
        assert turn_boxes_back(torch.zeros(0, 4), view, (HEIGHT, WIDTH)).shape == (0, 4)
