"""What counts as a slide's resolution."""

import numpy as np
import pytest
import tifffile

from mmdet_mitosis.inference.slides import open_slide
from tests.inference.slide_files import levels, painted, write_plain, write_pyramid, write_svs


def tiff(path, across, down=None, unit="CENTIMETER", **options):
    """A TIFF that says how many pixels there are in a unit."""
    return write_plain(
        path,
        np.zeros((9, 9, 3), np.uint8),
        resolution=(across, across if down is None else down),
        resolutionunit=unit,
        **options,
    )


@pytest.mark.parametrize(
    ("across", "unit", "mpp"),
    [(40000, "CENTIMETER", 0.25), (101600, "INCH", 0.25), (20000, "CENTIMETER", 0.5)],
)
def test_resolution_tags_are_believed(tmp_path, across, unit, mpp):
    with open_slide(tiff(tmp_path / "a.tif", across, unit=unit)) as slide:
        assert (slide.mpp, slide.mpp_from) == (pytest.approx(mpp), "file")


@pytest.mark.parametrize(
    ("across", "unit"), [(72, "INCH"), (300, "INCH"), (1, "NONE"), (40000, "NONE"), (2e6, "INCH")]
)
def test_what_no_scanner_makes_is_no_resolution(tmp_path, across, unit):
    path = tiff(tmp_path / "a.tif", across, unit=unit)
    with pytest.raises(ValueError, match=r"a\.tif has no resolution: give it with --mpp"):
        open_slide(path)
    with open_slide(path, 0.23) as slide:
        assert (slide.mpp, slide.mpp_from) == (0.23, "given")


def test_plain_images_need_it_given(tmp_path):
    path = write_plain(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ValueError, match=r"a\.png has no resolution: give it with --mpp"):
        open_slide(path)


def test_a_file_that_says_it_is_believed_over_what_is_given(tmp_path):
    with open_slide(tiff(tmp_path / "a.tif", 40000), 0.5) as slide:
        assert (slide.mpp, slide.mpp_from) == (pytest.approx(0.25), "file")


def test_nearly_square_pixels_have_the_mean_and_others_are_refused(tmp_path):
    with open_slide(tiff(tmp_path / "a.tif", 1e4 / 0.25, 1e4 / 0.252)) as slide:
        assert slide.mpp == pytest.approx(0.251, abs=1e-4)
    path = tiff(tmp_path / "b.tif", 1e4 / 0.25, 1e4 / 0.3)
    with pytest.raises(ValueError, match=r"b\.tif has pixels of 0\.25 x 0\.3 µm.* --mpp"):
        open_slide(path)
    with open_slide(path, 0.26) as slide:
        assert slide.mpp == 0.26


def test_aperio_says_it_itself(tmp_path):
    pyramid = levels(painted(200, 100), 2)
    with open_slide(write_svs(tmp_path / "a.svs", pyramid, mpp=0.4991)) as slide:
        assert slide.mpp == 0.4991
    with pytest.raises(ValueError, match="has no resolution"):
        open_slide(write_svs(tmp_path / "b.svs", pyramid, mpp=None))


def test_pyramids_have_it_from_their_tags(tmp_path):
    pyramid = levels(painted(200, 100), 2)
    with open_slide(write_pyramid(tmp_path / "a.tif", pyramid, 0.2431)) as slide:
        assert slide.mpp == pytest.approx(0.2431)
    dpi = {"resolution": (72, 72), "resolutionunit": "INCH"}
    with pytest.raises(ValueError, match="has no resolution"):
        open_slide(write_pyramid(tmp_path / "b.tif", pyramid, **dpi))


def test_imagej_says_its_unit_in_words(tmp_path):
    path = tmp_path / "a.tif"
    about = {"unit": "um", "axes": "YXS"}
    tifffile.imwrite(
        path, np.zeros((9, 9, 3), np.uint8), imagej=True, resolution=(4, 4), metadata=about
    )
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.25)


@pytest.mark.parametrize("mpp", [0, -0.25, 0.05, 3, 250, float("nan")])
def test_a_resolution_that_cannot_be_is_refused(tmp_path, mpp):
    path = write_plain(tmp_path / "a.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ValueError, match=r"--mpp is .*; expected 0\.1 to 2"):
        open_slide(path, mpp)
