"""Crops around candidates: where they lie, what they show beyond the field, and how they turn."""

import cv2
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.transforms import LoadCandidate, RotateCandidate
from mmdet_mitosis.transforms.crop_candidate import crop_around, crop_indices
from tests.make_data import field_image, locate
from tests.transforms.tissue import save, tissue


def slow_crop(image, xy, size):
    """Cut pixel by pixel, walking back wherever a border is met."""

    def mirror(place, length):
        while length > 1 and not 0 <= place < length:
            place = -place if place < 0 else 2 * (length - 1) - place
        return place if length > 1 else 0

    height, width = image.shape[:2]
    left, top = (int(np.floor(v)) - size // 2 for v in xy)
    out = np.empty((size, size, image.shape[2]), image.dtype)
    for row in range(size):
        for column in range(size):
            out[row, column] = image[mirror(top + row, height), mirror(left + column, width)]
    return out


@pytest.mark.parametrize("size", [1, 6, 7])
def test_the_pixel_of_the_point_is_in_the_middle(size):
    image = field_image(0, 40, 30)
    for x, y in [(20, 15), (20.0, 15.99), (20.99, 15.0), (19.5, 14.5)]:
        _, xs, ys = locate(crop_around(image, (x, y), size))
        middle = size // 2
        assert (xs[middle, middle], ys[middle, middle]) == (int(x), int(y))
        assert (np.diff(xs, axis=1) == 1).all() and (np.diff(ys, axis=0) == 1).all()


def test_beyond_the_border_it_is_mirrored_at_the_outermost_pixel():
    image = field_image(0, 40, 30)
    _, xs, ys = locate(crop_around(image, (1, 28), 8))
    assert xs[0].tolist() == [3, 2, 1, 0, 1, 2, 3, 4]
    assert ys[:, 0].tolist() == [24, 25, 26, 27, 28, 29, 28, 27]


def test_it_is_what_a_padded_image_shows():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (30, 40, 3), np.uint8)
    padded = np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="reflect")
    for x, y in [(0, 0), (40, 30), (39.9, 0.2), (17.3, 29.5), *rng.uniform(0, 30, (20, 2))]:
        left, top = int(x) - 6 + 20, int(y) - 6 + 20
        found = crop_around(image, (x, y), 12)
        np.testing.assert_array_equal(found, padded[top : top + 12, left : left + 12])
        assert found.flags.c_contiguous


def test_fields_smaller_than_the_crop_are_mirrored_again_and_again():
    rng = np.random.default_rng(1)
    for height, width in [(1, 1), (1, 5), (2, 3), (4, 9)]:
        image = rng.integers(0, 256, (height, width, 3), np.uint8)
        for xy in rng.uniform((-3, -3), (width + 3, height + 3), (5, 2)):
            np.testing.assert_array_equal(crop_around(image, xy, 21), slow_crop(image, xy, 21))


def test_impossible_crops_are_refused():
    for arguments, said in [
        ((3, 0, 5), "size and length must be at least 1 px, got 0 and 5"),
        ((3, 4, 0), "size and length must be at least 1 px, got 4 and 0"),
        ((np.nan, 4, 5), "must be finite, got nan"),
    ]:
        with pytest.raises(ValueError, match=said):
            crop_indices(*arguments)
    with pytest.raises(ValueError, match="size must be at least 1 px, got 0"):
        LoadCandidate(0)


def record(path, point, shape):
    return {"img_path": path, "field_shape": shape, "point": point, "id": 3, "label": 1}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_reading_a_crop_is_cutting_it_from_the_field(tmp_path, suffix, monkeypatch):
    rgb = tissue(0, 90)[:70]
    path = save(tmp_path / f"field{suffix}", rgb)
    shown = []
    import mmdet_mitosis.transforms.load_candidate as module

    read = module.read_window
    monkeypatch.setattr(module, "read_window", lambda *args: shown.append(args[1]) or read(*args))
    for point in [(45.2, 30.7), (0, 0), (89.9, 69.9), (90, 70), (3, 68)]:
        out = LoadCandidate(24)(record(path, point, (70, 90)))
        np.testing.assert_array_equal(out["img"][..., ::-1], crop_around(rgb, point, 24))
        assert out["img_shape"] == out["ori_shape"] == (24, 24)
        assert out["img"].flags.c_contiguous
    assert all(x2 - x1 <= 24 and y2 - y1 <= 24 for x1, y1, x2, y2 in shown)


def test_a_field_of_another_size_than_the_file_says_is_refused(tmp_path):
    path = save(tmp_path / "field.png", tissue(0, 64))
    with pytest.raises(ValueError, match=r"field\.png is 64 x 64 px.* says 64 x 60"):
        LoadCandidate(8)(record(path, (9, 9), (60, 64)))


