"""TUPAC16's archive: row first, no CSV without mitoses, points on the edge."""

import shutil
from pathlib import Path

import pytest

from data_prep.sources import tupac16
from tests.data_prep.archives import (
    centroids,
    make_tupac16,
    write_image,
    write_label,
)

LABELS = "mitoses_ground_truth"


def test_row_comes_first_and_an_absent_csv_means_no_mitosis(tmp_path: Path) -> None:
    archive = tupac16.read(make_tupac16(tmp_path))
    assert centroids(archive.fields) == {
        "01/01": [(40, 110)],  # row 110 would lie outside as a column: the image is 100 x 120
        "01/02": [],
        "04/01": [(70, 30), (20, 20)],
        "27/01": [(60, 50)],
    }
    assert archive.left_out == ()
    assert all(field.labelled for field in archive.fields)


def test_size_scanner_and_resolution_of_a_field(tmp_path: Path) -> None:
    fields = {field.name: field for field in tupac16.read(make_tupac16(tmp_path)).fields}
    assert (fields["01/01"].width, fields["01/01"].height) == (100, 120)
    assert fields["27/01"].case == "27"
    assert fields["27/01"].mpp == 0.25
    scanners = {name: field.scanner for name, field in fields.items()}
    assert scanners["04/01"] == "Aperio ScanScope XT"
    assert scanners["27/01"] == "Leica SCN400"


def test_scanner_changes_after_case_23() -> None:
    assert tupac16.scanner("23") == "Aperio ScanScope XT"
    assert tupac16.scanner("24") == "Leica SCN400"
    for wrong in ("A01", "", "²"):
        with pytest.raises(ValueError, match=f"case '{wrong}' is no number"):
            tupac16.scanner(wrong)


def test_mitosis_knows_its_file_and_line(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path, {"04/01": "\n30,70\n\n20,20\n"})
    (field,) = (field for field in tupac16.read(root).fields if field.mitoses)
    label = root / LABELS / "04/01.csv"
    assert [(m.label_file, m.line) for m in field.mitoses] == [(label, 2), (label, 4)]


def test_point_on_the_edge_is_kept_and_beyond_it_is_named(tmp_path: Path) -> None:
    # the image is 100 wide and 120 high
    text = "120,100\n0,0\n121,5\n5,101\n-1,5\n120,99\n"
    archive = tupac16.read(make_tupac16(tmp_path, {"01/01": text}))
    assert centroids(archive.fields)["01/01"] == [(100, 120), (0, 0), (99, 120)]
    label = tmp_path / LABELS / "01/01.csv"
    assert archive.left_out == (
        f"{label}, line 3: row 121, column 5 lies outside the image (100 x 120 px)",
        f"{label}, line 4: row 5, column 101 lies outside the image (100 x 120 px)",
        f"{label}, line 5: row -1, column 5 lies outside the image (100 x 120 px)",
    )


def test_labels_without_an_image_are_named(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path)
    stray = write_label(root / LABELS / "30" / "07.csv", "1,2\n")
    assert tupac16.read(root).left_out == (f"{stray}: labels without an image",)


def test_images_in_one_folder_are_read_alike(tmp_path: Path) -> None:
    parts = tupac16.read(make_tupac16(tmp_path / "parts"))
    root = make_tupac16(tmp_path / "one")
    for part in sorted(root.glob("mitoses_image_data_part_*")):
        shutil.copytree(part, root / "mitoses_image_data", dirs_exist_ok=True)
        shutil.rmtree(part)
    assert centroids(tupac16.read(root).fields) == centroids(parts.fields)


def test_capital_suffixes_count(tmp_path: Path) -> None:
    # a CSV that is overlooked would turn its mitoses into background without a word
    root = make_tupac16(tmp_path)
    for name in ("mitoses_image_data_part_1/01/01.tif", f"{LABELS}/01/01.csv"):
        path = root / name
        path.rename(path.with_suffix(path.suffix.upper()))
    assert centroids(tupac16.read(root).fields)["01/01"] == [(40, 110)]


def test_field_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path)
    write_image(root / "mitoses_image_data_part_3" / "01" / "01.tif")
    with pytest.raises(ValueError, match=r"field 01/01 is there twice: .*part_1.* and .*part_3"):
        tupac16.read(root)


def test_fields_are_in_order_of_case_whatever_their_part(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path)
    (root / "mitoses_image_data_part_1").rename(root / "mitoses_image_data_part_9")
    names = [field.name for field in tupac16.read(root).fields]
    assert names == ["01/01", "01/02", "04/01", "27/01"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,x\n", "line 2: 'x' is no whole number; expected row,column in whole pixels"),
        ("row,col\n1,2\n", "line 1: 'row' is no whole number"),
        ("1;2\n", "line 1: '1;2' is no whole number"),
        ("1,2\n5\n", r"line 2: 1 values \(5\); expected row,column"),
        ("1,2,3,4,5\n", r"line 1: 5 values \(1,2,3,4,…\); expected row,column"),
    ],
)
def test_wrong_label_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        tupac16.read(make_tupac16(tmp_path, {"01/01": text}))
    assert str(tmp_path / LABELS / "01/01.csv") in str(caught.value)


def test_wrong_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="looked for folders mitoses_image_data"):
        tupac16.read(tmp_path)
    (tmp_path / "mitoses_image_data_part_1" / "01").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"no image in .*looked for"):
        tupac16.read(tmp_path)
    write_image(tmp_path / "mitoses_image_data_part_1" / "01" / "01.tif")
    with pytest.raises(FileNotFoundError, match="looked for mitoses_ground_truth/<case>/"):
        tupac16.read(tmp_path)


def test_point_that_is_there_twice_counts_once_and_is_named(tmp_path: Path) -> None:
    archive = tupac16.read(make_tupac16(tmp_path, {"01/01": "5,6\n6,5\n5,6\n"}))
    assert centroids(archive.fields)["01/01"] == [(6, 5), (5, 6)]
    label = tmp_path / LABELS / "01/01.csv"
    assert archive.left_out == (f"{label}, line 3: row 5, column 6 repeats line 1, which counts",)


def test_swapped_row_and_column_are_called_so(tmp_path: Path) -> None:
    # the image is 100 wide and 120 high: column first, so 110 is a row
    archive = tupac16.read(make_tupac16(tmp_path, {"01/01": "40,110\n60,101\n5,5\n"}))
    assert len(archive.left_out) == 2
    for sentence in archive.left_out:
        assert sentence.endswith("inside it if row and column were swapped")
    assert archive.notes == (
        "2 of 3 labelled points lie outside their images, and 0 would if row and column were "
        "swapped: the label files may have column before row",
    )


def test_two_label_files_of_an_image_are_an_error(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path)
    write_label(root / LABELS / "01" / "01.CSV", "1,1\n")
    with pytest.raises(ValueError, match=r"labels of 01/01 are there twice: .*CSV and .*csv"):
        tupac16.read(root)
