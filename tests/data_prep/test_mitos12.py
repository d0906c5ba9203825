"""MITOS12's archive: pixels of each mitosis, x first."""

from pathlib import Path

import numpy as np
import pytest

from data_prep.sources import mitos12
from tests.data_prep.archives import (
    REAL_DATA,
    centroids,
    make_mitos12,
    needs_real_data,
    square,
    write_image,
    write_label,
)


def test_x_comes_first_and_a_line_is_one_mitosis(tmp_path: Path) -> None:
    two_parts = f"{square(10, 100)},{square(30, 100)}"  # a telophase; y 100 would be no column
    root = make_mitos12(tmp_path, {"A00_01": f"{two_parts}\n\n{square(50, 60, 4)}\n"})
    (field,) = mitos12.read(root).fields
    first, second = field.mitoses
    assert first.centroid_xy == (23.0, 103.0)  # between its parts, at the centre of the pixels
    assert second.centroid_xy == (52.0, 62.0)
    assert (first.line, second.line) == (1, 3)
    assert len(first.pixels_xy) == 72
    assert first.pixels_xy[:, 1].max() == 105


def test_slide_scanner_and_resolution(tmp_path: Path) -> None:
    labels = {"A00_01": square(5, 5), "H00_01": square(5, 5)}
    aperio, hamamatsu = mitos12.read(make_mitos12(tmp_path, labels)).fields
    assert (aperio.case, aperio.name) == ("A00", "A00_01")
    assert (aperio.scanner, aperio.mpp) == ("Aperio ScanScope XT", 0.2456)
    assert (hamamatsu.scanner, hamamatsu.mpp) == ("Hamamatsu NanoZoomer", 0.2275)
    assert (aperio.width, aperio.height) == (100, 120)


def test_repeated_pixels_do_not_move_the_centroid(tmp_path: Path) -> None:
    text = "10,10,11,10," + "10,10," * 8 + "10,10\n"
    (field,) = mitos12.read(make_mitos12(tmp_path, {"A00_01": text})).fields
    assert field.mitoses[0].centroid_xy == (11.0, 10.5)


def test_field_with_an_empty_csv_has_no_mitosis(tmp_path: Path) -> None:
    archive = mitos12.read(make_mitos12(tmp_path, {"A00_01": "", "A01_00": square(5, 5)}))
    assert {name: len(c) for name, c in centroids(archive.fields).items()} == {
        "A00_01": 0,
        "A01_00": 1,
    }
    assert archive.left_out == ()


def test_image_without_csv_is_not_taken_for_a_field_without_mitoses(tmp_path: Path) -> None:
    root = make_mitos12(tmp_path)
    image = write_image(root / "A00_v2" / "A00_05.png")
    stray = write_label(root / "A01_v2" / "A01_09.csv", square(1, 1))
    archive = mitos12.read(root)
    assert "A00_05" not in centroids(archive.fields)
    assert archive.left_out == (
        f"{image}: an image without its CSV is not labelled",
        f"{stray}: labels without an image",
    )


def test_last_pixel_is_kept_and_the_next_one_is_named(tmp_path: Path) -> None:
    # pixels 0 to 99 and 0 to 119
    text = "99,119,0,0\n99,5,100,5,98,5\n-1,5,3,120\n"
    root = make_mitos12(tmp_path, {"A00_01": text})
    archive = mitos12.read(root)
    pixels = [m.pixels_xy.tolist() for m in archive.fields[0].mitoses]
    assert pixels == [[[0, 0], [99, 119]], [[98, 5], [99, 5]]]
    label = root / "A00_v2" / "A00_01.csv"
    assert archive.left_out == (
        f"{label}, line 2: 1 of 3 pixels lie outside the image (100 x 120 px), "
        "x 100, y 5 the first",
        f"{label}, line 3: 2 of 2 pixels lie outside the image (100 x 120 px), "
        "x -1, y 5 the first: the mitosis is left out",
    )


@pytest.mark.parametrize("lossless", ["bmp", "tif", "png"])
def test_of_two_images_of_a_field_the_lossless_one_counts(tmp_path: Path, lossless: str) -> None:
    # both as fields would count each mitosis twice
    jpeg = write_image(tmp_path / "A00_v2" / "A00_01.jpg")
    exact = write_image(jpeg.with_suffix(f".{lossless}"))
    write_label(jpeg.with_suffix(".csv"), square(5, 5))
    archive = mitos12.read(tmp_path)
    assert [field.image_path for field in archive.fields] == [exact]
    assert archive.left_out == ()
    assert archive.notes == (f"{jpeg}: {exact.name} of the same field is read instead",)


