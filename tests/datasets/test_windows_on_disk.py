"""Windows of fields on disk: the pixels of the whole field, with no more work than needed."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from mmdet_mitosis.datasets import fields, stored_fields, tiff_windows
from mmdet_mitosis.datasets.fields import decode_field, field_size, read_field, read_window
from mmdet_mitosis.datasets.stored_fields import (
    find_stored,
    needs_store,
    stored_path,
    write_stored,
)
from mmdet_mitosis.datasets.tiff_windows import open_tiff

HEIGHT, WIDTH = 190, 230
RGB = cv2.GaussianBlur(
    np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8), (0, 0), 2
)
RGBA = np.dstack([RGB, np.full((HEIGHT, WIDTH), 40, np.uint8)])

LAYOUTS = {
    "one strip": {},
    "strips": {"rowsperstrip": 7},
    "strips lzw": {"rowsperstrip": 16, "compression": "lzw"},
    "strips zlib": {"rowsperstrip": 16, "compression": "zlib", "predictor": True},
    "strips jpeg": {"rowsperstrip": 16, "compression": "jpeg"},
    "tiles": {"tile": (32, 48)},
    "tiles as wide as the field": {"tile": (16, 240)},
    "tiles larger than the field": {"tile": (512, 512), "compression": "zlib"},
    "tiles lzw": {"tile": (64, 32), "compression": "lzw", "predictor": True},
    "tiles zlib": {"tile": (32, 32), "compression": "zlib"},
    "tiles zstd": {"tile": (32, 32), "compression": "zstd", "predictor": True},
    "tiles jpeg": {"tile": (32, 32), "compression": "jpeg"},
    "big": {"tile": (32, 32), "bigtiff": True, "compression": "zlib"},
    "big-endian": {"tile": (32, 32), "byteorder": ">"},
    "alpha": {"data": RGBA, "tile": (32, 32), "extrasamples": ["unassalpha"]},
    "alpha in strips": {"data": RGBA, "extrasamples": ["unassalpha"]},
}
BORDERS = [
    (0, 0, WIDTH, HEIGHT),
    (0, 0, 1, 1),
    (WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT),
    (WIDTH - 40, HEIGHT - 33, WIDTH, HEIGHT),
    (31, 31, 33, 33),
    (32, 32, 64, 64),
    (0, 95, WIDTH, 97),
]


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch):
    for name in ("_cache", "_layouts"):
        monkeypatch.setattr(fields, name, type(getattr(fields, name))())


@pytest.fixture
def decoded(monkeypatch):
    """List the files that are decoded whole."""
    names, decode = [], fields.decode_field
    monkeypatch.setattr(fields, "decode_field", lambda p: names.append(p.name) or decode(p))
    return names


@pytest.fixture
def small_windows(monkeypatch):
    """Judge layouts as if windows were of 32 px, so that the test's fields are large."""
    monkeypatch.setattr(tiff_windows, "SIDE", 32)


def write(path, data=RGB, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, data, photometric="rgb", **kwargs)
    else:
        Image.fromarray(data).save(path)
    return path


def windows() -> list[tuple[int, int, int, int]]:
    """Draw windows, and add those at borders of the field and of tiles."""
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(40):
        x1, y1 = rng.integers(0, (WIDTH, HEIGHT))
        x2, y2 = rng.integers((x1 + 1, y1 + 1), (WIDTH + 1, HEIGHT + 1))
        drawn.append((int(x1), int(y1), int(x2), int(y2)))
    return BORDERS + drawn


def assert_crops(read, whole) -> None:
    for x1, y1, x2, y2 in windows():
        window = read((x1, y1, x2, y2))
        np.testing.assert_array_equal(window, whole[y1:y2, x1:x2])
        assert window.dtype == np.uint8 and window.flags.c_contiguous and window.flags.writeable


@pytest.mark.parametrize("layout", LAYOUTS)
def test_windows_of_tiffs_of_all_layouts_are_crops_of_the_whole(tmp_path, layout):
    path = write(tmp_path / "a.tif", **LAYOUTS[layout])
    whole = decode_field(path)
    tiff = open_tiff(path)
    assert (tiff.width, tiff.height) == (WIDTH, HEIGHT)
    assert_crops(tiff.read, whole)
    assert_crops(lambda window: read_window(path, window), whole)


