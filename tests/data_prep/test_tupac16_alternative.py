"""TUPAC16's alternative labels, with look-alikes; and both sets of real labels."""

import argparse
import shutil
from pathlib import Path

import pytest

from data_prep.sources import tupac16
from tests.data_prep.archives import (
    REAL_DATA,
    centroids,
    make_tupac16,
    make_tupac16_placeholders,
    needs_real_data,
    write_label,
)

LABELS = "mitoses_ground_truth"
OTHERS = "nonmitoses_ground_truth"


def make_alternative(root: Path, labels_root: Path | None = None) -> Path:
    """Make an archive with alternative labels: mitoses (as ever) and look-alikes."""
    make_tupac16(root)
    folder = root if labels_root is None else labels_root
    if labels_root is not None:
        shutil.copytree(root / LABELS, folder / LABELS)
        write_label(root / LABELS / "01" / "01.csv", "1,1\n2,2\n")  # the original differs
    write_label(folder / LABELS / "01" / "02.csv", "")
    for name, text in {"01/01": "7,90\n", "01/02": "9,8\n1,2\n", "04/01": "", "27/01": ""}.items():
        write_label(folder / OTHERS / f"{name}.csv", text)
    return root


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in the archive", "elsewhere"])
def test_alternative_labels_have_look_alikes(tmp_path: Path, elsewhere: bool) -> None:
    labels_root = tmp_path / "labels" if elsewhere else None
    root = make_alternative(tmp_path / "archive", labels_root)
    archive = tupac16.read(root, labels="alternative", labels_root=labels_root)
    assert (archive.left_out, archive.notes) == ((), ())
    assert centroids(archive.fields) == {
        "01/01": [(40, 110)],
        "01/02": [],
        "04/01": [(70, 30), (20, 20)],
        "27/01": [(60, 50)],
    }
    look_alikes = {f.name: [c.centroid_xy for c in f.look_alikes] for f in archive.fields}
    assert look_alikes == {"01/01": [(90, 7)], "01/02": [(8, 9), (2, 1)], "04/01": [], "27/01": []}
    first = archive.fields[0].look_alikes[0]
    assert (first.label_file, first.line) == ((labels_root or root) / OTHERS / "01/01.csv", 1)


def test_original_labels_are_read_from_another_folder_too(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path / "archive")
    (tmp_path / "labels").mkdir()
    (root / LABELS).rename(tmp_path / "labels" / LABELS)
    archive = tupac16.read(root, labels_root=tmp_path / "labels")
    assert centroids(archive.fields)["01/01"] == [(40, 110)]
    assert archive.left_out == ()


def test_image_without_alternative_labels_is_not_taken_for_one_without_mitoses(
    tmp_path: Path,
) -> None:
    root = make_alternative(tmp_path)
    (root / LABELS / "01" / "02.csv").unlink()
    (root / OTHERS / "04" / "01.csv").unlink()
    archive = tupac16.read(root, labels="alternative")
    assert [field.name for field in archive.fields] == ["01/01", "04/01", "27/01"]
    part = root / "mitoses_image_data_part_1"
    assert archive.left_out == (
        f"{part / '01/02.tif'}: an image without {LABELS}/01/02.csv is not labelled in the "
        "alternative set",
        f"{part / '04/01.tif'}: its look-alikes are unknown, {OTHERS}/04/01.csv is missing",
    )


def test_alternative_labels_without_an_image_are_named(tmp_path: Path) -> None:
    root = make_alternative(tmp_path)
    strays = [write_label(root / kind / "30/07.csv", "1,2\n") for kind in (LABELS, OTHERS)]
    archive = tupac16.read(root, labels="alternative")
    assert archive.left_out == tuple(f"{stray}: labels without an image" for stray in strays)


def test_mitosis_that_is_a_look_alike_too_counts_as_mitosis_and_is_named(tmp_path: Path) -> None:
    root = make_alternative(tmp_path)
    label = write_label(root / OTHERS / "04" / "01.csv", "20,20\n")
    archive = tupac16.read(root, labels="alternative")
    assert centroids(archive.fields)["04/01"] == [(70, 30), (20, 20)]
    assert archive.fields[2].look_alikes == ()
    other = root / LABELS / "04" / "01.csv"
    assert archive.left_out == (
        f"{label}, line 1: row 20, column 20 repeats {other}, line 2, which counts",
    )


