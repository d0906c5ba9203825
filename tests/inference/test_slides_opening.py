"""Which files open, as what, and what is said of those that do not."""

import sys
import types
from importlib.machinery import ModuleSpec

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from mmdet_mitosis.inference.slides import open_slide, plain_tiff
from tests.inference.slide_files import (
    empty_tiles,
    levels,
    painted,
    write_plain,
    write_pyramid,
    write_svs,
)

MPP = 0.25


@pytest.fixture(scope="module")
def rgb():
    return painted(150, 110)


def pixels(path, mpp=MPP):
    with open_slide(path, mpp) as slide:
        return slide.read(0, 0, slide.width, slide.height, slide.mpp)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_plain_images_are_read_as_they_are(tmp_path, rgb, name):
    assert np.array_equal(pixels(write_plain(tmp_path / name, rgb)), rgb)


def test_jpegs_are_read_as_pillow_does(tmp_path, rgb):
    path = write_plain(tmp_path / "a.jpg", rgb)
    with Image.open(path) as image:
        assert np.array_equal(pixels(path), np.asarray(image))


TIFFS = {
    "strips": ({"compression": "lzw", "rowsperstrip": 8}, "image"),
    "tiles": ({"compression": "zlib", "tile": (32, 32)}, "tiff"),
    "one strip": ({"compression": "zlib", "rowsperstrip": 110}, "image"),
    "planes": ({"compression": "zlib", "planarconfig": "separate"}, "image"),
    "tiles of JPEG 2000": ({"compression": "jpeg2000", "tile": (32, 32)}, "tiffslide"),
}


@pytest.mark.parametrize("kind", TIFFS)
def test_tiffs_of_one_level_are_read_in_parts_where_they_can_be(tmp_path, rgb, kind):
    options, backend = TIFFS[kind]
    data = np.ascontiguousarray(rgb.transpose(2, 0, 1)) if kind == "planes" else rgb
    path = write_plain(tmp_path / "a.tif", data, **options)
    with open_slide(path, MPP) as slide:
        assert slide.backend == backend
        assert np.array_equal(slide.read(20, 30, 77, 50, MPP), rgb[30:80, 20:97])


def test_large_tiffs_in_strips_are_read_in_parts(tmp_path, monkeypatch):
    rgb = painted(600, 1200)
    path = write_plain(tmp_path / "a.tif", rgb, compression="lzw", rowsperstrip=16)
    monkeypatch.setattr(plain_tiff, "WHOLE_STRIPS_PX", 600 * 1200 - 1)
    with open_slide(path, MPP) as slide:
        assert slide.backend == "tiff"
        assert np.array_equal(slide.read(20, 630, 77, 50, MPP), rgb[630:680, 20:97])


SLIDES = {
    "svs": lambda path, pyramid: write_svs(path, pyramid),
    "deflate": lambda path, pyramid: write_pyramid(path, pyramid, MPP),
    "big": lambda path, pyramid: write_pyramid(path, pyramid, MPP, compression="lzw"),
    "uncompressed": lambda path, pyramid: write_pyramid(path, pyramid, MPP, compression=None),
}


@pytest.mark.parametrize("kind", SLIDES)
def test_slides_are_read_level_by_level(tmp_path, kind):
    pyramid = levels(painted(700, 500), 3)
    path = SLIDES[kind](tmp_path / "a.tif", pyramid)
    with open_slide(path) as slide:
        assert (slide.backend, slide.mpp, slide.mpp_from) == ("tiffslide", MPP, "file")
        assert slide.level_sizes == ((700, 500), (350, 250), (175, 125))
        for i, level in enumerate(pyramid):
            found = slide.read(11, 23, 140, 90, MPP * 2**i)
            assert np.array_equal(found, level[23:113, 11:151])


