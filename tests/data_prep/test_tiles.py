"""Tiles on disk: what they hold, and going on where a run stopped."""

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

from data_prep import tiles
from data_prep.tiled_part import TiledPart, TileOptions
from data_prep.tiles import encode
from mmdet_mitosis.datasets import MitosisDataset
from mmdet_mitosis.datasets.fields import decode_field
from tests import make_data
from tests.data_prep.archives import (
    REAL_DATA,
    contents,
    make_mitos12,
    make_mitos14,
    make_tupac16,
    needs_real_data,
    write_label,
)
from tests.data_prep.test_prepare import PARTS, fails, load, run
from tests.make_data import disc, random_mitoses, write_json

FORK = multiprocessing.get_context("fork")
SMALL = ("--write-tiles", "--window", 40, "--overlap", 0.5)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Make TUPAC16's archive with noise for pixels, so that each tile is different."""
    root = make_tupac16(tmp_path / "archive")
    rng = np.random.default_rng(0)
    for path in sorted(root.rglob("*.tif")):
        shape = tifffile.imread(path).shape
        tifffile.imwrite(path, rng.integers(0, 256, shape, np.uint8), photometric="rgb")
    return root


def tile_files(out: Path) -> set[str]:
    return {name for name in contents(out) if name.startswith("tiles/")}


def listed(out: Path) -> set[str]:
    """Give the tiles that the json files list."""
    return {
        f"tiles/{part}/{image['file_name']}"
        for part in PARTS
        for image in load(out, f"tiles_{part}")["images"]
    }


def test_tiles_are_the_pixels_of_their_windows(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    run("tupac16", archive, "--out", out, *SMALL)
    assert tile_files(out) == listed(out)
    n_tiles = 0
    for part in PARTS:
        for image in load(out, f"tiles_{part}")["images"]:
            x1, y1, x2, y2 = image["window"]
            field = decode_field(out / "images" / image["field"])
            tile = decode_field(out / "tiles" / part / image["file_name"])
            np.testing.assert_array_equal(tile, field[y1:y2, x1:x2])
            assert (image["width"], image["height"]) == (x2 - x1, y2 - y1) == (40, 40)
            n_tiles += 1
    assert n_tiles > 50


def tile_coco(coco: dict, part: str, options: TileOptions) -> tuple[dict, TiledPart]:
    """Join the tiles of all fields of a part."""
    tiled = TiledPart(coco, part, options)
    joined = {**coco, "images": [], "annotations": []}
    for images, annotations in tiled.pieces():
        joined["images"] += images
        joined["annotations"] += annotations
    return joined, tiled


@pytest.mark.parametrize("part", ["train", "val"])
def test_tiles_hold_what_the_dataset_has_in_its_windows(tmp_path: Path, part: str) -> None:
    rng = np.random.default_rng(0)
    sizes = [(220, 180), (100, 130), (60, 70), (300, 140)]
    coco = make_data.coco(sizes, [random_mitoses(rng, 6, *size) for size in sizes])
    coco["images"][3]["labelled"] = False
    coco["info"] = {}
    options = {"window_size": 100, "overlap": 0.6}
    of_fields = MitosisDataset(
        ann_file=write_json(tmp_path / "fields.json", coco), test_mode=part != "train", **options
    )
    made, tiled = tile_coco(coco, part, TileOptions(**options))
    sentence = tiled.sentence()
    of_tiles = MitosisDataset(
        ann_file=write_json(tmp_path / "tiles.json", made), test_mode=True, **options
    )
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    expected, found = {}, {}
    for record in (of_fields.get_data_info(i) for i in range(len(of_fields))):
        expected[names[record["img_id"]], record["window_xyxy"]] = record["instances"]
    images = {image["id"]: image for image in made["images"]}
    for record in (of_tiles.get_data_info(i) for i in range(len(of_tiles))):
        image = images[record["img_id"]]
        found[image["field"], tuple(image["window"])] = record["instances"]
        assert record["window_xyxy"] == (0, 0, image["width"], image["height"])
    assert found == expected
    assert sum(map(len, found.values())) > 20
    assert ("left out that show part" in sentence) is (part == "train")
    assert ("1 fields left out that nobody" in sentence) is (part == "train")


def test_annotations_of_tiles_are_in_px_of_the_tile() -> None:
    coco = make_data.coco([(220, 180)], [[disc(130, 90, 8, 220, 180)]])
    made, _ = tile_coco({**coco, "info": {}}, "val", TileOptions(100, 0.6))
    windows = {image["id"]: image["window"] for image in made["images"]}
    assert len(made["annotations"]) > 4
    for ann in made["annotations"]:
        x1, y1, *_ = windows[ann["image_id"]]
        assert ann["centroid"] == [130 - x1, 90 - y1]
        points = np.concatenate([np.reshape(flat, (-1, 2)) for flat in ann["segmentation"]])
        low, size = points.min(axis=0), np.ptp(points, axis=0)
        assert ann["bbox"] == [*low.tolist(), *size.tolist()]
        assert (low >= 0).all() and (low + size <= 100).all()
        assert (ann["shape"], ann["category_id"]) == ("contour", 1)
        whole = size.tolist() == [16, 16]
        assert (ann["area"] == coco["annotations"][0]["area"]) is whole


def test_look_alikes_are_in_tiles_but_leave_none_out(tmp_path: Path) -> None:
    labels = {"A03_00Aa": ("", "50,60,0.0\n"), "A04_00Aa": ("50,60,1.0\n", "")}
    labels |= dict.fromkeys(("A05_00Aa", "A06_00Aa"), ("", ""))
    root, out = make_mitos14(tmp_path / "archive", labels), tmp_path / "out"
    split = write_label(
        tmp_path / "split.json", '{"train": ["A03", "A04"], "val": ["A05"], "test": ["A06"]}'
    )
    run("mitos14", root, "--out", out, "--look-alikes", "--split", split, *SMALL)
    made = load(out, "tiles_train")
    counts = dict.fromkeys(("A03", "A04"), 0)
    for image in made["images"]:
        counts[image["case"]] += 1
    assert counts["A03"] == 4 * 5 > counts["A04"]
    assert {ann["category_id"] for ann in made["annotations"]} == {1, 2}


def test_processes_are_not_stuck_with_the_parents_threads(tmp_path: Path) -> None:
    cv2.setNumThreads(2)
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 2)  # they are there now
    root = make_mitos12(tmp_path / "archive")
    run("mitos12", root, "--out", tmp_path / "out", *SMALL, "--workers", 2)
    assert cv2.getNumThreads() == 2
    assert tile_files(tmp_path / "out")