def test_windows_of_jpeg_strips_with_common_tables_are_crops_of_the_whole(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(RGB).save(path, compression="jpeg", quality=90)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        assert page.jpegtables and len(page.dataoffsets) > 1
    assert_crops(open_tiff(path).read, decode_field(path))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
@pytest.mark.parametrize("stored", [False, True])
def test_windows_of_other_images_are_crops_of_the_whole(tmp_path, decoded, name, stored):
    path = write(tmp_path / "images" / name)
    whole = decode_field(path)
    if stored:
        write_stored(path, stored_path(path), whole)
    assert_crops(lambda window: read_window(path, window), whole)
    assert field_size(path) == (WIDTH, HEIGHT)
    assert decoded == ([] if stored else [name])


@pytest.mark.parametrize("layout", ["tiles", "tiles jpeg", "tiles zlib", "strips", "one strip"])
def test_no_whole_field_is_decoded_for_a_window(tmp_path, decoded, small_windows, layout):
    path = write(tmp_path / "a.tif", **LAYOUTS[layout])
    read_window(path, (3, 40, 35, 72))
    assert decoded == []


def test_only_the_segments_that_a_window_touches_are_read(tmp_path, small_windows):
    path = write(tmp_path / "a.tif", tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        offsets, n_columns = tiff.pages[0].dataoffsets, 8
    content = bytearray(path.read_bytes())
    touched = {row * n_columns + column for row in (1, 2) for column in (0, 1)}
    for index, offset in enumerate(offsets):
        if index not in touched:
            content[offset : offset + 8] = bytes(8)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_window(path, (3, 40, 64, 96)), RGB[40:96, 3:64])
    for beyond in [(3, 40, 65, 96), (3, 31, 64, 96), (3, 40, 64, 97)]:
        with pytest.raises(ValueError, match=r"cannot read .*a\.tif as a TIFF"):
            read_window(path, beyond)


def test_a_tiff_of_one_compressed_strip_is_decoded_once(tmp_path, decoded, small_windows):
    path = write(tmp_path / "a.tif", compression="zlib", rowsperstrip=HEIGHT)
    assert_crops(lambda window: read_window(path, window), RGB)
    assert decoded == ["a.tif"]


def test_a_segment_that_the_file_leaves_out_is_black(tmp_path):
    path = write(tmp_path / "a.tif", tile=(32, 32), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name in ("TileOffsets", "TileByteCounts"):
            tag = tiff.pages[0].tags[name]
            tag.overwrite([0, *tag.value[1:]])
    whole = decode_field(path)
    assert not whole[:32, :32].any()
    assert_crops(open_tiff(path).read, whole)


@pytest.mark.parametrize("layout", ["one strip", "strips", "tiles", "tiles zlib", "tiles jpeg"])
@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.5, 0.98])
def test_a_truncated_file_is_named_whatever_the_window(tmp_path, small_windows, layout, fraction):
    path = write(tmp_path / "cut.tif", **LAYOUTS[layout])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    for window in [(0, 0, 32, 32), (WIDTH - 32, HEIGHT - 32, WIDTH, HEIGHT)]:
        with pytest.raises(ValueError, match=r"cut\.tif"):
            read_window(path, window)


def test_a_file_cut_off_after_it_was_opened_is_named(tmp_path, small_windows):
    path = write(tmp_path / "cut.tif", tile=(32, 32))
    tiff = open_tiff(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut\.tif is truncated"):
        tiff.read((WIDTH - 32, HEIGHT - 32, WIDTH, HEIGHT))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"data": RGB[..., 0], "tile": (32, 32)},
        {"data": RGB.astype(np.uint16), "photometric": "rgb", "tile": (32, 32)},
        {"data": RGB.transpose(2, 0, 1), "photometric": "rgb", "planarconfig": "separate"},
    ],
    ids=["gray", "16 bits", "planes"],
)
def test_what_is_not_8_bit_rgb_is_refused(tmp_path, small_windows, kwargs):
    tifffile.imwrite(tmp_path / "a.tif", **kwargs)
    with pytest.raises(ValueError, match=r"a\.tif holds uint.*expected 8-bit RGB"):
        read_window(tmp_path / "a.tif", (0, 0, 32, 32))


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize(
    "window",
    [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, WIDTH + 1, 5), (0, 0, 5, HEIGHT + 1), (5, 5, 5, 9)],
)
def test_a_window_outside_the_field_is_refused(tmp_path, name, window):
    path = write(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name} is {WIDTH} x {HEIGHT} px: the window"):
        read_window(path, window)