def test_field_in_two_folders_is_an_error(tmp_path: Path) -> None:
    root = make_mitos12(tmp_path)
    write_image(root / "A00_v1" / "A00_01.png")
    with pytest.raises(ValueError, match=r"field A00_01 is there twice: .*v1.* and .*v2"):
        mitos12.read(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n1,2,y\n", "line 2: 'y' is no whole number; expected x,y,x,y,… in whole pixels"),
        ("1,2,3\n", "line 1: 3 values, the last of them 3; expected pairs"),
        ("1,2,3,4,5,\n", "line 1: 5 values, the last of them 5; expected pairs"),
    ],
)
def test_wrong_label_names_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        mitos12.read(make_mitos12(tmp_path, {"A00_01": text}))
    assert str(tmp_path / "A00_v2" / "A00_01.csv") in str(caught.value)


def test_wrong_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    write_image(tmp_path / "01" / "01.tif")
    with pytest.raises(FileNotFoundError, match=r"looked for A00_v2/A00_01\.jpg"):
        mitos12.read(tmp_path)


def test_line_that_repeats_another_is_left_out_and_named(tmp_path: Path) -> None:
    text = f"{square(10, 60)}\n{square(50, 60)}\n{square(10, 60)}\n{square(10, 60, 5)}\n"
    root = make_mitos12(tmp_path, {"A00_01": text})
    archive = mitos12.read(root)
    assert [m.line for m in archive.fields[0].mitoses] == [1, 2, 4]
    label = root / "A00_v2" / "A00_01.csv"
    assert archive.left_out == (
        f"{label}, line 3: its pixels repeat those of line 1, which counts",
    )


def test_swapped_x_and_y_are_called_so(tmp_path: Path) -> None:
    # y 110 to 115 of an image of 100 x 120 px, written first
    root = make_mitos12(tmp_path, {"A00_01": f"{square(110, 30)}\n{square(5, 5)}\n"})
    archive = mitos12.read(root)
    assert [m.line for m in archive.fields[0].mitoses] == [2]
    (sentence,) = archive.left_out
    assert sentence == (
        f"{root / 'A00_v2' / 'A00_01.csv'}, line 1: 36 of 36 pixels lie outside the image "
        "(100 x 120 px), 0 of them if x and y were swapped, x 110, y 30 the first: the mitosis is "
        "left out"
    )
    assert archive.notes == (
        "36 of 72 labelled points lie outside their images, and 0 would if x and y were swapped: "
        "the label files may have y before x",
    )


def test_capital_suffixes_count(tmp_path: Path) -> None:
    root = make_mitos12(tmp_path, {"A00_01": square(5, 5)})
    label = root / "A00_v2" / "A00_01.csv"
    label.rename(label.with_suffix(".CSV"))
    archive = mitos12.read(root)
    assert archive.left_out == ()
    assert len(archive.fields[0].mitoses) == 1
    write_label(label, "")
    with pytest.raises(ValueError, match=r"labels of A00_01 are there twice: .*CSV and .*csv"):
        mitos12.read(root)


def test_one_tissue_on_two_scanners_is_noted(tmp_path: Path) -> None:
    # by their names they are two cases, which a split could part
    labels = {name: square(5, 5) for name in ("A00_01", "A01_01", "H01_01", "H02_01")}
    assert mitos12.read(make_mitos12(tmp_path, labels)).notes == (
        "A01 and H01 are the same tissue on two scanners: keep such slides in one split",
    )


@needs_real_data
def test_real_archive_has_184_mitoses_in_28_fields() -> None:
    archive = mitos12.read((REAL_DATA / "mitos12").resolve())
    assert (archive.left_out, archive.notes) == ((), ())
    assert len(archive.fields) == 28
    by_slide = dict.fromkeys(("A00", "A01", "A02", "A03"), 0)
    for field in archive.fields:
        by_slide[field.case] += len(field.mitoses)
        assert (field.width, field.height) == (2084, 2084)
    assert by_slide == {"A00": 21, "A01": 56, "A02": 25, "A03": 82}
    dark = [np.ptp(m.pixels_xy, axis=0).max() for field in archive.fields for m in field.mitoses]
    assert max(dark) < 200  # a line that ran into the next would span the field
