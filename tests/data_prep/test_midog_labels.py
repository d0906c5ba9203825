"""MIDOG's label files: categories by name, wrong json, SlideRunner's database."""

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from data_prep.sources import midog
from mmdet_mitosis.evaluation.categories import is_mitosis
from tests.data_prep.archives import (
    REAL_DATA,
    by_name,
    centroids,
    make_midog,
    make_slide_runner,
    midog_annotation,
    midog_labels,
    needs_real_data,
    write_label,
)

FOUR_NUMBERS = "annotation 7: bbox is .*expected four numbers"


def test_categories_count_by_name_and_not_by_number(tmp_path: Path) -> None:
    categories = [{"id": 2, "name": "Mitotic figure"}, {"id": 1, "name": "not mitotic figure"}]
    fields = by_name(midog.read(make_midog(tmp_path, midog_labels(categories=categories))))
    assert [cell.centroid_xy for cell in fields["001"].mitoses] == [(60, 60)]
    assert [cell.centroid_xy for cell in fields["001"].look_alikes] == [(30, 90)]


def test_names_of_categories() -> None:
    for name in ("mitotic figure", "Mitosis", "mitoses", "Mitotic-Figure"):
        assert is_mitosis(name) is True
    for name in (
        "hard negative",
        "non-mitotic",
        "nonmitotic cell",
        "not mitotic figure",
        "hard negative look-alike",
        "imposter",
        "no mitosis",
        "mitotic-like figure",
    ):
        assert is_mitosis(name) is False, name
    for name in ("ROI", "tumor cell", "amitosome", ""):
        assert is_mitosis(name) is None, name


def test_no_category_of_mitoses_is_an_error(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "cell"}, {"id": 2, "name": "hard negative"}]
    root = make_midog(tmp_path, midog_labels(categories=categories))
    with pytest.raises(ValueError, match=r"no category of mitoses: it has 1 'cell', 2 'hard neg"):
        midog.read(root)


def test_annotations_of_another_category_are_counted(tmp_path: Path) -> None:
    labels = midog_labels()
    labels["categories"].append({"id": 3, "name": "ROI"})
    labels["annotations"].append({**labels["annotations"][2], "id": 9, "category_id": 3})
    archive = midog.read(make_midog(tmp_path, labels))
    assert "1 annotations of category 'ROI', neither mitoses nor look-alikes" in archive.left_out[0]
    assert len(by_name(archive)["060"].mitoses) == 1


def test_confidence_is_the_share_of_the_readers(tmp_path: Path) -> None:
    fields = by_name(midog.read(make_midog(tmp_path, midog_annotation(labels=[1, 2, 1]))))
    assert fields["001"].mitoses[0].confidence == pytest.approx(2 / 3, abs=1e-4)
    fields = by_name(midog.read(make_midog(tmp_path, midog_annotation())))
    assert fields["001"].mitoses[0].confidence is None


def test_sqlite_says_the_same_as_json(tmp_path: Path) -> None:
    labels = midog_labels()
    labels["annotations"][1]["labels"] = [2, 1, 2]
    by_json = midog.read(make_midog(tmp_path, labels))
    by_sqlite = midog.read(tmp_path, labels=make_slide_runner(tmp_path / "MIDOG++.sqlite", labels))
    assert centroids(by_sqlite.fields) == centroids(by_json.fields)
    for one, other in zip(by_sqlite.fields, by_json.fields, strict=True):
        assert [(c.centroid_xy, c.confidence) for c in one.look_alikes] == [
            (c.centroid_xy, c.confidence) for c in other.look_alikes
        ]
        assert (one.scanner, one.mpp, one.tumour) == (other.scanner, other.mpp, other.tumour)
    assert by_sqlite.left_out == (
        f"{tmp_path / 'MIDOG++.sqlite'}: image 151.tiff is not annotated",
    )


def test_sqlite_boxes_deleted_and_disagreed(tmp_path: Path) -> None:
    path = make_slide_runner(make_midog(tmp_path) / "MIDOG.sqlite", midog_labels())
    with closing(sqlite3.connect(path)) as database, database:
        # annotation 3 becomes a rectangle, 2 is deleted, 4 has no agreed class
        database.execute(
            "UPDATE Annotations_coordinates SET coordinateX=10, coordinateY=20 WHERE annoId=3"
        )
        database.execute("INSERT INTO Annotations_coordinates VALUES (9, 50, 60, 60, 3, 2)")
        database.execute("UPDATE Annotations SET deleted=1 WHERE uid=2")
        database.execute("INSERT INTO Annotations VALUES (4, 60, 1, 0, 0)")
    before = path.read_bytes()
    archive = midog.read(tmp_path, labels=path)
    assert centroids(archive.fields) == {"001": [(30, 90)], "060": [(30, 40)]}
    assert by_name(archive)["001"].look_alikes == ()
    assert any("1 annotations are marked as deleted" in note for note in archive.notes)
    assert archive.left_out[0].startswith(f"{path}: 1 annotations of category 'not agreed'")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("DELETE FROM Annotations_coordinates WHERE annoId=3", "annotation 3 has no coordinates"),
        ("UPDATE Annotations SET slide=77 WHERE uid=3", "annotation 3: there is no slide 77"),
        ("UPDATE Annotations SET agreedClass=5 WHERE uid=3", "annotation 3: there is no class 5"),
        ("UPDATE Annotations_coordinates SET coordinateX='left' WHERE annoId=3", "annotation 3: a"),
        ("UPDATE Annotations_coordinates SET coordinateX=NULL WHERE annoId=3", "annotation 3: a"),
        ("UPDATE Slides SET filename=NULL WHERE uid=1", "slide 1: filename is None"),
        ("DROP TABLE Slides", r"no such table: Slides; expected a database of SlideRunner"),
    ],
)
def test_wrong_sqlite_names_the_annotation(tmp_path: Path, change: str, message: str) -> None:
    path = make_slide_runner(make_midog(tmp_path) / "MIDOG.sqlite", midog_labels())
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(change)
    with pytest.raises(ValueError, match=message) as caught:
        midog.read(tmp_path, labels=path)
    assert str(path) in str(caught.value)