def test_a_field_that_is_in_memory_is_not_read_again(tmp_path, small_windows):
    path = write(tmp_path / "a.tif", tile=(32, 32))
    read_field(path)
    path.unlink()
    np.testing.assert_array_equal(read_window(path, (5, 6, 37, 38)), RGB[6:38, 5:37])


def test_a_file_that_has_changed_is_read_anew(tmp_path, small_windows):
    path = write(tmp_path / "a.tif", tile=(32, 32))
    read_window(path, (0, 0, 32, 32))
    write(path, 255 - RGB, tile=(64, 64), compression="zlib")
    np.testing.assert_array_equal(read_window(path, (9, 9, 41, 41)), 255 - RGB[9:41, 9:41])


def test_layouts_kept_are_limited(tmp_path, small_windows, monkeypatch):
    monkeypatch.setattr(fields, "MAX_LAYOUTS", 2)
    for name in ("a", "b", "a", "c"):
        path = tmp_path / f"{name}.tif"
        read_window(path if path.exists() else write(path, tile=(32, 32)), (0, 0, 32, 32))
    assert [Path(key).name for key in fields._layouts] == ["a.tif", "c.tif"]


@pytest.mark.parametrize(
    ("image", "copy"),
    [
        ("root/images/a.png", "root/.fields/a.png.tif"),
        ("root/images/mitos12/A00_v2/A00_01.jpg", "root/.fields/mitos12/A00_v2/A00_01.jpg.tif"),
        ("root/images/midog/images/1.tiff", "root/images/midog/.fields/1.tiff.tif"),
        ("root/a.png", None),
        ("images.png", None),
    ],
)
def test_where_a_copy_belongs(tmp_path, image, copy):
    assert stored_path(tmp_path / image) == (copy and tmp_path / copy)


def test_a_folder_of_copies_tells_which_images_folder_is_meant(tmp_path):
    (tmp_path / "root" / ".fields").mkdir(parents=True)
    found = stored_path(tmp_path / "root/images/midog/images/1.tiff")
    assert found == tmp_path / "root/.fields/midog/images/1.tiff.tif"


def test_a_copy_of_an_image_that_has_changed_is_not_read(tmp_path):
    path = write(tmp_path / "images" / "a.png")
    write_stored(path, stored_path(path), RGB)
    assert find_stored(path) is not None
    write(path, 255 - RGB)
    os.utime(path, (1, 1))
    assert find_stored(path) is None
    np.testing.assert_array_equal(read_window(path, (9, 9, 41, 41)), 255 - RGB[9:41, 9:41])


def test_a_missing_image_is_named_though_its_copy_is_there(tmp_path):
    path = write(tmp_path / "images" / "a.png")
    write_stored(path, stored_path(path), RGB)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"no such image: .*images/a\.png"):
        read_window(path, (0, 0, 5, 5))


@pytest.mark.parametrize(
    ("name", "kwargs", "needed"),
    [
        ("a.png", {}, True),
        ("a.jpg", {}, True),
        ("a.tif", {"tile": (32, 32), "compression": "jpeg"}, False),
        ("a.tif", {"tile": (32, 32)}, False),
        ("a.tif", {"tile": (32, 32), "compression": "lzw"}, True),
        ("a.tif", {"tile": (96, 96), "compression": "jpeg"}, True),
        ("a.tif", {}, True),
        ("a.tif", {"compression": "zlib", "rowsperstrip": HEIGHT}, True),
        ("a.tif", {"compression": "lzw", "rowsperstrip": 16}, True),
    ],
)
def test_what_needs_a_copy(tmp_path, small_windows, name, kwargs, needed):
    assert needs_store(write(tmp_path / name, **kwargs)) is needed


def test_a_copy_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = write(tmp_path / "images" / "a.png")
    write_stored(path, stored_path(path), RGB)
    before = stored_path(path).read_bytes()
    write_stored(path, stored_path(path), RGB)
    assert stored_path(path).read_bytes() == before  # nothing of the time is in it

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored_fields, "write_bytes_atomic", fail)
    with pytest.raises(OSError, match="No space"):
        write_stored(path, stored_path(path), 255 - RGB)
    assert stored_path(path).read_bytes() == before