def test_ome_pyramids_are_read(tmp_path):
    pyramid = levels(painted(300, 200), 2)
    path = tmp_path / "a.ome.tif"
    options = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib"}
    about = {"axes": "YXS", "PhysicalSizeX": 503, "PhysicalSizeXUnit": "nm"}
    about |= {"PhysicalSizeY": 0.503, "PhysicalSizeYUnit": "µm"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(pyramid[0], subifds=1, metadata=about, **options)
        tiff.write(pyramid[1], subfiletype=1, **options)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.503)
        assert len(slide.level_sizes) == 2
        assert np.array_equal(slide.read(0, 0, 300, 200, slide.mpp), pyramid[0])
        assert np.array_equal(slide.read(0, 0, 150, 100, slide.mpp * 2), pyramid[1])


def test_tiles_that_were_not_scanned_are_white(tmp_path):
    pyramid = levels(painted(300, 200), 2)
    path = write_pyramid(tmp_path / "a.tif", pyramid, MPP, tile=64)
    empty_tiles(path, 0, [1, 7])  # of 5 columns: (0, 1) and (1, 2)
    expected = pyramid[0].copy()
    expected[0:64, 64:128] = 255
    expected[64:128, 128:192] = 255
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(0, 0, 300, 200, MPP), expected)
        assert np.array_equal(slide.read(100, 50, 90, 60, MPP), expected[50:110, 100:190])


def test_a_single_level_with_gaps_is_white_there_too(tmp_path):
    rgb = painted(300, 200)
    path = write_pyramid(tmp_path / "a.tif", [rgb], MPP, tile=64)
    empty_tiles(path, 0, [0])
    with open_slide(path) as slide:
        assert (slide.read(0, 0, 64, 64, MPP) == 255).all()
        assert np.array_equal(slide.read(64, 0, 236, 200, MPP), rgb[:, 64:])


def test_aperio_jpeg_2000_of_ycbcr_becomes_rgb(tmp_path):
    rgb = painted(256, 128)
    ycbcr = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]
    tiles = [
        imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(ycbcr[:, x : x + 128]), codecformat="j2k", mct=False
        )
        for x in (0, 128)
    ]
    path = tmp_path / "a.svs"
    tifffile.imwrite(
        path,
        iter(tiles),
        shape=rgb.shape,
        dtype=np.uint8,
        tile=(128, 128),
        compression=33003,
        photometric="rgb",
        description="Aperio Image Library v11.2.1\r\n256x128 (128x128)|MPP = 0.25",
        metadata=None,
    )
    assert np.abs(pixels(path).astype(int) - rgb).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_transparent_becomes_white(tmp_path, rgb, suffix):
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    alpha[:50], alpha[50:60] = 0, 128
    rgba = np.dstack([rgb, alpha])
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"])
    else:
        Image.fromarray(rgba).save(path)
    found = pixels(path).astype(int)
    assert (found[:50] == 255).all()
    assert np.abs(found[50:60] - (rgb[50:60] * (128 / 255) + 127)).max() <= 1
    assert np.array_equal(found[60:], rgb[60:])


