"""The pixels of a window."""

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.transforms.load_window import LoadWindow
from tests import make_data
from tests.make_data import field_image, locate

SIZE = (300, 260)


def record(root, window=(40, 10, 140, 90), **kwargs) -> dict:
    path = str(root / "images" / "field0.png")
    height, width = SIZE[1], SIZE[0]
    return {
        "img_path": path,
        "window_xyxy": window,
        "field_shape": (height, width),
        "instances": [],
        **kwargs,
    }


@pytest.fixture
def root(tmp_path):
    make_data.write_data(tmp_path, [SIZE], [[]])
    return tmp_path


@pytest.mark.parametrize(
    "window", [(0, 0, 100, 100), (40, 10, 140, 90), (200, 160, 300, 260), (0, 0, 300, 260)]
)
def test_pixels_are_those_of_the_window_in_bgr(root, window):
    image = LoadWindow()(record(root, window))["img"]
    x1, y1, x2, y2 = window
    _, x, y = locate(image[..., ::-1])
    assert (x == np.arange(x1, x2)).all() and (y == np.arange(y1, y2)[:, None]).all()
    assert image.dtype == np.uint8 and image.flags.c_contiguous


def test_shapes_are_of_the_window_and_not_of_the_field(root):
    results = LoadWindow()(record(root))
    assert results["img_shape"] == results["ori_shape"] == (80, 100)
    assert results["scale_factor"] == (1.0, 1.0)
    assert results["window_xyxy"] == (40, 10, 140, 90)


def test_a_window_can_be_painted_on_without_changing_the_next(root):
    LoadWindow()(record(root))["img"][:] = 0
    image = LoadWindow()(record(root))["img"]
    np.testing.assert_array_equal(image[..., ::-1], field_image(0, *SIZE)[10:90, 40:140])


@pytest.mark.parametrize("shape", [(300, 260), (260, 301), (1, 1)])
def test_an_image_of_another_size_than_annotated_is_named(root, shape):
    with pytest.raises(ValueError, match=r"field0\.png is 300 x 260 px.*say \d+ x \d+") as caught:
        LoadWindow()(record(root, field_shape=shape))
    assert f"say {shape[1]} x {shape[0]}" in str(caught.value)


def test_a_missing_image_is_named(root):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        LoadWindow()(record(root, img_path=str(root / "none.png")))


def test_registry_builds_it(root, mmdet_scope):
    built = TRANSFORMS.build({"type": "LoadWindow"})
    assert isinstance(built, LoadWindow) and repr(built) == "LoadWindow()"
    assert Compose([built])(record(root))["img"].shape == (80, 100, 3)
