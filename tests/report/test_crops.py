"""A picture shows the right pixels, with the finding in the middle and a circle to scale."""

from base64 import b64decode
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from mmdet_mitosis.evaluation.truth import FieldTruth
from mmdet_mitosis.report.crops import COLORS, CROP_PX, LOOK_ALIKE, OUTSIDE, draw_crop, to_data_uri
from mmdet_mitosis.report.findings import FALSE_POSITIVE, HIT, MISS, Finding
from tests.evaluation.fields import truth
from tests.make_data import field_image, locate

GRAY = np.full((600, 800, 3), 120, np.uint8)


def crop(folder: Path, rgb: np.ndarray, center: tuple, kind=MISS, field=None, polygons=()):
    field = field or truth(1)
    tifffile.imwrite(folder / field.file_name, rgb)
    return draw_crop(folder, Finding(kind, field, center, 0.9, list(polygons)), 7.5)


def of_color(picture: np.ndarray, color: tuple) -> np.ndarray:
    """Pixels of a colour, (N, 2), x first."""
    return np.argwhere(np.abs(picture.astype(int) - color).max(axis=2) < 12)[:, ::-1]


def test_pixels_are_those_around_the_finding(tmp_path: Path) -> None:
    picture = crop(tmp_path, field_image(3, 800, 600), (400, 300))
    assert picture.shape == (CROP_PX, CROP_PX, 3)
    corner = picture[:40, :40]
    _, x, y = locate(corner)
    np.testing.assert_array_equal(x, np.arange(40)[None] + 400 - 128 + np.zeros((40, 1)))
    np.testing.assert_array_equal(y, np.arange(40)[:, None] + 300 - 128 + np.zeros((1, 40)))


@pytest.mark.parametrize("center", [(3, 4), (797, 595), (3, 595), (0, 0), (800, 600)])
def test_finding_stays_in_the_middle_at_the_border(tmp_path: Path, center: tuple) -> None:
    picture = crop(tmp_path, GRAY, center)
    beyond = (picture == OUTSIDE).all(axis=2)
    left, top = (128 - c for c in center)
    right, bottom = (c + 128 - size for c, size in zip(center, (800, 600), strict=True))
    assert beyond[:, 0].all() == (left > 0) and beyond[0].all() == (top > 0)
    inside = picture[max(0, top) : 256 - max(0, bottom), max(0, left) : 256 - max(0, right)]
    assert not (inside == OUTSIDE).all(axis=2).any()
    ring = of_color(picture, COLORS[MISS])
    np.testing.assert_allclose((ring.min(axis=0) + ring.max(axis=0)) / 2, 127.5, atol=0.6)


@pytest.mark.parametrize("mpp", [0.25, 0.5, 0.23, 1.0])
def test_circle_has_the_match_radius_whatever_the_resolution(tmp_path: Path, mpp: float) -> None:
    field = truth(1, mpp=mpp)
    for kind, color in COLORS.items():
        picture = crop(tmp_path, GRAY, (400, 300), kind, field)
        ring = of_color(picture, color)
        distance = np.hypot(*(ring - 127.5).T)
        side_um = round(64 / mpp) * mpp
        assert distance.mean() == pytest.approx(7.5 * 256 / side_um, abs=0.7)


def test_neighbours_and_masks_are_drawn(tmp_path: Path) -> None:
    field = truth(1, (400, 300), (460, 300))
    field = FieldTruth(**{**vars(field), "look_alikes_xy": np.array([[400.0, 240.0]])})
    square = [390.0, 290, 410, 290, 410, 310, 390, 310]
    picture = crop(tmp_path, GRAY, (402, 300), HIT, field, [square])
    assert len(of_color(picture[:100, 80:180], LOOK_ALIKE)) > 50
    assert len(of_color(picture[90:170, 180:230], (30, 80, 230))) > 50
    # The outline runs along the borders of pixels, which smooths its colour.
    outline = greenish(picture) & ~greenish(crop(tmp_path, GRAY, (402, 300), HIT, field))
    y, x = np.nonzero(outline)
    assert len(x) > 60
    assert (x.min(), x.max(), y.min(), y.max()) == (115, 136, 117, 138)


def greenish(picture: np.ndarray) -> np.ndarray:
    """Where green outweighs red."""
    return picture[..., 1].astype(int) - picture[..., 0] > 20


def test_image_that_is_not_there_or_another(tmp_path: Path) -> None:
    finding = Finding(FALSE_POSITIVE, truth(1), (5, 5), 0.9)
    with pytest.raises(FileNotFoundError, match=r"1\.tif"):
        draw_crop(tmp_path, finding, 7.5)
    with pytest.raises(ValueError, match="is 700 x 600 px, and the annotation file says 800 x 600"):
        crop(tmp_path, GRAY[:, :700], (5, 5))


def test_data_uri_is_the_picture(tmp_path: Path) -> None:
    picture = crop(tmp_path, GRAY, (400, 300))
    head, _, body = to_data_uri(picture).partition(",")
    assert head == "data:image/jpeg;base64"
    back = cv2.imdecode(np.frombuffer(b64decode(body), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(back.astype(int) - picture).mean() < 3
