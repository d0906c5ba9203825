"""What of a slide is looked at."""

import cv2
import numpy as np
import pytest

from data_prep.synthetic.field import paint_field
from mmdet_mitosis.inference.slides import open_slide
from mmdet_mitosis.inference.tissue import slide_tissue, tissue_in, tissue_mask
from tests.data_prep.archives import REAL_DATA, needs_real_data
from tests.inference.slide_files import write_plain
from tests.transforms.tissue import fat, tissue

MPP = 16.0


def shrunk(rgb, factor):
    size = (rgb.shape[1] // factor, rgb.shape[0] // factor)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def glass(height=300, width=400, seed=0):
    """Glass with the noise of a scanner and JPEG, a little warmer on the right."""
    rng = np.random.default_rng(seed)
    rgb = np.full((height, width, 3), (242, 241, 239.0)) - np.linspace(0, 3, width)[:, None]
    rgb += rng.normal(0, 1.5, rgb.shape)
    return np.rint(rgb).astype(np.uint8)


def slide(*blobs, height=300, width=400):
    """Glass with ellipses of tissue: (x, y, semi-axes), px; and where tissue is."""
    rgb, where = glass(height, width), np.zeros((height, width), np.uint8)
    for x, y, a, b in blobs:
        cv2.ellipse(where, (x, y), (a, b), 0, 0, 360, 1, -1)
    paint = shrunk(tissue(1, max(height, width) * 2), 2)[:height, :width]
    rgb[where > 0] = paint[where > 0]
    return rgb, where > 0


@pytest.mark.parametrize("seed", [0, 1])
def test_of_glass_nothing_is_tissue(seed):
    assert not tissue_mask(glass(seed=seed), MPP).any()
    assert not tissue_mask(np.full((50, 60, 3), 255, np.uint8), MPP).any()


def test_a_cast_of_the_glass_is_no_tissue():
    tinted = np.clip(glass() - np.array([0, 4, 12]), 0, 255).astype(np.uint8)
    assert not tissue_mask(tinted, MPP).any()


@pytest.mark.parametrize(("case", "number"), [(1, 0), (30, 2)])
def test_of_a_field_full_of_tissue_all_is(case, number):
    field = paint_field(0, case, number, 512).image_rgb
    for mpp in (4.0, 16.0):
        assert tissue_mask(shrunk(field, int(mpp / 0.25)), mpp).all()


def test_of_pale_stroma_alone_all_is_tissue():
    rng = np.random.default_rng(0)
    pale = np.array([232, 208, 224]) + rng.normal(0, 4, (80, 90, 3))
    assert tissue_mask(np.rint(pale).astype(np.uint8), MPP).all()


def test_no_tissue_is_lost_and_little_glass_is_kept():
    rgb, where = slide((130, 140, 70, 50), (300, 200, 40, 60))
    mask = tissue_mask(rgb, MPP)
    assert mask[where].all()
    near = cv2.dilate(where.astype(np.uint8), np.ones((19, 19), np.uint8)) > 0
    assert not mask[~near].any()


def test_the_margin_is_a_length():
    rgb, _ = slide((200, 150, 60, 60))
    for mpp in (8.0, 16.0, 25.0):
        reach = np.flatnonzero(tissue_mask(rgb, mpp)[150])
        for side in (200 - reach[0], reach[-1] - 200):
            assert abs((side - 60) * mpp - 100) < 2 * mpp


def test_small_holes_are_tissue_and_large_ones_glass():
    rgb, where = slide((200, 150, 120, 120))
    bare = glass()
    cv2.circle(hole := np.zeros(where.shape, np.uint8), (150, 150), 10, 1, -1)
    cv2.circle(hole, (240, 150), 40, 2, -1)
    rgb[hole > 0] = bare[hole > 0]
    mask = tissue_mask(rgb, MPP)
    assert mask[140:160, 140:160].all()
    assert not mask[150, 240]


def test_dirt_is_no_tissue():
    rgb, where = slide((200, 200, 60, 50))
    rgb[20:23, 30:33] = (190, 90, 150)  # 48 x 48 µm
    rgb[50:140:3, 300:302] = (120, 118, 121)  # a grey hair
    mask = tissue_mask(rgb, MPP)
    assert not mask[:60, :60].any()
    assert not mask[40:140, 295:310].any()
    assert mask[where].all()


def test_a_small_biopsy_is_tissue():
    rgb, where = slide((200, 150, 5, 4))
    assert tissue_mask(rgb, MPP)[where].all()


def test_black_borders_and_ink_are_no_tissue():
    rgb, where = slide((200, 200, 60, 50))
    rgb[:30], rgb[:, :20] = (8, 5, 10), 0
    rgb[60:72, 200:390] = (20, 120, 60)
    rgb[80:92, 200:390] = (40, 80, 170)
    rgb[100:112, 200:390] = (50, 50, 60)
    mask = tissue_mask(rgb, MPP)
    assert mask[where].all()
    assert not mask[:115, 280:].any()
    assert not mask[:, :30].any()


def test_a_black_border_beside_all_tissue_takes_none_of_it():
    rgb, _ = slide((200, 150, 900, 900))
    rgb[:, :40] = 0
    assert tissue_mask(rgb, MPP)[:, 40:].all()


def test_fat_is_left_out_where_it_is_empty():
    rgb = np.concatenate([shrunk(fat(0, 800), 4), shrunk(tissue(0, 800), 4)], axis=1)
    mask = tissue_mask(rgb, MPP)
    assert mask[:, 200:].all()
    assert mask[:, :150].mean() < 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 60), (9, 9)])
