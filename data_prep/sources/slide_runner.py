"""MIDOG's labels as a database of SlideRunner (sqlite)."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from data_prep.sources.domains import Domain, edition
from data_prep.sources.midog_labels import (
    Annotation,
    LabelledImage,
    Labels,
    check_categories,
    other_categories,
    share,
)

RADIUS_PX = 25
"""Of the box around a point; MIDOG's json has it so."""

EXPECTED = (
    "a database of SlideRunner with Slides(uid, filename, width, height), "
    "Annotations(uid, slide, agreedClass), Annotations_coordinates(coordinateX, coordinateY, "
    "annoId) and Classes(uid, name)"
)


def read_sqlite(path: Path) -> Labels:
    """Read MIDOG's database; it is not written to.

    Args:
        path: The file.

    Returns:
        Its labels. The centre of a spot is its point, that of any other annotation the centre of
        the box around its points; those marked as deleted are not read.

    Raises:
        ValueError: If it is no such database, or an annotation points nowhere or has no place.
    """
    uri = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as database:
            return _read(path, database)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter of sqlite's own messages
        raise ValueError(f"cannot read {path}: {error}; expected {EXPECTED}") from error


def _read(path: Path, database: sqlite3.Connection) -> Labels:
    """Read the tables."""
    names = dict(database.execute("SELECT uid, name FROM Classes"))
    (page_bytes,) = database.execute("PRAGMA page_size").fetchone()
    if path.stat().st_size % page_bytes:  # sqlite takes what a page lacks for zeros, unsaid
        raise ValueError(f"{path} is truncated: its last page is cut; expected {EXPECTED}")
    kinds = check_categories(path, {uid: str(name) for uid, name in names.items()})
    images = {}
    for uid, name, *size in database.execute("SELECT uid, filename, width, height FROM Slides"):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{path}, slide {uid}: filename is {name!r}; expected a name")
        known = (int(size[0]), int(size[1])) if all(isinstance(n, int) for n in size) else None
        images[uid] = LabelledImage(uid, name, known, Domain())
    points = defaultdict(list)
    for uid, *xy in database.execute(
        "SELECT annoId, coordinateX, coordinateY FROM Annotations_coordinates ORDER BY rowid"
    ):
        points[uid].append(xy)
    readers = _readers(database)
    others: Counter[str] = Counter()
    n_deleted = 0
    for uid, slide, category, deleted in _annotations(database):
        where = f"{path}, annotation {uid}"
        if deleted:
            n_deleted += 1
            continue
        if slide not in images:
            raise ValueError(f"{where}: there is no slide {slide}")
        if category not in kinds:
            if category and category not in names:
                raise ValueError(f"{where}: there is no class {category}")
            others[str(names.get(category, "not agreed"))] += 1
            continue
        box = _box(points[uid], where)
        confidence = share(readers[uid], kinds)
        images[slide].annotations.append(Annotation(uid, uid, kinds[category], box, confidence))
    notes = (f"{path}: {n_deleted} annotations are marked as deleted",) if n_deleted else ()
    made_of = edition(path.stem) or ("2021" if path.stem == "MIDOG" else None)
    images_ = list(images.values())
    return Labels(path, made_of, images_, other_categories(path, others), notes)


def _annotations(database: sqlite3.Connection) -> Iterable[tuple[int, int, int | None, int]]:
    """Give uid, slide, class and whether it is deleted, which older databases do not have."""
    columns = {column[1] for column in database.execute("PRAGMA table_info(Annotations)")}
    deleted = "deleted" if "deleted" in columns else "0"
    return database.execute(
        f"SELECT uid, slide, agreedClass, {deleted} FROM Annotations ORDER BY uid"
    )


def _readers(database: sqlite3.Connection) -> dict[int, list[int]]:
    """Give the classes that the readers gave each annotation, where the database has them."""
    readers: dict[int, list[int]] = defaultdict(list)
    columns = {column[1] for column in database.execute("PRAGMA table_info(Annotations_label)")}
    if {"annoId", "class"} <= columns:
        for uid, category in database.execute("SELECT annoId, class FROM Annotations_label"):
            readers[uid].append(category)
    return readers


def _box(points: list[list], where: str) -> tuple[float, float, float, float]:
    """Draw the box around an annotation's points."""
    if not points:
        raise ValueError(f"{where} has no coordinates")
    for point in points:
        if not all(isinstance(value, int | float) and math.isfinite(value) for value in point):
            raise ValueError(f"{where}: a point of it is {tuple(point)}; expected two numbers")
    xs, ys = zip(*points, strict=True)
    margin = RADIUS_PX if len(points) == 1 else 0
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin
