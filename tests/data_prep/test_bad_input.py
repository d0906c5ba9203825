"""Bad input, row by row through the command: an error, left out and counted, or read as good."""

import io
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.data_prep.bad_archives import HEIGHT, SOURCES, WIDTH, Source, paint
from tests.data_prep.bad_input import ERROR, IMAGE_ROWS, LEFT_OUT, READ, Row
from tests.data_prep.bad_labels import LABEL_ROWS
from tests.data_prep.test_prepare import fails, run

MAX_SECONDS = 30
CASES = [
    pytest.param(row, name, id=f"{row.thing}-{name}")
    for row in (*IMAGE_ROWS, *LABEL_ROWS)
    for name in row.sources.split()
]


@pytest.fixture(autouse=True)
def impatience():
    """Let a test fail that waits, as for somebody who writes into a pipe."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"nothing happened for {MAX_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(MAX_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory):
    """Give the good archive of a source, and the points that are read of it."""
    made: dict[str, tuple[Path, list]] = {}

    def get(name: str) -> tuple[Path, list]:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            SOURCES[name].make(folder / "archive")
            paint(folder / "archive")
            prepare(folder / "archive", SOURCES[name], folder / "out", "--strict")
            made[name] = folder / "archive", points(folder / "out")
        return made[name]

    return get


def words(root: Path, source: Source, out: Path, *more: str) -> list[object]:
    """Give the words of the command."""
    command, *options = source.words.split()
    return [command, root, "--out", out, "--split", "none", *options, *more]


def prepare(root: Path, source: Source, out: Path, *more: str) -> None:
    run(*words(root, source, out, *more))


def points(out: Path) -> list[list[tuple]]:
    """Give category and centroid of what was written, image by image, whatever their names."""
    coco = json.loads((out / "annotations" / "all.json").read_text())
    found: dict[int, list[tuple]] = {image["id"]: [] for image in coco["images"]}
    for ann in coco["annotations"]:
        found[ann["image_id"]].append((ann["category_id"], *ann["centroid"]))
    return sorted(map(sorted, found.values()))


def pattern(says: str, root: Path, source: Source) -> str:
    """Put the places of an archive into the pattern of a sentence."""
    places = {"root": root, "image": root / source.image, "label": root / source.label}
    for name, place in places.items():
        says = says.replace(f"{{{name}}}", re.escape(str(place)))
    return says.replace("{where}", source.where)


@pytest.mark.parametrize("name", SOURCES)
def test_good_archive_is_read_whole(name: str, good) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    _, found = good(name)
    n_points = {"tupac16": 4, "alternative": 7, "mitos12": 4, "mitos14": 2}.get(name, 3)
    assert sum(map(len, found)) == n_points


@pytest.mark.parametrize(("row", "name"), CASES)
def test_row(tmp_path: Path, capsys, good, row: Row, name: str) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    source, (archive, expected) = SOURCES[name], good(name)
    root = tmp_path / "archive"
    shutil.copytree(archive, root)
    row.spoil(root, source)
    says = pattern(row.says, root, source)
    out, strict = tmp_path / "out", tmp_path / "strict"
    if row.outcome == ERROR:
        assert re.fullmatch(says, fails(capsys, *words(root, source, out)))
        assert not out.exists()
    elif row.outcome == LEFT_OUT:
        prepare(root, source, out)
        assert points(out) == expected
        summary = json.loads((out / "summary.json").read_text())
        (sentence,) = summary["left_out"]
        assert re.fullmatch(says, sentence)
        printed = capsys.readouterr().out
        assert f"left out: 1\n  {sentence}\n" in printed
        assert any(re.fullmatch(row.note, note) for note in summary["notes"]) or not row.note
        said = fails(capsys, *words(root, source, strict, "--strict"))
        assert said == f"{sentence} (--strict; 1 in all)"
        assert not strict.exists()
    else:
        assert row.outcome == READ
        prepare(root, source, out, "--strict")
        assert points(out) == expected


NOISE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
RAMP = np.broadcast_to(np.linspace(0, 255, WIDTH).astype(np.uint8)[:, None], NOISE.shape)


def tiff(pixels: np.ndarray = NOISE, **options: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, pixels, **{"photometric": "rgb", **options})


def pillow(mode: str = "RGB", pixels: np.ndarray = NOISE, **options) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(pixels).convert(mode).save(path, **options)


def thumbnail() -> bytes:
    """Give what cameras put into the header of a JPEG: a small one, with an end of its own."""
    file = io.BytesIO()
    Image.fromarray(NOISE[:32, :32]).save(file, "JPEG")
    return b"Exif\0\0" + file.getvalue()


LAYOUTS = {
    "strips.tif": tiff(rowsperstrip=8),
    "tiles.tif": tiff(tile=(16, 16)),
    "JPEG tiles.tif": tiff(tile=(16, 16), compression="jpeg"),
    "JPEG with its directory last.tif": pillow(compression="jpeg"),
    "deflate strips.tif": tiff(rowsperstrip=8, compression="deflate", predictor=True),
    "deflate tiles.tif": tiff(tile=(16, 16), compression="deflate"),
    "LZW.tif": pillow(compression="tiff_lzw"),
    "BigTIFF.tif": tiff(bigtiff=True),
    "RGBA.tif": tiff(np.dstack([NOISE, NOISE[..., :1]]), extrasamples=["unassalpha"]),
    "noise.png": pillow(),
    "ramp.png": pillow(pixels=RAMP),
    "RGBA.png": pillow("RGBA"),
    "plain.jpg": pillow(),
    "progressive.jpg": pillow(progressive=True),
    "thumbnail.jpg": pillow(exif=thumbnail()),
    "plain.bmp": pillow(),
    "RGBA.bmp": pillow("RGBA"),
}


def make_csv(root: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Make a table of points and one image, and give the image."""
    root.mkdir()
    (root / "points.csv").write_text(f"image,x,y\n{Path(name).name},10,20\n")
    make(root / name)
    return root / name