@pytest.mark.parametrize("tile_format", ["png", "jpg"])
def test_files_are_the_same_for_any_number_of_workers(
    tmp_path: Path, archive: Path, tile_format: str
) -> None:
    found = []
    for workers in (1, 2, 5):
        out = tmp_path / f"out{workers}"
        words = (*SMALL, "--tile-format", tile_format, "--store", "--workers", workers)
        run("tupac16", archive, "--out", out, *words)
        found.append(contents(out))
    assert found[0] == found[1] == found[2]
    assert any(name.endswith(f".{tile_format}") for name in found[0])


def test_a_second_run_writes_only_what_is_missing(tmp_path: Path, archive: Path) -> None:
    out, words = tmp_path / "out", ("tupac16", archive, "--out", tmp_path / "out", *SMALL)
    run(*words)
    before = contents(out)
    paths = sorted(out.glob("tiles/**/*.png"))
    kept = {path: path.stat().st_ino for path in paths[2:]}
    paths[0].unlink()
    paths[1].write_bytes(b"half")  # and of another time than the image
    run(*words)
    assert contents(out) == before
    assert {path: path.stat().st_ino for path in kept} == kept


def test_tiles_of_an_image_that_has_changed_are_written_anew(tmp_path: Path, archive: Path) -> None:
    out, words = tmp_path / "out", ("tupac16", archive, "--out", tmp_path / "out", *SMALL)
    run(*words)
    image = archive / "mitoses_image_data_part_1" / "01" / "02.tif"
    tifffile.imwrite(image, np.zeros((100, 100, 3), np.uint8), photometric="rgb")
    run(*words)
    black = [p for p in out.glob("tiles/**/*.png") if not decode_field(p).any()]
    assert len(black) == 16
    assert {path.parent.name for path in black} == {"02_tif"}


def test_tiles_of_other_options_are_removed_and_other_files_stay(
    tmp_path: Path, archive: Path
) -> None:
    out = tmp_path / "out"
    run("tupac16", archive, "--out", out, *SMALL)
    first = tile_files(out)
    folder = next(out.glob("tiles/**/*.png")).parent
    mine = write_label(folder / "mine.png", "kept")
    write_label(folder / ".0_0_9_9.png.123.tmp", "left by a run that was killed")
    run("tupac16", archive, "--out", out, "--write-tiles", "--window", 50)
    assert tile_files(out) == listed(out) | {str(mine.relative_to(out))}
    assert not tile_files(out) & first


