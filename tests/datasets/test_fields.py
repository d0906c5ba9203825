"""Reading fields from files of several kinds, whole ones and broken ones."""

import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from mmdet_mitosis.datasets import fields
from mmdet_mitosis.datasets.fields import read_field

RGB = np.random.default_rng(0).integers(0, 256, (90, 70, 3)).astype(np.uint8)
SMOOTH = cv2.GaussianBlur(RGB, (0, 0), 4) // np.array([1, 2, 4], np.uint8)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(fields, "_cache", type(fields._cache)())


def write_tiff(path, image=RGB, **kwargs):
    tifffile.imwrite(path, image, photometric="rgb", **kwargs)
    return path


def write_image(path, image=RGB):
    Image.fromarray(image).save(path)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.bmp"])
def test_channels_are_red_green_blue(tmp_path, name):
    np.testing.assert_array_equal(read_field(write_image(tmp_path / name)), RGB)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"rowsperstrip": 16},
        {"tile": (32, 32)},
        {"compression": "zlib"},
        {"compression": "lzw"},
    ],
    ids=["plain", "strips", "tiles", "zlib", "lzw"],
)
@pytest.mark.parametrize("name", ["a.tif", "a.TIFF"])
def test_tiffs_of_all_layouts_are_read(tmp_path, name, kwargs):
    np.testing.assert_array_equal(read_field(write_tiff(tmp_path / name, **kwargs)), RGB)


def test_a_tiff_of_several_pages_gives_the_first(tmp_path):
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(RGB, photometric="rgb")
        file.write(RGB[::2, ::2], photometric="rgb")
    np.testing.assert_array_equal(read_field(path), RGB)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG"])
def test_jpegs_are_read_in_the_same_order_of_channels(tmp_path, name):
    image = read_field(write_image(tmp_path / name, SMOOTH))
    errors = np.abs(image.astype(int) - SMOOTH).mean(axis=(0, 1))
    assert image.shape == SMOOTH.shape and errors.max() < 3
    assert np.abs(image[..., ::-1].astype(int) - SMOOTH).mean() > 5


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_the_alpha_channel_is_dropped(tmp_path, name):
    rgba = np.dstack([RGB, np.full((90, 70), 40, np.uint8)])
    if name.endswith("tif"):
        path = write_tiff(tmp_path / name, rgba, extrasamples=["unassalpha"])
    else:
        path = write_image(tmp_path / name, rgba)
    image = read_field(path)
    np.testing.assert_array_equal(image, RGB)
    assert image.flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("gray.png", RGB[..., 0], r"gray\.png holds uint8 values of shape \(90, 70\); expected"),
        ("gray.jpg", RGB[..., 0], r"gray\.jpg is of mode L; expected 8-bit RGB"),
        ("deep.png", RGB[..., 0].astype(np.uint16), r"deep\.png holds uint16"),
    ],
)
def test_what_is_not_rgb_is_refused(tmp_path, name, image, message):
    with pytest.raises(ValueError, match=message):
        read_field(write_image(tmp_path / name, image))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"data": RGB[..., 0]},
        {"data": RGB.astype(np.uint16)},
        {"data": RGB.transpose(2, 0, 1), "photometric": "rgb", "planarconfig": "separate"},
    ],
    ids=["gray", "16 bits", "planes"],
)
def test_a_tiff_that_is_not_8_bit_rgb_is_refused(tmp_path, kwargs):
    tifffile.imwrite(tmp_path / "a.tif", **kwargs)
    with pytest.raises(ValueError, match=r"a\.tif holds uint.*expected 8-bit RGB"):
        read_field(tmp_path / "a.tif")


def test_a_cmyk_jpeg_is_not_taken_for_rgba(tmp_path):
    Image.fromarray(SMOOTH).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"a\.jpg is of mode CMYK"):
        read_field(tmp_path / "a.jpg")