@pytest.mark.parametrize("name", LAYOUTS)
def test_image_cut_anywhere_is_an_error(tmp_path: Path, capsys, name: str) -> None:
    root, out = tmp_path / "archive", tmp_path / "out"
    path = make_csv(root, name, LAYOUTS[name])
    prepare(root, SOURCES["csv"], out, "--strict")
    assert points(out) == [[(1, 10, 20)]]
    whole = path.read_bytes()
    for kept in [len(whole) * tenth // 10 for tenth in range(10)] + [len(whole) - 1]:
        path.write_bytes(whole[:kept])
        sentence = fails(capsys, *words(root, SOURCES["csv"], tmp_path / "cut"))
        assert str(path) in sentence, kept
        assert not (tmp_path / "cut").exists()


@pytest.mark.parametrize("name", ["midog", "sqlite", "parquet", "geojson"])
def test_label_file_cut_anywhere_is_an_error(tmp_path: Path, capsys, good, name: str) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    source, root = SOURCES[name], tmp_path / "archive"
    shutil.copytree(good(name)[0], root)
    path = root / source.label
    whole = path.read_bytes()
    for kept in [len(whole) * tenth // 10 for tenth in range(10)] + [len(whole) - 1]:
        path.write_bytes(whole[:kept])
        assert str(path) in fails(capsys, *words(root, source, tmp_path / "cut")), kept
        assert not (tmp_path / "cut").exists()


DEEP = NOISE.astype(np.uint16) * 257
KINDS = {
    "16 bits.tif": (tiff(DEEP), r"has shape \(200, 100, 3\) and 16 bits"),
    "signed.tif": (tiff(NOISE.astype(np.int8)), "has int8 values"),
    "grey.tif": (
        tiff(NOISE[..., 0], photometric="minisblack"),
        r"has shape \(200, 100\) and 8 bits",
    ),
    "CMYK.tif": (pillow("CMYK"), "has CMYK values"),
    "Lab.tif": (pillow("LAB"), "has CIE Lab values"),
    "palette.tif": (pillow("P"), r"has shape \(200, 100\) and 8 bits"),
    "planes.tif": (
        tiff(np.moveaxis(NOISE, 2, 0).copy(), planarconfig="separate"),
        r"has shape \(3, 200, 100\) and 8 bits",
    ),
    "16 bits.png": (lambda path: cv2.imwrite(str(path), DEEP), "has 16 bits a channel"),
    "grey.png": (pillow("L"), "is of mode L"),
    "16 bits grey.png": (pillow("I;16", DEEP[..., 0]), "is of mode I;16"),
    "palette.png": (pillow("P"), "is of mode P"),
    "grey with alpha.png": (pillow("LA"), "is of mode LA"),
    "grey.jpg": (pillow("L"), "is of mode L"),
    "CMYK.jpg": (pillow("CMYK"), "is of mode CMYK"),
    "palette.bmp": (pillow("P"), "is of mode P"),
}


@pytest.mark.parametrize("name", KINDS)
def test_image_of_another_kind_is_an_error(tmp_path: Path, capsys, name: str) -> None:
    make, says = KINDS[name]
    path = make_csv(tmp_path / "archive", name, make)
    sentence = fails(capsys, *words(path.parent, SOURCES["csv"], tmp_path / "out"))
    assert re.fullmatch(rf"{re.escape(str(path))} {says}; expected 8-bit RGB", sentence)
    assert not (tmp_path / "out").exists()


def test_nothing_waits_for_a_pipe_that_an_option_or_nobody_names(
    tmp_path: Path, capsys, good
) -> None:
    for name, option in {"midog": "--labels", "csv": "--table", "parquet": "--table"}.items():
        if name == "parquet":
            pytest.importorskip("pyarrow", reason="pyarrow is not installed")
        source, root = SOURCES[name], tmp_path / name
        shutil.copytree(good(name)[0], root)
        path = root / f"pipe{Path(source.label).suffix}"
        os.mkfifo(path)
        sentence = fails(capsys, *words(root, source, tmp_path / "out", option, path.name))
        assert path.name in sentence
        path.unlink()
        os.mkfifo(root / "pipe.png")
        prepare(root, source, tmp_path / "out")
        (sentence,) = json.loads((tmp_path / "out" / "summary.json").read_text())["left_out"]
        assert sentence.startswith(f"{root / 'pipe.png'}: ")
        shutil.rmtree(tmp_path / "out")
