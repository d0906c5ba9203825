"""What windows of slides hold, at any resolution."""

import threading

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mmdet_mitosis.inference.slides import open_slide
from mmdet_mitosis.inference.slides import slide as slide_module
from tests.inference.slide_files import levels, painted, write_plain, write_pyramid, write_svs

MPP = 0.25
SCALES = [0.7, 1.0, 1.03, 1.3, 1.7, 2.6, 4.2]


@pytest.fixture(scope="module")
def rgb():
    return painted(601, 430)


@pytest.fixture(scope="module")
def svs(tmp_path_factory, rgb):
    return write_svs(tmp_path_factory.mktemp("svs") / "a.svs", levels(rgb, 3))


def whole_at(slide, mpp):
    return slide.read(0, 0, *slide.size_at(mpp), mpp)


def test_full_resolution_is_the_files_own_pixels(svs, rgb):
    with open_slide(svs) as slide:
        assert (slide.width, slide.height) == (601, 430)
        assert np.array_equal(whole_at(slide, MPP), rgb)
        assert np.array_equal(slide.read(77, 130, 200, 99, MPP), rgb[130:229, 77:277])


@pytest.mark.parametrize("scale", SCALES)
def test_windows_agree_where_they_overlap(svs, scale):
    with open_slide(svs) as slide:
        whole = whole_at(slide, MPP * scale)
        height, width = whole.shape[:2]
        for x, y in [(3, 5), (17, 31), (41, 7), (1, 64)]:
            w, h = min(90, width - x), min(70, height - y)
            window = slide.read(x, y, w, h, MPP * scale)
            assert np.array_equal(window, whole[y : y + h, x : x + w])


@pytest.mark.parametrize("scale", SCALES)
def test_blocks_do_not_show(svs, scale, monkeypatch):
    with open_slide(svs) as slide:
        whole = whole_at(slide, MPP * scale)
        monkeypatch.setattr(slide_module, "BLOCK", 101)
        assert np.array_equal(whole_at(slide, MPP * scale), whole)


