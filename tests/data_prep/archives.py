"""Tiny archives that the tests of data preparation make, and where the real one is."""

import json
import os
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from data_prep.records import Archive, Field

REAL_DATA = Path(os.environ.get("MITOSIS_REAL_DATA", ""))
needs_real_data = pytest.mark.skipif(
    not os.environ.get("MITOSIS_REAL_DATA"), reason="MITOSIS_REAL_DATA is not set"
)

SIDE = 100
CASES = {"01": 1, "04": 1, "27": 2}
"""One case of each of the paper's splits, with its part of the archive."""


def write_image(path: Path, width: int = SIDE, height: int = SIDE) -> Path:
    """Write a white image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), 255, np.uint8)
    if path.suffix.lower() in {".tif", ".tiff"}:
        tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib")
    else:
        Image.fromarray(pixels).save(path)
    return path


def write_label(path: Path, text: str | bytes) -> Path:
    """Write a label file as it is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def make_tupac16(root: Path, labels: dict[str, str] | None = None) -> Path:
    """Make an archive in TUPAC16's layout: an image 01 for each of three cases, and one without
    mitoses, 01/02."""
    for case, part in CASES.items():
        write_image(root / f"mitoses_image_data_part_{part}" / case / "01.tif", SIDE, SIDE + 20)
    write_image(root / "mitoses_image_data_part_1" / "01" / "02.tif")
    default = {"01/01": "110,40\n", "04/01": "30,70\n20,20\n", "27/01": "50,60\n"}
    for name, text in (default if labels is None else labels).items():
        write_label(root / "mitoses_ground_truth" / f"{name}.csv", text)
    return root


def square(x: int, y: int, side: int = 6) -> str:
    """Write a square of pixels as MITOS12 does: x,y,x,y,…"""
    return ",".join(f"{x + i},{y + j}" for j in range(side) for i in range(side))


def make_mitos12(root: Path, labels: dict[str, str] | None = None) -> Path:
    """Make an archive in MITOS12's layout: a field for each of four slides."""
    default = {name: square(10, 60) + "\n" for name in ("A00_01", "A01_00", "A02_02", "A03_02")}
    for name, text in (default if labels is None else labels).items():
        folder = root / f"{name[:3]}_v2"
        write_image(folder / f"{name}.png", SIDE, SIDE + 20)
        write_label(folder / f"{name}.csv", text)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    """Read all files of a folder, by their relative path; links are not followed."""
    found: dict[str, bytes] = {}
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                found[str(path.relative_to(folder))] = str(path.readlink()).encode()
            elif path.is_file():
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def centroids(fields: Sequence) -> dict[str, list[tuple[float, float]]]:
    """Give the centroids of fields by their names."""
    return {field.name: [m.centroid_xy for m in field.mitoses] for field in fields}


def make_mitos14(root: Path, labels: dict[str, tuple[str | None, str | None]]) -> Path:
    """Make an archive in MITOS14's layout: a frame for each name, with the text of its
    ``_mitosis.csv`` and ``_not_mitosis.csv``; None for a file that is not there."""
    for name, texts in labels.items():
        slide = root / name.split("_")[0]
        write_image(slide / "frames" / "x40" / f"{name}.png", SIDE, SIDE + 20)
        for kind, text in zip(("mitosis", "not_mitosis"), texts, strict=True):
            if text is not None:
                write_label(slide / "mitosis" / f"{name}_{kind}.csv", text)
    return root


def write_placeholder(path: Path, width: int, height: int) -> Path:
    """Write a large white image that is cheap: tiled, compressed and all of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.broadcast_to(np.uint8(255), (height, width, 3))
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(1024, 1024), compression="zlib")
    return path


def make_tupac16_placeholders(root: Path, names: Sequence[str]) -> Path:
    """Make TUPAC16's images of the right size, in parts 1 to 3, for names as 01/07."""
    small = write_placeholder(root / "small.tif", 2000, 2000)
    large = write_placeholder(root / "large.tif", 5657, 5657)
    for name in names:
        case = int(name.split("/")[0])
        part = 1 if case <= 23 else 2 if case <= 48 else 3
        image = root / f"mitoses_image_data_part_{part}" / f"{name}.tif"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.hardlink_to(small if case <= 23 else large)
    return root