def test_sqlite_whose_own_words_are_no_text_is_named(tmp_path: Path) -> None:
    path = make_slide_runner(make_midog(tmp_path) / "MIDOG.sqlite", midog_labels())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"CREATE TABLE Slides", b"CREATE T\xffBLE Slides"))
    with pytest.raises(ValueError, match=r"cannot read .*MIDOG\.sqlite: .*; expected a database"):
        midog.read(tmp_path, labels=path)


def test_a_text_file_is_no_sqlite(tmp_path: Path) -> None:
    path = write_label(make_midog(tmp_path) / "MIDOG.sqlite", "no database, however long it may be")
    with pytest.raises(ValueError, match=r"MIDOG.sqlite: file is not a database; expected"):
        midog.read(tmp_path, labels=path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            midog_annotation(bbox=[20, 80, 10, 100]),
            "annotation 7: bbox is .*, of width -10 and height 20",
        ),
        (
            midog_annotation(bbox=[20, 80, 40, 80]),
            "annotation 7: bbox is .* height 0; expected",
        ),
        (midog_annotation(bbox=[20, 80, 40]), FOUR_NUMBERS),
        (
            midog_annotation(bbox=[20, 80, 40, math.nan]),
            FOUR_NUMBERS,
        ),
        (
            midog_annotation(bbox=[20, 80, 40, math.inf]),
            FOUR_NUMBERS,
        ),
        (
            midog_annotation(bbox=[20, 80, 40, "100"]),
            FOUR_NUMBERS,
        ),
        (
            midog_annotation(bbox=[20, 80, 40, True]),
            FOUR_NUMBERS,
        ),
        (midog_annotation(bbox=None), "annotation 7: bbox is null; expected list"),
        (midog_annotation(image_id=8), "annotation 7: there is no image 8"),
        (midog_annotation(category_id=8), "annotation 7: there is no category 8"),
        (midog_annotation(id="a"), 'annotation 1 of the list: id is "a"; expected int'),
        (midog_labels(annotations=[{"id": 7}]), "annotation 7 has no 'image_id'"),
        (midog_labels(annotations=[[1]]), "annotation 1 of the list has no 'id'; it holds list"),
        (
            midog_labels(annotations=midog_annotation()["annotations"] * 2),
            "annotation 7: a second one has the same id",
        ),
        (
            midog_labels(images=midog_labels()["images"][:1] * 2),
            "image 1: a second one has the same id",
        ),
        (midog_labels(images=[{"id": 1, "file_name": "a.png"}]), "image 1 has no 'width'"),
    ],
)
def test_wrong_label_names_file_and_annotation(tmp_path: Path, labels: dict, message: str) -> None:
    root = make_midog(tmp_path)
    write_label(root / "MIDOG.json", json.dumps(labels))
    with pytest.raises(ValueError, match=message) as caught:
        midog.read(root)
    assert str(root / "MIDOG.json") in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", '{"images": []}', "{", b"\xff\xfe"])
def test_what_is_no_label_file_is_refused(tmp_path: Path, text: str | bytes) -> None:
    write_label(tmp_path / "a.json", text)
    said = r"a\.json(, line 1: byte 0xff is no UTF-8| is no json| has)"
    with pytest.raises(ValueError, match=said):
        midog.read(tmp_path)


@needs_real_data
def test_real_labels_as_a_database_say_the_same(tmp_path: Path) -> None:
    real = REAL_DATA / "midogpp" / "MIDOG++.json"
    content = json.loads(real.read_text())
    found = midog.read_labels(make_slide_runner(tmp_path / "MIDOG++.sqlite", content))
    expected = midog.read_labels(real)
    assert found.edition == "++"
    for one, other in zip(found.images, expected.images, strict=True):
        cells = [(a.id, a.is_mitosis, a.box_xyxy, a.confidence) for a in one.annotations]
        assert cells == [(a.id, a.is_mitosis, a.box_xyxy, a.confidence) for a in other.annotations]