def test_tiny_pictures_are_judged_too(shape):
    is_speck = shape == (1, 1)
    stained = np.full((*shape, 3), (180, 90, 150), np.uint8)
    assert tissue_mask(stained, MPP).all() != is_speck
    assert not tissue_mask(np.full((*shape, 3), 243, np.uint8), MPP).any()


def test_the_mask_is_the_same_again_and_leaves_its_picture_alone():
    rgb, _ = slide((130, 140, 70, 50))
    before = rgb.copy()
    assert np.array_equal(tissue_mask(rgb, MPP), tissue_mask(rgb, MPP))
    assert np.array_equal(rgb, before)


def test_wrong_pictures_are_refused():
    with pytest.raises(ValueError, match=r"expected \(h, w, 3\) uint8"):
        tissue_mask(np.zeros((5, 5)), MPP)
    with pytest.raises(ValueError, match="mpp must be positive"):
        tissue_mask(glass(9, 9), 0)


def test_slides_are_masked_and_fields_are_not(tmp_path):
    rgb, where = slide((40, 40, 25, 20), height=120, width=160)
    large = np.repeat(np.repeat(rgb, 16, axis=0), 16, axis=1)
    path = write_plain(tmp_path / "a.png", large)
    with open_slide(path, 1.0) as opened:  # 2560 x 1920 µm
        assert slide_tissue(opened) is None
    with open_slide(path, 2.0) as opened:  # 5120 x 3840 µm
        mask = slide_tissue(opened)
    assert mask.shape == (240, 320)
    assert mask[where.repeat(2, 0).repeat(2, 1)].all()
    assert not mask[:, 200:].any()


def test_windows_that_touch_tissue_are_found():
    rng = np.random.default_rng(0)
    mask = np.zeros((37, 53), bool)
    mask[rng.integers(0, 37, 40), rng.integers(0, 53, 40)] = True
    width, height = 1111, 777
    corners = rng.integers(0, (width - 60, height - 60), (300, 2))
    windows = np.concatenate([corners, corners + rng.integers(1, 60, (300, 2))], axis=1)
    expected = []
    for x1, y1, x2, y2 in windows:
        hit = False
        for row, column in np.argwhere(mask):
            left, right = column * width / 53, (column + 1) * width / 53
            top, bottom = row * height / 37, (row + 1) * height / 37
            hit |= left < x2 and right > x1 and top < y2 and bottom > y1
        expected.append(hit)
    assert tissue_in(mask, windows, width, height).tolist() == expected
    assert 30 < sum(expected) < 270


def test_windows_beyond_the_mask_are_none():
    mask = np.ones((4, 4), bool)
    windows = np.array([[-50, 0, -10, 40], [100, 0, 140, 40], [-10, 0, 1, 40]])
    assert tissue_in(mask, windows, 100, 100).tolist() == [False, False, True]


@needs_real_data
@pytest.mark.parametrize("slide_name", ["A00", "A01", "A02", "A03"])
def test_real_fields_are_all_tissue(slide_name):
    path = min((REAL_DATA / "mitos12" / f"{slide_name}_v2").glob("*.jpg"))
    with open_slide(path, 0.2456) as opened:
        for mpp in (4.0, 16.0):
            picture = opened.read(0, 0, *opened.size_at(mpp), mpp)
            assert tissue_mask(picture, mpp).all()
