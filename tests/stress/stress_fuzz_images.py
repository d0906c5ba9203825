"""Spoilt images, into what reads them."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.images import image_size
from data_prep.sources.resolution import tiff_mpp
from mmdet_mitosis.datasets import fields
from mmdet_mitosis.datasets.fields import decode_field, field_size, read_window
from mmdet_mitosis.inference.slides import open_slide
from tests.stress.judging import Judge, generator, little_memory
from tests.stress.mutations import spoil_bytes
from tests.stress.pictures import claims, good_files, other_files

Case = tuple[str, bytes, bytes | None]
"""Name of a file, its bytes, and of one that was cut off also those of the whole file."""


def read_size(path: Path) -> tuple[int, int]:
    """Read what preparing data reads of an image."""
    size = image_size(path)
    tiff_mpp(path)
    return size


def read_training_window(path: Path) -> np.ndarray:
    """Read a window as training does, at most 64 px wide, and the whole field if it is small."""
    width, height = field_size(path)
    image = read_window(path, (max(0, width - 64), max(0, height - 64), width, height))
    return decode_field(path) if width * height < 10_000_000 else image


def read_slide(path: Path) -> np.ndarray:
    """Read a slide as inference does: in small, and at the end of its full resolution."""
    with open_slide(path, 0.25) as slide:
        side = 64
        slide.read(slide.width - side, slide.height - side, side, side, slide.mpp)
        return slide.thumbnail(100)


READERS: dict[str, tuple[Callable[[Path], object], int]] = {
    "image_size": (read_size, 1000),
    "fields": (read_training_window, 1000),
    "slides": (read_slide, 1000),
}


def fixed_cases(scratch: Path) -> Iterator[Case]:
    """Give files that are whole, cut off at every tenth, of other kinds, or claim other sizes."""
    good = good_files()
    for name, data in good.items():
        yield name, data, None
        for tenth in range(10):
            yield name, data[: len(data) * tenth // 10], data
        yield name, data[:-1], data
        for suffix in () if "60000" in name else ("png", "jpg", "bmp", "tif", "svs", "ndpi"):
            yield f"{name}.{suffix}", data, None
    for name, data in (*other_files().items(), *claims(good, scratch / "scratch").items()):
        yield name, data, None


def random_cases(n: int, reader: str) -> Iterator[Case]:
    """Give files of which bytes are changed, most of them near the beginning."""
    good = {name: data for name, data in good_files().items() if len(data) < 40_000}
    for case in range(n):
        rng = generator(reader, case)
        name = rng.choice(sorted(good))
        data = good[name]
        head = rng.choice((64, 400, len(data)))
        yield name, spoil_bytes(rng, data[:head]) + data[head:], None


def check_pixels(value: object, whole: np.ndarray | None) -> None:
    """See that pixels are 8-bit RGB, and those of a file that was cut off are all there."""
    if isinstance(value, np.ndarray):
        assert value.dtype == np.uint8 and value.ndim == 3 and value.shape[2] == 3
        assert whole is None or np.array_equal(value, whole), "a file that is cut off looks whole"


def fuzz_images(folder: Path, n: int, reader: str) -> Judge:
    """Give all files of the list, and so many spoilt at random, to a reader."""
    return judge_images(folder, [*fixed_cases(folder), *random_cases(n, reader)], reader)


def judge_images(folder: Path, cases: Iterable[Case], reader: str) -> Judge:
    """Give spoilt images to a reader."""
    judge, read = Judge(reader, memory=True), READERS[reader][0]
    whole: dict[bytes, object] = {}
    for number, (name, data, uncut) in enumerate(cases):
        path = folder / name.replace("\0", "")
        fields._cache.clear()
        if uncut is not None and uncut not in whole:
            path.write_bytes(uncut)
            whole[uncut] = read(path)
        path.write_bytes(data)
        wanted = whole.get(uncut) if uncut is not None else None
        with little_memory():
            judge.put(
                f"{number} {name}",
                lambda path=path: read(path),
                path,
                lambda v, w=wanted: check_pixels(v, w),
            )
        path.unlink()
    return judge


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.filterwarnings("ignore")
def test_spoilt_images(tmp_path: Path, reader: str) -> None:
    assert Image.MAX_IMAGE_PIXELS
    fuzz_images(tmp_path, READERS[reader][1], reader).finish()
    shutil.rmtree(tmp_path)