def test_json_of_tiles_does_not_outlive_its_run(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    run("tupac16", archive, "--out", out, *SMALL)
    assert (out / "annotations" / "tiles_train.json").is_file()
    run("tupac16", archive, "--out", out)
    assert not list(out.glob("annotations/tiles_*"))


def test_folds_have_their_own_tiles_and_merge_does_not_take_them_for_fields(tmp_path: Path) -> None:
    root, out = make_mitos12(tmp_path / "archive"), tmp_path / "out"
    run("mitos12", root, "--out", out, "--split", "kfold:4", *SMALL)
    run("merge", out, "--out", tmp_path / "merged")
    assert {p.name for p in (tmp_path / "merged" / "annotations").iterdir()} == {
        f"fold_{fold}" for fold in range(1, 5)
    }
    for fold in range(1, 5):
        images = load(out, f"tiles_fold_{fold}/test")["images"]
        tested = {image["case"] for image in load(out, f"fold_{fold}/test")["images"]}
        assert {image["case"] for image in images} == tested
        assert all((out / f"tiles/fold_{fold}/test" / i["file_name"]).is_file() for i in images)


def die_at_tile(number: int, words: tuple) -> None:
    """Run the command, and be killed before the n-th tile moves to its place."""
    count = 0

    def hook(event: str, args: tuple) -> None:
        nonlocal count
        if event == "os.rename" and str(args[0]).endswith(".tmp"):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    run(*words)
    os._exit(0)  # else pytest's own cleaning up would follow


@pytest.mark.parametrize("number", [1, 7, 40])
def test_killed_run_leaves_whole_tiles_and_the_next_one_goes_on(
    tmp_path: Path, archive: Path, number: int
) -> None:
    run("tupac16", archive, "--out", tmp_path / "expected", *SMALL)
    expected = contents(tmp_path / "expected")
    out = tmp_path / "out"
    words = ("tupac16", archive, "--out", out, *SMALL, "--workers", 1)
    process = FORK.Process(target=die_at_tile, args=(number, words))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    found = contents(out)
    whole = {name for name in tile_files(out) if not name.endswith(".tmp")}
    assert len(whole) == number - 1
    assert all(found[name] == expected[name] for name in whole)
    assert not list(out.glob("annotations/*.json"))  # no json lists tiles that are not there
    run(*words)
    assert contents(out) == expected


def test_a_full_disk_is_said_and_no_json_appears(
    tmp_path: Path, archive: Path, monkeypatch, capsys
) -> None:
    def full(path: Path, **_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(os, "utime", full)
    out = tmp_path / "out"
    sentence = fails(capsys, "tupac16", archive, "--out", out, *SMALL, "--workers", 1)
    assert "cannot write" in sentence and sentence.endswith(
        ".png: No space left on device; the same command goes on from here"
    )
    assert [name for name in contents(out) if not name.startswith("tiles/")] == []
    assert tile_files(out) == set()


def test_an_image_of_another_size_than_its_annotations_say_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((50, 60, 3), np.uint8), photometric="rgb")
    task = tiles.FieldTiles(path, (60, 51), tmp_path, np.array([[0, 0, 9, 9]], np.int32), "png")
    with pytest.raises(ValueError, match=r"a\.tif is 60 x 50 px, its annotations say 60 x 51"):
        tiles.write_field(task)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--workers", 0), "--workers must be at least 1, got 0"),
        (("--overlap", 1.0), "--overlap must be in [0, 1), got 1.0"),
        (("--overlap", "nan"), "--overlap must be in [0, 1), got nan"),
        (("--window", 15), "--window must be at least 16 px, got 15"),
        (("--memory", 1.4), "--memory must be at least 1.5 GiB, got 1.4"),
        (("--memory", "nan"), "--memory must be at least 1.5 GiB, got nan"),
        (("--memory", "inf"), "--memory must be at least 1.5 GiB, got inf"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_read(
    tmp_path: Path, capsys, words: tuple, sentence: str
) -> None:
    assert fails(capsys, "tupac16", tmp_path, "--out", tmp_path / "out", *words) == sentence


def test_a_png_is_lossless_and_as_small_as_others_make_it() -> None:
    rng = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(128), np.arange(128))[..., None] // 2
    image = (ramp + rng.integers(0, 20, (128, 128, 3))).astype(np.uint8)
    data = encode(image, ".png")
    np.testing.assert_array_equal(imagecodecs.png_decode(data), image)
    assert len(data) < 1.1 * len(imagecodecs.png_encode(image, level=9)) < image.nbytes
    lossy = imagecodecs.jpeg_decode(encode(image, ".jpg"))
    assert 0 < np.abs(lossy.astype(int) - image).mean() < 4


@needs_real_data
def test_tiles_of_real_contours_lose_no_mitosis(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("mitos12", REAL_DATA / "mitos12", "--out", out, "--split", "none")
    coco = load(out, "all")
    made, tiled = tile_coco(coco, "all", TileOptions())
    assert tiled.sentence() == "2268 tiles of all"
    fields_of = {image["id"]: image for image in made["images"]}
    seen = set()
    for ann in made["annotations"]:
        image = fields_of[ann["image_id"]]
        x, y = (c + o for c, o in zip(ann["centroid"], image["window"][:2], strict=True))
        seen.add((image["field"], round(x, 2), round(y, 2)))
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    assert seen == {(names[a["image_id"]], *a["centroid"]) for a in coco["annotations"]}
    assert len(seen) == 184