@pytest.mark.parametrize("fraction", [0.0, 0.01, 0.5, 0.97])
@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "plain", "strips", "tiles", "zlib"])
def test_a_truncated_file_is_named_and_not_filled_up(tmp_path, kind, fraction):
    layouts = {
        "plain": {},
        "strips": {"rowsperstrip": 16},
        "tiles": {"tile": (32, 32)},
        "zlib": {"compression": "zlib"},
    }
    if kind in layouts:
        path = write_tiff(tmp_path / "cut.tif", **layouts[kind])
    else:
        path = write_image(tmp_path / f"cut.{kind}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(ValueError, match=path.name):
        read_field(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.txt"])
def test_what_is_no_image_is_named(tmp_path, name):
    (tmp_path / name).write_text("this is no image at all")
    with pytest.raises(ValueError, match=name):
        read_field(tmp_path / name)


@pytest.mark.parametrize("name", ["none.png", "none.tif", "none.jpg"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f"no such image: .*{name}"):
        read_field(tmp_path / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder\.png"):
        read_field(tmp_path / "folder.png")


@pytest.fixture
def decoded(monkeypatch):
    names, decode = [], fields.decode_field
    monkeypatch.setattr(
        fields, "decode_field", lambda path: names.append(path.name) or decode(path)
    )
    return names


def test_a_field_is_decoded_once_and_cannot_be_written_to(tmp_path, decoded):
    path = write_image(tmp_path / "a.png")
    first = read_field(path)
    assert read_field(str(path)) is first and decoded == ["a.png"]
    for image in (first, read_field(write_tiff(tmp_path / "a.tif")), read_field(path)):
        with pytest.raises(ValueError, match="read-only"):
            image[0, 0] = 0


def test_the_cache_drops_what_was_used_longest_ago(tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(fields, "CACHE_BYTES", int(2.5 * RGB.nbytes))
    a, b, c = (write_image(tmp_path / f"{name}.png") for name in "abc")
    for path in (a, b, a, c):  # c takes the place of b, not of a
        read_field(path)
    assert [path.rsplit("/")[-1] for path in fields._cache] == ["a.png", "c.png"]
    for path in (a, c, b):
        read_field(path)
    assert decoded == ["a.png", "b.png", "c.png", "b.png"]


def test_a_field_larger_than_the_cache_is_still_kept(tmp_path, decoded, monkeypatch):
    monkeypatch.setattr(fields, "CACHE_BYTES", 10)
    path = write_image(tmp_path / "a.png")
    assert read_field(path) is read_field(path)
    read_field(write_image(tmp_path / "b.png"))
    assert len(fields._cache) == 1


def test_a_broken_file_leaves_nothing_in_the_cache(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("no image")
    with pytest.raises(ValueError, match=r"a\.png"):
        read_field(path)
    write_image(path)
    np.testing.assert_array_equal(read_field(path), RGB)


def claim(path, width, height):
    """Change the size in a BMP's header."""
    data = write_image(path).read_bytes()
    path.write_bytes(data[:18] + struct.pack("<ii", width, height) + data[26:])
    return path


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (100_000, "is 100000 x 100000 px and can only be decoded whole, .* 400 million pixels"),
        (15_000, r"is damaged, 15000 x 15000 px in \d+ bytes"),
    ],
)
def test_sizes_that_are_only_claimed_take_no_memory(tmp_path, side, said):
    with pytest.raises(ValueError, match=said):
        read_field(claim(tmp_path / "a.bmp", side, side))
    path = write_tiff(tmp_path / "a.tif", tile=(32, 32))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tiff.pages[0].tags[name].overwrite(min(side, 65_535))
    with pytest.raises(ValueError, match=r"a\.tif.* px"):
        read_field(path)


def test_a_jpeg_by_another_name_that_is_cut_off_is_refused(tmp_path):
    path = write_image(tmp_path / "a.jpg", SMOOTH)
    other = tmp_path / "a.png"
    other.write_bytes(path.read_bytes())
    np.testing.assert_array_equal(read_field(other), read_field(path))
    fields._cache.clear()
    other.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    with pytest.raises(ValueError, match=r"cannot read .*a\.png as an image"):
        read_field(other)
