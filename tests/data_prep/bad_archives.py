"""A good tiny archive for each source, with what it takes to spoil it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from data_prep.images import SUFFIXES, TIFF_SUFFIXES
from tests.data_prep.archives import (
    POINTS,
    make_midog,
    make_mitos12,
    make_mitos14,
    make_slide_runner,
    make_table,
    make_tupac16,
    midog_labels,
    write_label,
)

WIDTH, HEIGHT = 100, 200


@dataclass(frozen=True)
class Source:
    """An archive of one source, good as it is made.

    ``image`` and ``label`` are the two files that are spoilt; ``add`` appends a mitosis at x, y to
    the label file, which calls it ``where``; ``name`` replaces an image's name in that file.
    """

    words: str
    image: str
    label: str
    make: Callable[[Path], object]
    add: Callable[[Path, float, float], object]
    where: str = "line 2"
    name: Callable[[Path, str, str], object] | None = None


def paint(root: Path) -> None:
    """Give each image of an archive its own noise, so that none repeats or compresses well."""
    images = sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)
    for seed, path in enumerate(images):
        pixels = np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        if path.suffix in TIFF_SUFFIXES:
            tifffile.imwrite(path, pixels, photometric="rgb")
        else:
            Image.fromarray(pixels).save(path)


def append(label: Path, text: str) -> None:
    label.write_bytes(label.read_bytes() + text.encode())


def replace(label: Path, old: str, new: str) -> None:
    text = label.read_text()
    assert old in text
    label.write_text(text.replace(old, new))


def original(root: Path) -> None:
    texts = {"01/01": "60,40\n", "04/01": "30,70\n20,20\n", "27/01": "50,60\n"}
    make_tupac16(root, texts)


def alternative(root: Path) -> None:
    texts = {"01/01": "60,40\n", "01/02": "", "04/01": "30,70\n", "27/01": "50,60\n"}
    make_tupac16(root, texts)
    for name in texts:
        write_label(root / "nonmitoses_ground_truth" / f"{name}.csv", "5,5\n")


def midog(root: Path) -> None:
    """Of three images the last one has no annotation; it is not named here."""
    labels = midog_labels()
    labels["images"] = [{**i, "width": WIDTH, "height": HEIGHT} for i in labels["images"][:2]]
    make_midog(root, labels)
    write_label(root / "MIDOG.json", json.dumps(labels, indent=1))


def sqlite(root: Path) -> None:
    midog(root)
    labels = root / "MIDOG.json"
    make_slide_runner(root / "MIDOG.sqlite", json.loads(labels.read_text()))
    labels.unlink()


def parquet(root: Path) -> None:
    make_table(root).joinpath("points.csv").unlink()
    rows = [("a.png", 10.0, 20.0), ("b.png", 30.5, 40.0), ("a.png", 50.0, 60.0)]
    write_parquet(root / "points.parquet", rows)


def geojson(root: Path) -> None:
    make_table(root).joinpath("points.csv").unlink()
    for name, points in {"a": [(10, 20), (50, 60)], "b": [(30.5, 40)]}.items():
        content = {"type": "FeatureCollection", "features": [feature(*xy) for xy in points]}
        write_label(root / "points" / f"{name}.geojson", json.dumps(content, indent=1))


def feature(x: float, y: float) -> dict:
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [x, y]}}


def write_parquet(path: Path, rows: list[tuple]) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = dict(zip(("image", "x", "y"), map(list, zip(*rows, strict=True)), strict=True))
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def read_parquet(path: Path) -> list[tuple]:
    import pyarrow.parquet

    return list(zip(*pyarrow.parquet.read_table(path).to_pydict().values(), strict=True))


def add_box(label: Path, x: float, y: float) -> None:
    labels = json.loads(label.read_text())
    box = [x - 10, y - 10, x + 10, y + 10]
    labels["annotations"].append({"id": 9, "image_id": 1, "category_id": 1, "bbox": box})
    label.write_text(json.dumps(labels))


def add_spot(label: Path, x: float, y: float) -> None:
    with closing(sqlite3.connect(label)) as database, database:
        database.execute(
            "INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (9, 1, 1, 1)"
        )
        database.execute(
            "INSERT INTO Annotations_coordinates (coordinateX, coordinateY, slide, annoId, "
            "orderIdx) VALUES (?, ?, 1, 9, 1)",
            [x, y],
        )


def add_feature(label: Path, x: float, y: float) -> None:
    content = json.loads(label.read_text())
    content["features"].append(feature(x, y))
    label.write_text(json.dumps(content))


def rename_slide(label: Path, old: str, new: str) -> None:
    with closing(sqlite3.connect(label)) as database, database:
        sentence = "UPDATE Slides SET filename = ? WHERE filename = ?"
        assert database.execute(sentence, (new, old)).rowcount == 1


def rename_rows(label: Path, old: str, new: str) -> None:
    rows = [(new if image == old else image, *xy) for image, *xy in read_parquet(label)]
    write_parquet(label, rows)


TUPAC16 = ("mitoses_image_data_part_1/01/01.tif", "mitoses_ground_truth/01/01.csv")
MITOS12 = ("A00_v2/A00_01.png", "A00_v2/A00_01.csv")
MITOS14 = ("A03/frames/x40/A03_00Aa.png", "A03/mitosis/A03_00Aa_mitosis.csv")
IMAGE = "images/001.tiff"
TABLE = "table --mpp 0.25"

SOURCES = {
    "tupac16": Source(
        "tupac16", *TUPAC16, original, lambda label, x, y: append(label, f"{y},{x}\n")
    ),
    "alternative": Source(
        "tupac16 --labels alternative --look-alikes",
        *TUPAC16,
        alternative,
        lambda label, x, y: append(label, f"{y},{x}\n"),
    ),
    "mitos12": Source(
        "mitos12", *MITOS12, make_mitos12, lambda label, x, y: append(label, f"{x},{y}\n")
    ),
    "mitos14": Source(
        "mitos14 --look-alikes",
        *MITOS14,
        lambda root: make_mitos14(root, {"A03_00Aa": ("50,60,1.0\n", "20,30,0.0\n")}),
        lambda label, x, y: append(label, f"{x},{y},1.0\n"),
    ),
    "midog": Source(
        "midog --mpp 0.25 --look-alikes",
        IMAGE,
        "MIDOG.json",
        midog,
        add_box,
        "annotation 9",
        replace,
    ),
    "sqlite": Source(
        "midog --mpp 0.25 --look-alikes",
        IMAGE,
        "MIDOG.sqlite",
        sqlite,
        add_spot,
        "annotation 9",
        rename_slide,
    ),
    "csv": Source(
        TABLE,
        "a.png",
        "points.csv",
        make_table,
        lambda label, x, y: append(label, f"a.png,{x},{y}\n"),
        "line 5",
        replace,
    ),
    "tsv": Source(
        TABLE,
        "a.png",
        "points.tsv",
        lambda root: make_table(root, POINTS.replace(",", "\t"), "points.tsv"),
        lambda label, x, y: append(label, f"a.png\t{x}\t{y}\n"),
        "line 5",
        replace,
    ),
    "parquet": Source(
        TABLE,
        "a.png",
        "points.parquet",
        parquet,
        lambda label, x, y: write_parquet(label, [*read_parquet(label), ("a.png", x, y)]),
        "row 4",
        rename_rows,
    ),
    "geojson": Source(
        f"{TABLE} --table points", "a.png", "points/a.geojson", geojson, add_feature, "feature 3"
    ),
}
