"""Sizes of images from their headers."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from data_prep.images import image_size, only_images
from tests.data_prep.archives import write_image


@pytest.mark.parametrize("suffix", ["tif", "tiff", "TIF", "png", "jpg", "bmp"])
def test_size_is_width_then_height(tmp_path: Path, suffix: str) -> None:
    assert image_size(write_image(tmp_path / f"a.{suffix}", 40, 30)) == (40, 30)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 16)},
        {"rowsperstrip": 8},
        {"compression": "jpeg"},
        {"bigtiff": True},
        {"compression": "deflate", "predictor": True},
    ],
    ids=str,
)
def test_kinds_of_tiff(tmp_path: Path, options: dict) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((48, 64, 3), np.uint8), photometric="rgb", **options)
    assert image_size(path) == (64, 48)


def test_pixels_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [write_image(tmp_path / f"a.{suffix}") for suffix in ("tif", "png", "jpg", "bmp")]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an image was decoded for its size")

    monkeypatch.setattr(Image.Image, "load", refuse)
    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse)
    for path in paths:
        assert image_size(path) == (100, 100)


@pytest.mark.parametrize("suffix", ["tif", "png", "jpg", "bmp"])
@pytest.mark.parametrize("kept", [0, 1, 3, 10, 50, 0.3, 0.6, 0.95])
def test_truncated_image_is_named(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (60, 70, 3), np.uint8)
    if suffix == "tif":
        tifffile.imwrite(path, noise, photometric="rgb")
    else:
        Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(ValueError, match=str(path)):
        image_size(path)


def test_tiff_cut_where_its_header_is_whole_is_truncated(tmp_path: Path) -> None:
    # the directory of a streamed TIFF comes first, so its size can be read from the stump
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((60, 70, 3), np.uint8), photometric="rgb")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="truncated"):
        image_size(path)


def test_whole_jpeg_with_something_behind_it_is_read(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.jpg", 40, 30)
    path.write_bytes(path.read_bytes() + bytes(10_000))
    assert image_size(path) == (40, 30)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    folder, text, link = tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "c.tif"
    folder.mkdir()
    text.write_text("no image at all, but long enough to be looked into")
    link.symlink_to(tmp_path / "nowhere.tif")
    for path, message in ((folder, "is no image file"), (text, "cannot read"), (link, "is no ")):
        with pytest.raises(ValueError, match=message) as caught:
            image_size(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((8, 8), np.uint8), r"shape \(8, 8\) and 8 bits; expected 8-bit RGB"),
        (np.zeros((8, 8, 3), np.uint16), "16 bits; expected 8-bit RGB"),
    ],
    ids=["grey", "16 bits"],
)
def test_tiff_of_another_kind_is_refused(tmp_path: Path, pixels, message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    with pytest.raises(ValueError, match=message):
        image_size(tmp_path / "a.tif")


def test_grey_png_is_refused(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png is of mode L; expected 8-bit RGB"):
        image_size(tmp_path / "a.png")


def test_images_are_picked_by_suffix_and_sorted() -> None:
    names = ["b.TIF", "a.jpg", "._a.jpg", "a.csv", "Thumbs.db", "c.png"]
    assert only_images(map(Path, names)) == [Path("a.jpg"), Path("b.TIF"), Path("c.png")]
