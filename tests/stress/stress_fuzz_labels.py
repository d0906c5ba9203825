"""Spoilt label files of every source, into ``prepare.py``."""

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from data_prep.coco_files import json_bytes
from data_prep.prepare import parse_args, prepare
from data_prep.product import Product
from data_prep.splits import check_split
from tests.data_prep.bad_archives import SOURCES, paint
from tests.stress.judging import Judge, generator
from tests.stress.mutations import CELLS, spoil_bytes, spoil_json, spoil_lines, weird

NUMBERS = ("tupac16", "alternative", "mitos12", "mitos14")
"""Sources whose label file has one cell a line, and nothing else."""


def check_product(product: Product, n_cells: int | None) -> None:
    """See that what was read can be written, lies in its image, and that nothing is lost unsaid."""
    coco = product.whole
    json_bytes(coco)
    sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
    for ann in coco["annotations"]:
        (x, y), (width, height) = ann["centroid"], sizes[ann["image_id"]]
        assert 0 <= x <= width and 0 <= y <= height, f"{ann}"
        values = (*ann["bbox"], ann["area"], *(v for flat in ann["segmentation"] for v in flat))
        assert all(math.isfinite(v) for v in values), f"{ann}"
        assert min(map(len, ann["segmentation"])) >= 6, f"{ann}"
    if n_cells is not None:
        told = len(coco["annotations"]) + len(product.left_out)
        assert told >= n_cells, f"{told} of {n_cells} cells"


def count_lines(data: bytes, others: int) -> int | None:
    """Count the cells of a label file of numbers, and those of the others."""
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return None
    return others + sum(bool(line.replace(",", " ").strip()) for line in lines)


def spoil_database(path: Path, case: int) -> None:
    """Write a weird value into a database, or change its bytes."""
    rng = generator("sqlite", case)
    if rng.random() < 0.3:
        path.write_bytes(spoil_bytes(rng, path.read_bytes()))
        return
    table, columns = rng.choice(
        (
            ("Slides", ("uid", "filename", "width", "height")),
            ("Annotations", ("uid", "slide", "agreedClass", "deleted")),
            ("Annotations_coordinates", ("coordinateX", "coordinateY", "annoId")),
            ("Classes", ("uid", "name")),
        )
    )
    value = rng.choice((None, -1, 0, 7, 2**62, 1e308, -1e308, float("inf"), b"\xff\0", *CELLS))
    column = rng.choice(columns)
    sentence = rng.choice(
        (
            f"UPDATE {table} SET {column} = ? WHERE rowid = 1",
            f"UPDATE OR REPLACE {table} SET {column} = ?",
            f"DELETE FROM {table} WHERE {column} IS NOT ?",
        )
    )
    with closing(sqlite3.connect(path)) as database, database:
        try:
            database.execute(sentence, [value])
        except (sqlite3.IntegrityError, sqlite3.OperationalError, UnicodeEncodeError):
            database.execute(f"DROP TABLE {table}")


def spoil_label(name: str, path: Path, good: bytes, case: int) -> None:
    """Write a spoilt label file of a source."""
    rng = generator(name, case)
    path.write_bytes(good)
    if name == "sqlite":
        spoil_database(path, case)
    elif path.suffix in {".json", ".geojson"}:
        path.write_bytes(spoil_json(rng, json.loads(good))[0])
    elif path.suffix == ".parquet":
        path.write_bytes(spoil_bytes(rng, good))
    else:
        delimiter = "\t" if name == "tsv" else ","
        path.write_bytes(spoil_lines(rng, good.decode(), delimiter))


def fuzz_source(folder: Path, n: int, name: str) -> Judge:
    """Give spoilt label files of a source to ``prepare``."""
    source, judge = SOURCES[name], Judge(f"prepare.py, {name}")
    root = folder / "archive"
    source.make(root)
    paint(root)
    words = source.words.split()
    args = parse_args([words[0], str(root), *words[1:], "--out", str(folder / "out")])
    label = root / source.label
    good = label.read_bytes()
    others = (
        len(prepare(args).whole["annotations"]) - count_lines(good, 0) if name in NUMBERS else 0
    )
    for case in range(n):
        spoil_label(name, label, good, case)
        n_cells = count_lines(label.read_bytes(), others) if name in NUMBERS else None
        judge.put(case, lambda: prepare(args), folder, lambda p, n=n_cells: check_product(p, n))
    return judge


def fuzz_domains(folder: Path, n: int) -> Judge:
    """Give spoilt tables of domains to ``prepare.py midog``."""
    judge, root = Judge("prepare.py midog, domains"), folder / "archive"
    SOURCES["midog"].make(root)
    paint(root)
    table = root / "datasets_xvalidation.csv"
    args = parse_args(["midog", str(root), "--out", str(folder / "out")])
    good = "Slide;Tumor;Scanner;mpp\n001;human;Aperio;0.25\n060;dog;Hamamatsu XR;0.23\n"
    for case in range(n):
        table.write_bytes(spoil_lines(generator("domains", case), good, ";"))
        judge.put(case, lambda: prepare(args), folder, lambda p: check_product(p, None))
    return judge


def fuzz_split(folder: Path, n: int) -> Judge:
    """Give spoilt json of splits to ``check_split``, and words that are none."""
    judge, path = Judge("--split"), folder / "split.json"
    good = {"train": ["01"], "val": ["04"], "test": ["27"]}
    for case in range(n):
        rng = generator("split", case)
        path.write_bytes(spoil_json(rng, good)[0])
        word = str(weird(rng))[:200] if rng.random() < 0.2 else str(path)
        word = f"kfold:{weird(rng)}"[:200] if rng.random() < 0.1 else word
        judge.put(case, lambda word=word: check_split(word), word[:30] if word == str(path) else "")
    return judge


READERS: dict[str, tuple[Callable[[Path, int], Judge], int]] = {
    **{name: (lambda folder, n, name=name: fuzz_source(folder, n, name), 2000) for name in SOURCES},
    "domains": (fuzz_domains, 1000),
    "split": (fuzz_split, 2000),
}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_labels(tmp_path: Path, reader: str) -> None:
    fuzz, n = READERS[reader]
    fuzz(tmp_path, n).finish()