def test_alternative_labels_read_as_the_original_ones_are_called_so(tmp_path: Path) -> None:
    # the folders of both sets bear one name
    (sentence,) = tupac16.read(make_alternative(tmp_path)).left_out
    assert sentence.startswith(f"{tmp_path / OTHERS}: look-alikes of the alternative labels are")
    assert sentence.endswith("take --labels alternative")


def test_wrong_label_of_a_look_alike_names_file_and_line(tmp_path: Path) -> None:
    root = make_alternative(tmp_path)
    label = write_label(root / OTHERS / "01" / "01.csv", "1,2\n3,4.5\n")
    with pytest.raises(ValueError, match=rf"{label}, line 2: '4\.5' is no whole number; expected"):
        tupac16.read(root, labels="alternative")


def test_missing_folders_of_labels_are_named(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"looked for {OTHERS}/<case>/.* --labels-root"):
        tupac16.read(root, labels="alternative")
    with pytest.raises(FileNotFoundError, match="no such folder of labels: nowhere"):
        tupac16.read(root, labels_root=Path("nowhere"))
    with pytest.raises(ValueError, match="unknown labels 'other'; choose original or alternative"):
        tupac16.read(root, labels="other")


def test_options_of_the_command_are_those_of_the_reader(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    tupac16.add_arguments(parser)
    root = make_alternative(tmp_path / "archive", tmp_path / "labels")
    words = ["--labels", "alternative", "--labels-root", str(tmp_path / "labels")]
    for line, n_look_alikes in ((words, 3), ([], 0)):
        args = parser.parse_args(line)
        options = {name: getattr(args, name) for name in tupac16.OPTIONS}
        fields = tupac16.read(root, **options).fields
        assert sum(len(field.look_alikes) for field in fields) == n_look_alikes
    with pytest.raises(SystemExit):
        parser.parse_args(["--labels", "both"])


@pytest.fixture(scope="module")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of the right size at the names of the alternative set, which has all of them."""
    folder = REAL_DATA / "tupac16_alternative" / LABELS
    names = [f"{path.parent.name}/{path.stem}" for path in sorted(folder.glob("*/*.csv"))]
    return make_tupac16_placeholders(tmp_path_factory.mktemp("tupac16"), names)


def edges(fields: tuple, which: str) -> list[tuple]:
    """List the cells on the very edge of their image."""
    return [
        (field.name, cell.centroid_xy)
        for field in fields
        for cell in getattr(field, which)
        if 0 in cell.centroid_xy or field.width in cell.centroid_xy
    ]


@needs_real_data
def test_real_original_labels_have_1552_mitoses_and_one_on_the_edge(placeholders: Path) -> None:
    archive = tupac16.read(placeholders, labels_root=REAL_DATA / "tupac16")
    assert (archive.left_out, archive.notes) == ((), ())  # none outside, none twice
    assert len(archive.fields) == 656
    assert len({field.case for field in archive.fields}) == 73
    assert sum(len(field.mitoses) for field in archive.fields) == 1552
    assert sum(not field.mitoses for field in archive.fields) == 69
    assert sum(len(field.look_alikes) for field in archive.fields) == 0
    # a column of 2000 in an image of 2000 columns
    assert edges(archive.fields, "mitoses") == [("18/25", (2000, 1685))]


@needs_real_data
def test_real_alternative_labels_have_1999_mitoses_and_10483_look_alikes(
    placeholders: Path,
) -> None:
    archive = tupac16.read(
        placeholders, labels="alternative", labels_root=REAL_DATA / "tupac16_alternative"
    )
    assert (archive.left_out, archive.notes) == ((), ())  # none outside, none twice
    assert len(archive.fields) == 656
    assert sum(len(field.mitoses) for field in archive.fields) == 1999
    assert sum(not field.mitoses for field in archive.fields) == 145
    assert sum(len(field.look_alikes) for field in archive.fields) == 10483
    assert edges(archive.fields, "mitoses") == []
    assert [name for name, _ in edges(archive.fields, "look_alikes")] == [
        "04/58",
        "15/01",
        "15/22",
        "18/47",
    ]
    scanners = [field.scanner.split()[0] for field in archive.fields]
    sizes = {field.scanner.split()[0]: field.width for field in archive.fields}
    assert (scanners.count("Leica"), sizes) == (50, {"Aperio": 2000, "Leica": 5657})