@pytest.mark.parametrize("scale", [0.4, 0.91, 1.03, 1.2])
def test_near_the_full_resolution_samples_are_linear(tmp_path, rgb, scale):
    rgb = rgb[:150, :200]
    path = write_plain(tmp_path / "a.png", rgb)
    with open_slide(path, MPP) as slide:
        found = whole_at(slide, MPP * scale)
    places = [(np.arange(n) + 0.5) * scale - 0.5 for n in found.shape[:2]]
    grid = np.meshgrid(*places, indexing="ij")
    expected = np.stack(
        [
            map_coordinates(rgb[..., c].astype(float), grid, order=1, mode="nearest")
            for c in (0, 1, 2)
        ],
        axis=-1,
    )
    # Positions are rounded to 1/32 px, which is worth a few grey levels at a sharp edge.
    assert np.abs(found - expected).mean() < 0.6
    assert np.abs(found - expected).max() < 6


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_whole_factors_are_means(tmp_path, rgb, factor):
    rgb = rgb[: 430 // factor * factor, : 600 // factor * factor]
    path = write_plain(tmp_path / "a.png", rgb)
    with open_slide(path, MPP) as slide:
        found = whole_at(slide, MPP * factor)
    size = (rgb.shape[1] // factor, rgb.shape[0] // factor)
    expected = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_other_factors_are_means_too(tmp_path):
    # Stripes of 1 px are grey at a third of the resolution; single samples of them are not.
    stripes = np.zeros((60, 600, 3), np.uint8)
    stripes[:, ::2] = 200
    path = write_plain(tmp_path / "a.png", stripes)
    with open_slide(path, MPP) as slide:
        for factor in (2.4, 3.3, 7.7):
            assert np.abs(whole_at(slide, MPP * factor)[:, 1:-1].astype(int) - 100).max() <= 40


def test_objects_stay_in_place_at_every_resolution(tmp_path):
    rgb = np.full((600, 900, 3), 240, np.uint8)
    rgb[400:424, 700:724] = 40
    path = write_pyramid(tmp_path / "a.tif", levels(rgb, 3), MPP)
    with open_slide(path) as slide:
        for scale in (0.7, 1, 1.9, 2, 3.3, 4, 5.1):
            dark = 240.0 - whole_at(slide, MPP * scale)[..., 0]
            rows, columns = np.indices(dark.shape) + 0.5
            middle = np.array([(columns * dark).sum(), (rows * dark).sum()]) / dark.sum() * scale
            assert np.abs(middle - (712, 412)).max() < 0.1


def test_the_coarsest_level_that_is_fine_enough_is_read(tmp_path):
    pyramid = [np.full((n, n, 3), v, np.uint8) for n, v in ((512, 10), (256, 20), (128, 30))]
    path = write_pyramid(tmp_path / "a.tif", pyramid, MPP)
    shown = {}
    with open_slide(path) as slide:
        for scale in (0.5, 1, 1.9, 2, 3.9, 3.99, 4, 9):
            shown[scale] = int(slide.read(0, 0, 8, 8, MPP * scale)[0, 0, 0])
    expected = {0.5: 10, 1: 10, 1.9: 10, 2: 20, 3.9: 20, 3.99: 30, 4: 30, 9: 30}
    assert shown == expected  # 3.99: a level 0.25 % coarser is as good


def test_odd_levels_do_not_drift(tmp_path):
    # Halving 1023 px thrice drops up to 7; levels of 127 px that were stretched over all of it
    # would be off by as much at the far end.
    rgb = np.full((64, 1023, 3), 240, np.uint8)
    rgb[:, 984:1000] = 40
    path = write_pyramid(tmp_path / "a.tif", levels(rgb, 4), MPP, tile=64)
    with open_slide(path) as slide:
        dark = 240.0 - whole_at(slide, MPP * 8)[4, :, 0]
    assert abs((dark * (np.arange(len(dark)) + 0.5)).sum() / dark.sum() * 8 - 992) < 0.1


def test_beyond_the_border_is_white(svs, rgb):
    with open_slide(svs) as slide:
        window = slide.read(-10, -20, 700, 500, MPP)
        assert slide.read(5000, 5000, 9, 8, MPP).min() == 255
    assert window.shape == (500, 700, 3)
    assert np.array_equal(window[20:450, 10:611], rgb)
    window[20:450, 10:611] = 255
    assert window.min() == 255


def test_sizes_hold_the_pixels_whose_middle_is_on_the_slide(svs):
    with open_slide(svs) as slide:
        for scale in (0.3, 1, 1.7, 2, 333):
            width, height = slide.size_at(MPP * scale)
            assert width == max(1, (np.arange(3000) * scale + scale / 2 < 601).sum())
            assert height == max(1, (np.arange(3000) * scale + scale / 2 < 430).sum())


def test_thumbnails_come_from_coarse_levels(tmp_path, rgb):
    pyramid = levels(painted(800, 600), 4)
    pyramid[3][:] = 77
    path = write_pyramid(tmp_path / "a.tif", pyramid, MPP)
    with open_slide(path) as slide:
        small = slide.thumbnail(100)
        large = slide.thumbnail(5000)
    assert small.shape == (75, 100, 3)
    assert (small == 77).all()
    assert np.array_equal(large, pyramid[0])


def test_threads_read_what_one_reads(svs):
    places = [(x, y) for x in range(0, 500, 50) for y in range(0, 380, 50)]
    with open_slide(svs) as slide:
        expected = [slide.read(x, y, 60, 40, 0.31) for x, y in places]
        found = {}

        def read(part):
            for i in range(part, len(places), 4):
                found[i] = slide.read(*places[i], 60, 40, 0.31)

        threads = [threading.Thread(target=read, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(np.array_equal(found[i], expected[i]) for i in range(len(places)))


def test_a_closed_slide_says_so(svs):
    slide = open_slide(svs)
    slide.close()
    slide.close()
    with pytest.raises(ValueError, match=r"a\.svs is closed"):
        slide.read(0, 0, 5, 5, MPP)


@pytest.mark.parametrize("size", [(0, 5), (5, -1)])
def test_windows_without_pixels_are_refused(svs, size):
    with open_slide(svs) as slide, pytest.raises(ValueError, match="at least 1 x 1 px"):
        slide.read(0, 0, *size, MPP)


def test_a_resolution_of_nothing_is_refused(svs):
    with open_slide(svs) as slide, pytest.raises(ValueError, match="out_mpp must be positive"):
        slide.size_at(0)