def write_same_tiles(path: Path, width: int, height: int) -> Path:
    """Write a huge white image within a few ms: one compressed tile, again and again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    side = 1024
    tile = zlib.compress(b"\xff" * (side * side * 3), level=1)
    n_tiles = -(-width // side) * -(-height // side)
    tifffile.imwrite(
        path,
        (tile for _ in range(n_tiles)),
        shape=(height, width, 3),
        dtype=np.uint8,
        photometric="rgb",
        tile=(side, side),
        compression="zlib",
    )
    return path


def midog_labels(**changes: object) -> dict:
    """Give labels as MIDOG's json has them: three images of 100 x 120 px, of which 151 has none."""
    names = {1: "001.tiff", 60: "060.tiff", 151: "151.tiff"}
    boxes = [
        (1, 1, 1, [20, 80, 40, 100]),
        (2, 1, 2, [50, 50, 70, 70]),
        (3, 60, 1, [10.5, 20, 20.5, 30]),
    ]
    labels = {
        "info": {"description": "MIDOG++: three images"},
        "images": [
            {"id": i, "file_name": name, "width": SIDE, "height": SIDE + 20}
            for i, name in names.items()
        ],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "hard negative"}],
        "annotations": [
            {"id": i, "image_id": image, "category_id": category, "bbox": box}
            for i, image, category, box in boxes
        ],
    }
    return {**labels, **changes}


def make_midog(root: Path, labels: dict | None = None) -> Path:
    """Make an archive in MIDOG's layout."""
    labels = midog_labels() if labels is None else labels
    for image in labels["images"]:
        write_image(root / "images" / image["file_name"], SIDE, SIDE + 20)
    write_label(root / "MIDOG.json", json.dumps(labels))
    return root


def make_slide_runner(path: Path, labels: dict) -> Path:
    """Write labels as MIDOG's database has them: a spot at each box's centre."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TABLE Slides (uid INTEGER PRIMARY KEY, filename TEXT, width INTEGER, "
            "height INTEGER);"
            "CREATE TABLE Classes (uid INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE Annotations (uid INTEGER PRIMARY KEY, slide INTEGER, type INTEGER, "
            "agreedClass INTEGER, deleted INTEGER DEFAULT 0);"
            "CREATE TABLE Annotations_coordinates (uid INTEGER PRIMARY KEY, coordinateX INTEGER, "
            "coordinateY INTEGER, slide INTEGER, annoId INTEGER, orderIdx INTEGER);"
            "CREATE TABLE Annotations_label (uid INTEGER PRIMARY KEY, person INTEGER, "
            "class INTEGER, annoId INTEGER);"
        )
        for image in labels["images"]:
            row = [image[key] for key in ("id", "file_name", "width", "height")]
            database.execute("INSERT INTO Slides VALUES (?, ?, ?, ?)", row)
        for category in labels["categories"]:
            row = [category["id"], category["name"]]
            database.execute("INSERT INTO Classes VALUES (?, ?)", row)
        for a in labels["annotations"]:
            x1, y1, x2, y2 = a["bbox"]
            row = [a["id"], a["image_id"], 1, a["category_id"]]
            database.execute(
                "INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (?, ?, ?, ?)", row
            )
            database.execute(
                "INSERT INTO Annotations_coordinates (coordinateX, coordinateY, slide, annoId, "
                "orderIdx) VALUES (?, ?, ?, ?, 1)",
                [(x1 + x2) / 2, (y1 + y2) / 2, a["image_id"], a["id"]],
            )
            database.executemany(
                "INSERT INTO Annotations_label (person, class, annoId) VALUES (?, ?, ?)",
                [(person, vote, a["id"]) for person, vote in enumerate(a.get("labels", []))],
            )
    return path


def make_distinct(root: Path) -> Path:
    """Give each image of an archive a colour of its own, so that no two are equal."""
    paths = sorted(p for p in root.rglob("*") if p.suffix in {".tif", ".png"} and p.is_file())
    for index, path in enumerate(paths):
        with Image.open(path) as image:
            pixels = np.full((image.height, image.width, 3), 250 - index, np.uint8)
        if path.suffix == ".tif":
            tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib")
        else:
            Image.fromarray(pixels).save(path)
    return root


def midog_annotation(**changes: object) -> dict:
    """Give labels as MIDOG's json has them with one annotation, 7, of image 1."""
    one = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [20, 80, 40, 100]}
    return midog_labels(annotations=[{**one, **changes}])


POINTS = "image,x,y\na.png,10,20\nb.png,30.5,40\na.png,50,60\n"


def make_table(root: Path, text: str | bytes = POINTS, name: str = "points.csv") -> Path:
    """Make a table of points and two images of 100 x 120 px."""
    write_label(root / name, text)
    for image in ("a.png", "b.png"):
        write_image(root / image, SIDE, SIDE + 20)
    return root


def by_name(archive: Archive) -> dict[str, Field]:
    """Give the fields of an archive by their names."""
    return {field.name: field for field in archive.fields}