def test_colours_that_are_multiplied_by_opacity_are_not_so_again(tmp_path, rgb):
    half = np.dstack([rgb // 2, np.full(rgb.shape[:2], 128, np.uint8)])
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, half, photometric="rgb", extrasamples=["assocalpha"])
    assert np.abs(pixels(path).astype(int) - (rgb // 2 + 127)).max() <= 1


def test_palettes_are_read(tmp_path, rgb):
    image = Image.fromarray(rgb).quantize(64)
    image.save(tmp_path / "a.png")
    assert np.array_equal(pixels(tmp_path / "a.png"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_one_pixel_is_a_slide(tmp_path, name):
    path = write_plain(tmp_path / name, np.full((1, 1, 3), 9, np.uint8))
    with open_slide(path, MPP) as slide:
        assert slide.size_at(MPP * 7) == (1, 1)
        assert slide.read(0, 0, 2, 1, MPP).tolist() == [[[9, 9, 9], [255, 255, 255]]]
        assert slide.thumbnail(64).shape == (1, 1, 3)


def test_images_larger_than_pillow_opens_are_read(tmp_path, rgb, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    path = write_plain(tmp_path / "a.png", rgb)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    assert np.array_equal(pixels(path), rgb)


class FakeOpenSlide:
    """A slide of two levels: red, half opaque in its left half, transparent in its right."""

    level_dimensions = ((80, 40), (20, 10))
    level_downsamples = (1.0, 4.0)
    properties = {"openslide.mpp-x": "0.2425", "openslide.mpp-y": "0.2427"}  # noqa: RUF012

    def __init__(self, path):
        if "broken" in path:
            raise OSError("Unsupported or missing image file")

    def read_region(self, location, level, size):
        x = location[0] / self.level_downsamples[level] + np.arange(size[0])
        image = np.zeros((size[1], size[0], 4), np.uint8)
        image[:, x < self.level_dimensions[level][0] / 2] = (255, 0, 0, 255)
        return Image.fromarray(image)

    def close(self):
        pass


@pytest.fixture
def fake_openslide(monkeypatch):
    module = types.ModuleType("openslide")
    module.OpenSlide = FakeOpenSlide
    module.__spec__ = ModuleSpec("openslide", None)
    monkeypatch.setitem(sys.modules, "openslide", module)


@pytest.mark.usefixtures("fake_openslide")
def test_mirax_is_read_by_openslide_and_white_where_transparent(tmp_path):
    path = write_plain(tmp_path / "a.jpg", np.zeros((9, 9, 3), np.uint8)).rename(
        tmp_path / "a.mrxs"
    )
    with open_slide(path) as slide:
        assert (slide.backend, slide.width, slide.mpp) == ("openslide", 80, pytest.approx(0.2426))
        for scale, middle in ((1, 40), (4, 10)):
            found = slide.read(middle - 3, 0, 6, 2, slide.mpp * scale)
            assert (found[:, :3] == (255, 0, 0)).all()
            assert (found[:, 3:] == 255).all()


@pytest.mark.usefixtures("fake_openslide")
def test_what_openslide_cannot_read_is_said(tmp_path):
    (tmp_path / "broken.mrxs").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match=r"cannot read .*broken\.mrxs as a slide: Unsupported"):
        open_slide(tmp_path / "broken.mrxs")


@pytest.mark.usefixtures("fake_openslide")
def test_openslide_stands_in_where_tiffslide_fails(tmp_path, monkeypatch):
    path = write_svs(tmp_path / "a.svs", levels(painted(200, 100), 2))
    broken = write_svs(tmp_path / "broken.svs", levels(painted(200, 100), 2))
    monkeypatch.setattr("tiffslide.TiffSlide.properties", property(lambda self: {}["lost"]))
    with open_slide(path) as slide:
        assert slide.backend == "openslide"
    with pytest.raises(ValueError, match=r"cannot read .*broken\.svs as a slide: 'lost'"):
        open_slide(broken)


@pytest.mark.parametrize("name", ["a.mrxs", "a.dcm", "a.bif"])
def test_without_openslide_it_is_named(tmp_path, name, monkeypatch):
    monkeypatch.setattr(
        "mmdet_mitosis.inference.slides.openslide_source.find_spec", lambda name: None
    )
    (tmp_path / name).write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match=rf"{name} is read by OpenSlide, .*openslide-python"):
        open_slide(tmp_path / name)


def test_openslide_itself_gives_the_same_pixels(tmp_path):
    openslide = pytest.importorskip("openslide")
    assert openslide
    from mmdet_mitosis.inference.slides.openslide_source import OpenSlideSource

    pyramid = levels(painted(700, 500), 3)
    path = write_svs(tmp_path / "a.svs", pyramid)
    reader = OpenSlideSource(path)
    assert reader.sides_um == (MPP, MPP)
    assert reader.level_sizes == ((700, 500), (350, 250), (175, 125))
    for i, level in enumerate(pyramid):
        assert np.array_equal(reader.read(i, (11, 23, 140, 100)), level[23:100, 11:140])
    reader.close()
