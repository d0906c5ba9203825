"""What cannot be read right is refused, with one sentence that names the file."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from mmdet_mitosis.inference.slides import open_slide, source
from tests.inference.slide_files import (
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


def write_other(folder, kind, rgb):
    """An image of another kind than 8-bit RGB."""
    gray = rgb[..., 0]
    deep = rgb.astype(np.uint16) * 257
    path = folder / kind.replace(" ", ".")
    if kind == "gray png":
        Image.fromarray(gray).save(path)
    elif kind == "deep png":
        cv2.imwrite(str(path), deep)
    elif kind == "cmyk jpg":
        Image.fromarray(rgb).convert("CMYK").save(path)
    elif kind == "gray tif":
        tifffile.imwrite(path, gray)
    elif kind == "deep tif":
        tifffile.imwrite(path, deep, photometric="rgb")
    elif kind == "cmyk tif":
        tifffile.imwrite(path, np.dstack([rgb, gray]), photometric="separated")
    elif kind == "five tif":
        tifffile.imwrite(path, np.dstack([rgb, rgb[..., :2]]), photometric="rgb")
    else:
        write_pyramid(path, [deep, deep[::2, ::2]], MPP, tile=64)
    return path


OTHERS = [f"{kind} tif" for kind in ("gray", "deep", "cmyk", "five", "pyramid")]


@pytest.mark.parametrize("kind", ["gray png", "deep png", "cmyk jpg", *OTHERS])
def test_other_kinds_of_pixels_are_refused(tmp_path, rgb, kind):
    path = write_other(tmp_path, kind, rgb)
    with pytest.raises(ValueError, match="expected 8-bit RGB") as caught:
        open_slide(path, MPP)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.svs", "pyramid.tif"])
def test_truncated_files_are_refused(tmp_path, name):
    rgb = painted(400, 300)
    path = tmp_path / name
    if name == "a.svs":
        write_svs(path, levels(rgb, 2))
    elif name == "pyramid.tif":
        write_pyramid(path, levels(rgb, 2), MPP)
    else:
        write_plain(path, rgb)
    for share in (0.02, 0.6, 0.97):
        cut = tmp_path / f"cut{share}{path.suffix}"
        cut.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(ValueError, match=r"cannot read|truncated") as caught:
            pixels(cut)
        assert str(cut) in str(caught.value)


def test_damage_within_is_found_when_it_is_read(tmp_path):
    rgb = painted(300, 200)
    path = write_pyramid(tmp_path / "a.tif", levels(rgb, 2), MPP, tile=64)
    with tifffile.TiffFile(path) as tiff:
        offset = tiff.pages[0].dataoffsets[7]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\0" * 64)
    with open_slide(path) as slide:
        assert np.array_equal(slide.read(0, 0, 64, 64, MPP), rgb[:64, :64])
        with pytest.raises(ValueError, match=r"cannot read .*a\.tif as a slide"):
            slide.read(0, 0, 300, 200, MPP)


@pytest.mark.parametrize("name", ["a.svs", "a.png", "a.tif", "a.ndpi"])
def test_text_by_another_name_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x,y\n10,20\n")
    with pytest.raises(ValueError, match=r"a\.\w+ is no slide or image: expected TIFF, SVS"):
        open_slide(tmp_path / name, MPP)


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "a.svs").touch()
    with pytest.raises(ValueError, match=r"a\.svs is empty \(0 bytes\)"):
        open_slide(tmp_path / "a.svs")
    with pytest.raises(ValueError, match="is a folder"):
        open_slide(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no such slide: .*b\.svs"):
        open_slide(tmp_path / "b.svs")


def test_a_png_by_the_name_of_a_slide_is_read(tmp_path, rgb):
    write_plain(tmp_path / "a.png", rgb).rename(tmp_path / "a.svs")
    assert np.array_equal(pixels(tmp_path / "a.svs"), rgb)


def png_header(width, height):
    """A PNG that says its size and has no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunks + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4


def test_decompression_bombs_are_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(100_000, 100_000))
    with pytest.raises(ValueError, match=r"a\.png is 100000 x 100000 px.* 400 million pixels"):
        open_slide(tmp_path / "a.png", MPP)


def test_large_tiffs_that_must_be_decoded_whole_are_refused(tmp_path, rgb, monkeypatch):
    monkeypatch.setattr(source, "MAX_WHOLE_PX", 150 * 110 - 1)
    whole = write_plain(tmp_path / "a.tif", rgb, compression="zlib", rowsperstrip=110)
    with pytest.raises(ValueError, match="150 x 110 px and can only be decoded whole"):
        open_slide(whole, MPP)
    tiled = write_plain(tmp_path / "b.tif", rgb, compression="zlib", tile=(32, 32))
    assert np.array_equal(pixels(tiled), rgb)


def test_tiles_that_do_not_cover_the_size_are_refused(tmp_path, rgb):
    path = write_plain(tmp_path / "a.tif", rgb, tile=(32, 32))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags["ImageLength"].overwrite(60_000)
    with pytest.raises(
        ValueError, match=r"a\.tif as a TIFF: it is damaged, 20 tiles for 150 x 60000"
    ):
        open_slide(path, MPP)


def test_a_small_file_of_many_pixels_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(png_header(15_000, 15_000))
    with pytest.raises(ValueError, match=r"a\.png .*damaged, 15000 x 15000 px in 45 bytes"):
        open_slide(tmp_path / "a.png", MPP)


@pytest.mark.parametrize("tag", ["TileWidth", "ImageWidth"])
def test_a_side_of_no_pixels_is_refused(tmp_path, rgb, tag):
    path = write_plain(tmp_path / "a.tif", rgb, tile=(32, 32))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tiff.pages[0].tags[tag].overwrite(0)
    with pytest.raises(ValueError, match=r"cannot read .*a\.tif as a TIFF"):
        open_slide(path, MPP)
