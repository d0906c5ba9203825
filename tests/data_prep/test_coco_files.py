"""COCO json piece by piece: the bytes of the whole, the check of each part, and what it takes."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from data_prep import coco_files
from data_prep.coco_files import check_readable, pieces_of, write_coco
from data_prep.output import Staging
from data_prep.tiled_part import TiledPart, TileOptions
from mmdet_mitosis.locks import locked
from tests import make_data
from tests.make_data import disc

CATEGORIES = [{"id": 1, "name": "mitosis"}, {"id": 2, "name": "look-alike"}]


def coco(n_images: int = 1) -> dict:
    """Make a dictionary in which the i-th image has i - 1 annotations, and the first one."""
    images = [
        {"id": i, "width": 50, "height": 40 + i % 7, "file_name": f"é{i}.png"}
        for i in range(1, n_images + 1)
    ]
    owners = [1, *(i for i in range(1, n_images + 1) for _ in range(1, i))]
    annotations = [
        {
            "id": number,
            "image_id": owner,
            "category_id": 1 + number % len(CATEGORIES),
            "segmentation": [[1, 1, 9.25, 1, 9, 9]],
            "note": 'a "]},{[" in a text',
        }
        for number, owner in enumerate(owners, start=1)
    ]
    return {
        "info": {"source": "µ"},
        "images": images,
        "annotations": annotations,
        "categories": CATEGORIES,
    }


def mixed_pieces(made: dict) -> Iterator:
    """Give images with their own annotations, and empty pieces among them."""
    groups: dict[int, list[dict]] = {}
    for ann in made["annotations"]:
        groups.setdefault(ann["image_id"], []).append(ann)
    for image in made["images"]:
        yield [], []
        yield [image], groups.get(image["id"], [])


def write(path: Path, made: dict, pieces: Iterator) -> tuple[int, int]:
    return write_coco(path, made["info"], made["categories"], pieces, path.parent)


@pytest.mark.parametrize("n_images", [0, 1, 12])
@pytest.mark.parametrize(("piece_items", "spool_bytes"), [(1000, 2**22), (5, 50)])
def test_pieces_give_the_bytes_of_the_whole(
    tmp_path: Path, monkeypatch, n_images: int, piece_items: int, spool_bytes: int
) -> None:
    monkeypatch.setattr(coco_files, "PIECE_ITEMS", piece_items)
    monkeypatch.setattr(coco_files, "SPOOL_BYTES", spool_bytes)
    made = coco(n_images)
    if not n_images:
        made["annotations"] = []
    text = json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n"
    path = tmp_path / "a.json"
    for pieces in (pieces_of(made), mixed_pieces(made)):
        assert write(path, made, pieces) == (n_images, len(made["annotations"]))
        assert path.read_bytes() == text.encode()
        assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
        check_readable(path, n_images, len(made["annotations"]), CATEGORIES, "a.json")
    assert COCO(path).dataset == made


@pytest.mark.parametrize("read_chars", [1, 7, 64])
def test_the_check_does_not_depend_on_where_the_file_is_cut(
    tmp_path: Path, monkeypatch, read_chars: int
) -> None:
    monkeypatch.setattr(coco_files, "READ_CHARS", read_chars)
    monkeypatch.setattr(coco_files, "PIECE_ITEMS", 4)
    path, made = tmp_path / "a.json", coco(5)
    write(path, made, pieces_of(made))
    check_readable(path, 5, len(made["annotations"]), CATEGORIES, "a.json")


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda c: c["images"].append(c["images"][0]), "image 1 in the place of 6"),
        (lambda c: c["images"][3].update(id=9), "image 9 in the place of 4"),
        (lambda c: c["annotations"].append(c["annotations"][0]), "annotation 1 in the place of 12"),
        (lambda c: c["annotations"][-1].update(image_id=6), "annotation 11 without its image"),
        (lambda c: c["annotations"][-1].update(image_id=0), "annotation 11 without its image"),
        (lambda c: c["annotations"][4].update(category_id=7), "annotation 5 without its image or"),
        (lambda c: c["annotations"][4].update(segmentation=[]), "without a polygon"),
        (lambda c: c["annotations"][4].update(segmentation=[[1, 1, 2, 2]]), "without a polygon"),
        (lambda c: c["annotations"][4].update(segmentation=[[1, 1, 2, 2, 3, "x"]]), ""),
        (lambda c: c["images"][4].pop("height"), "height"),
    ],
)
def test_json_that_pycocotools_does_not_read_as_meant_is_refused(
    tmp_path: Path, capsys, monkeypatch, spoil, expected: str
) -> None:
    monkeypatch.setattr(coco_files, "PIECE_ITEMS", 3)
    made = coco(5)
    with locked(tmp_path / "out", "prepare"), Staging(tmp_path / "out", {}) as staging:
        staging.add_coco("train", made)
        assert capsys.readouterr().out == ""  # pycocotools talks
        spoil(made)
        with pytest.raises(ValueError, match=rf"^annotations/val\.json is not written.*{expected}"):
            staging.add_coco("val", made)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"}]}\n', '"}]}'),
        ('"}]}\n', '"}]}\n}'),
        ('"}]}\n', '"}],"categories":[]}\n'),
        ('"annotations":[', '"annotations":[,'),
        ("]]", "]"),
        ('},{"id":2', '}{"id":2'),
        ('"look-alike"', '"hard negative"'),
        ("é2", "\udce9"),
    ],
)
def test_json_that_was_not_written_as_meant_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path, made = tmp_path / "a.json", coco(3)
    write(path, made, pieces_of(made))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"^a\.json is not written: pycocotools reads "):
        check_readable(path, 3, len(made["annotations"]), CATEGORIES, "a.json")


@pytest.mark.parametrize(
    ("n_images", "n_annotations", "expected"), [(4, 4, "3 images of 4"), (3, 5, "4 annotations of")]
)
def test_json_with_less_than_was_written_is_refused(
    tmp_path: Path, n_images: int, n_annotations: int, expected: str
) -> None:
    path, made = tmp_path / "a.json", coco(3)
    write(path, made, pieces_of(made))
    with pytest.raises(ValueError, match=expected):
        check_readable(path, n_images, n_annotations, CATEGORIES, "a.json")


def peak_of_tiles(out: Path, coco: dict) -> tuple[int, int]:
    """Write and check the json of tiles; give what it takes of memory and on disk, bytes."""
    tiled = TiledPart(coco, "all", TileOptions(64, 0.6))
    with locked(out, "prepare"), Staging(out, {}) as staging:
        tracemalloc.start()
        staging.add_pieces("tiles_all", tiled.info(), coco["categories"], tiled.pieces())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = (staging.new / "annotations" / "tiles_all.json").stat().st_size
    return peak, size


def test_memory_for_json_of_tiles_does_not_grow_with_the_number_of_fields(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(coco_files, "PIECE_ITEMS", 50)
    monkeypatch.setattr(coco_files, "READ_CHARS", 2**12)
    monkeypatch.setattr(coco_files, "SPOOL_BYTES", 2**12)
    peaks, sizes = [], []
    for n_fields in (5, 20, 80):  # the first time, what is imported and cached counts too
        objects = [disc(130, 90, 8, 220, 180), disc(50, 60, 8, 220, 180)]
        made = make_data.coco([(220, 180)] * n_fields, [objects] * n_fields)
        peak, size = peak_of_tiles(tmp_path / f"{n_fields}", {**made, "info": {}})
        peaks.append(peak)
        sizes.append(size)
    assert sizes[2] > 1e6
    assert peaks[2] - peaks[1] < 0.2 * (sizes[2] - sizes[1])