def test_stains_of_a_crop_are_those_of_its_field(tmp_path, mmdet_scope):
    rgb = tissue(0, 160)
    path = save(tmp_path / "images" / "field.png", rgb)
    steps = [{"type": "LoadCandidate", "size": 32}, {"type": "StainNormalize"}]
    crop = Compose([TRANSFORMS.build(step) for step in steps])(record(path, (5, 90), (160, 160)))
    whole = TRANSFORMS.build({"type": "StainNormalize"})({"img": rgb[..., ::-1].copy()})["img"]
    np.testing.assert_array_equal(crop["img"], crop_around(whole, (5, 90), 32))
    assert crop["stain_normalized"]


def test_quarter_turns_are_all_four_and_move_whole_pixels():
    image = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    transform = RotateCandidate(8)
    np.random.seed(0)
    seen = {transform({"img": image})["img"].tobytes() for _ in range(60)}
    cut = image[2:10, 2:10]
    turned = [cut, cut[::-1, ::-1], cut.swapaxes(0, 1)[::-1], cut.swapaxes(0, 1)[:, ::-1]]
    assert seen == {np.ascontiguousarray(one).tobytes() for one in turned}


@pytest.mark.parametrize(("context", "size"), [(80, 80), (81, 80), (95, 64), (94, 63), (30, 7)])
def test_cutting_leaves_the_point_where_a_smaller_crop_has_it(context, size, monkeypatch):
    image = field_image(0, 300, 300)
    transform = RotateCandidate(size)
    monkeypatch.setattr(transform, "_random_quarters", lambda: 0)
    out = transform({"img": crop_around(image, (150.5, 140.2), context)})
    np.testing.assert_array_equal(out["img"], crop_around(image, (150.5, 140.2), size))
    assert out["img_shape"] == (size, size)


@pytest.mark.parametrize("size", [7, 8, 31, 64])
def test_no_corner_of_any_angle_is_empty(size, monkeypatch):
    needed = RotateCandidate.context_size(size)
    white = np.full((needed, needed, 3), 255, np.uint8)
    transform = RotateCandidate(size, angles="any")
    for angle in np.linspace(0, 360, 97):
        monkeypatch.setattr(transform, "_random_angle", lambda angle=angle: angle)
        out = transform({"img": white})["img"]
        assert out.shape == (size, size, 3) and out.min() == 255
    # A square of the crop's own size does have black corners at 45 degrees.
    middle = ((size - 1) / 2, (size - 1) / 2)
    tilted = cv2.warpAffine(
        white[:size, :size], cv2.getRotationMatrix2D(middle, 45, 1.0), (size, size)
    )
    assert tilted.min() < 255


def test_any_angle_turns_about_the_middle_and_keeps_lengths(monkeypatch):
    needed = RotateCandidate.context_size(41)
    y, x = np.mgrid[:needed, :needed] - (needed - 1) / 2
    transform = RotateCandidate(41, angles="any")

    def spot(angle):
        """Where a spot 12 px right of the middle comes to lie, relative to the new middle."""
        blob = 255 * np.exp(-((x - 12) ** 2 + y**2) / 8)
        monkeypatch.setattr(transform, "_random_angle", lambda: angle)
        image = np.repeat(blob[..., None], 3, axis=2).astype(np.uint8)
        out = transform({"img": image})["img"][..., 0].astype(float)
        rows, columns = np.mgrid[:41, :41] - 20.0
        return np.array([(columns * out).sum(), (rows * out).sum()]) / out.sum()

    for angle in (0, 30, 90, 137, 250):
        expected = 12 * np.array([np.cos(np.radians(angle)), -np.sin(np.radians(angle))])
        np.testing.assert_allclose(spot(angle), expected, atol=0.1)


def test_angles_are_drawn_from_the_whole_circle():
    transform = RotateCandidate(5, angles="any")
    np.random.seed(0)
    angles = np.array([transform._random_angle() for _ in range(400)])
    counts = np.histogram(angles, bins=4, range=(0, 360))[0]
    assert counts.sum() == 400 and counts.min() > 70


def test_what_cannot_be_turned_is_refused(mmdet_scope):
    with pytest.raises(ValueError, match="size must be at least 1 px, got 0"):
        RotateCandidate(0)
    with pytest.raises(ValueError, match="quarter, any, got 'some'"):
        RotateCandidate(8, angles="some")
    built = TRANSFORMS.build({"type": "RotateCandidate", "size": 64, "angles": "any"})
    for shape in [(64, 64, 3), (94, 94, 3), (95, 96, 3)]:
        with pytest.raises(ValueError, match=r"at least 95 px, .*LoadCandidate\(size=95\)"):
            built({"img": np.zeros(shape, np.uint8)})
    assert built({"img": np.zeros((95, 95, 3), np.uint8)})["img"].shape == (64, 64, 3)


def test_repr_tells_how_they_were_made():
    assert repr(LoadCandidate(9)) == "LoadCandidate(size=9)"
    assert repr(RotateCandidate(9)) == "RotateCandidate(size=9, angles='quarter')"
