"""Tables of points: names of columns, delimiters, labels, images nobody listed, GeoJSON."""

from pathlib import Path

import pytest

from data_prep.records import Archive
from data_prep.sources import table
from data_prep.sources.finding import inside
from tests.data_prep.archives import (
    POINTS,
    by_name,
    centroids,
    make_table,
    write_image,
    write_label,
)


def read(root: Path, **options: object) -> Archive:
    """Read with a size of a pixel."""
    return table.read(root, **{"mpp": 0.25, **options})


@pytest.mark.parametrize(
    "text",
    [
        POINTS,
        POINTS.replace(",", ";"),
        POINTS.replace(",", "\t"),
        POINTS.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + POINTS.encode(),
        POINTS.replace("\n", "\n\n"),
        POINTS.replace(",", " , "),
        POINTS.replace("image,x,y", "Image,X,Y"),
        POINTS.replace("\n", ",,\n").replace("y,,", "y", 1),
        POINTS.replace("a.png", '"a.png"'),
        'note,y,x,image\n"one, two; three",20,10,a\n,40,30.5,b\n,60,50,a\n',
        POINTS.replace(".png", ""),
        POINTS.replace("a.png", "./a.png"),
        POINTS.replace("a.png", "a.PNG"),
    ],
)
def test_tables_that_say_the_same(tmp_path: Path, text: str | bytes) -> None:
    archive = read(make_table(tmp_path, text))
    assert centroids(archive.fields) == {"a": [(10, 20), (50, 60)], "b": [(30.5, 40)]}
    assert archive.left_out == ()
    assert [cell.label_file for cell in archive.fields[1].mitoses] == [tmp_path / "points.csv"]


def test_field_case_line_and_resolution(tmp_path: Path) -> None:
    archive = read(make_table(tmp_path), mpp=0.5)
    field = by_name(archive)["a"]
    assert (field.case, field.scanner, field.mpp) == ("a", "unknown", 0.5)
    assert (field.width, field.height, field.labelled) == (100, 120, True)
    assert [cell.line for cell in field.mitoses] == [2, 4]
    assert any("no --case-column" in note for note in archive.notes)
    assert any("scanner of 2 images is not known" in note for note in archive.notes)


def test_columns_by_their_names(tmp_path: Path) -> None:
    text = (
        "file;col;row;patient;machine;um\na;10;20;P1;Leica;0.5\nb;30;40;P1;Aperio;\na;1;2;P1;Leica;"
        "0.5\n"
    )
    archive = read(
        make_table(tmp_path, text),
        image_column="file",
        x_column="col",
        y_column="row",
        case_column="patient",
        scanner_column="machine",
        mpp_column="um",
    )
    assert centroids(archive.fields) == {"a": [(10, 20), (1, 2)], "b": [(30, 40)]}
    assert [(f.case, f.scanner, f.mpp) for f in archive.fields] == [
        ("P1", "Leica", 0.5),
        ("P1", "Aperio", 0.25),
    ]
    assert archive.notes == ()


def test_labels_say_what_is_a_mitosis(tmp_path: Path) -> None:
    text = "image,x,y,class\na,1,2,MF\na,3,4,apoptosis\nb,5,6,late MF\n"
    root = make_table(tmp_path, text)
    archive = read(root, label_column="class", mitosis_label=["MF", "late MF"])
    assert centroids(archive.fields) == {"a": [(1, 2)], "b": [(5, 6)]}
    assert [cell.centroid_xy for cell in archive.fields[0].look_alikes] == [(3, 4)]
    with pytest.raises(ValueError, match=r"labels 'MF', 'apoptosis', 'late MF'.*--mitosis-label"):
        read(root, label_column="class")
    with pytest.raises(ValueError, match=r"no label 'mf'.*it has 'MF', 'apoptosis', 'late MF'"):
        read(root, label_column="class", mitosis_label="mf")
    with pytest.raises(ValueError, match=r"no labels to look for 'MF' in.*--label-column"):
        read(root, mitosis_label="MF")
    write_label(root / "points.csv", text.replace("apoptosis", ""))
    with pytest.raises(ValueError, match=r"points.csv, line 3 has no label"):
        read(root, label_column="class", mitosis_label="MF")


def test_images_that_nobody_listed_are_no_negatives(tmp_path: Path) -> None:
    root = make_table(tmp_path, "image,x,y\na,1,2\n")
    unlisted = write_image(root / "sub" / "c d é.png")
    archive = read(root)
    assert list(by_name(archive)) == ["a"]
    assert len(archive.left_out) == 2
    assert archive.left_out[1].startswith(f"{unlisted}: points.csv does not list it")
    archive = read(root, unlisted="negative")
    assert centroids(archive.fields) == {"a": [(1, 2)], "b": [], "sub/c d é": []}
    assert archive.left_out == ()
    assert any("2 images that points.csv does not list count as neg" in n for n in archive.notes)
    with pytest.raises(ValueError, match="nobody says of which case"):
        read(root, unlisted="negative", case_column="x")
    with pytest.raises(ValueError, match="'no'; expected negative or leave-out"):
        read(root, unlisted="no")


def test_an_image_listed_without_a_point_is_a_negative(tmp_path: Path) -> None:
    archive = read(make_table(tmp_path, "image,x,y\na,1,2\nb,,\n"))
    assert centroids(archive.fields) == {"a": [(1, 2)], "b": []}
    assert any("1 images that points.csv lists have no cell" in note for note in archive.notes)


def test_points_outside_are_named_and_swapped_ones_are_said(tmp_path: Path) -> None:
    # the image is 100 wide and 120 high
    archive = read(make_table(tmp_path, "image,x,y\na,100,120\na,110,50\na,-1,5\nb,5,5\n"))
    label = tmp_path / "points.csv"
    assert centroids(archive.fields)["a"] == [(100, 120)]
    assert archive.left_out == (
        f"{label}, line 3: x 110, y 50 lies outside the image (100 x 120 px)",
        f"{label}, line 4: x -1, y 5 lies outside the image (100 x 120 px)",
    )
    archive = read(make_table(tmp_path, "image,x,y\na,110,50\na,115,90\nb,5,5\n"))
    assert archive.left_out[0].endswith("(100 x 120 px); inside it if x and y were swapped")
    assert any("may have y before x" in note for note in archive.notes)


def test_a_point_counts_once(tmp_path: Path) -> None:
    text = "image,x,y,class\na,1,2,m\nb,1,2,m\na,1.0,2,m\n"
    options = {"label_column": "class", "mitosis_label": "m"}
    archive = read(make_table(tmp_path, text), **options)
    assert centroids(archive.fields) == {"a": [(1, 2)], "b": [(1, 2)]}
    label = tmp_path / "points.csv"
    assert archive.left_out == (f"{label}, line 4: x 1, y 2 is there already: {label}, line 2",)
    root = make_table(tmp_path, text + "b,1,2,other\n")
    with pytest.raises(ValueError, match=r"line 5: .* labelled 'other', but 'm' in .*line 3"):
        read(root, **options)


def test_rows_without_their_image_are_named(tmp_path: Path) -> None:
    archive = read(make_table(tmp_path, POINTS + "c.png,1,2\nc.png,3,4\na.jpg,5,6\n"))
    label = tmp_path / "points.csv"
    assert archive.left_out == (
        f"{label}, line 5: there is no image 'c.png' to its 2 points",
        f"{label}, line 7: there is no image 'a.jpg' to its 1 points",
    )
    make_table(tmp_path, "image,x,y\nc,1,2\n")
    with pytest.raises(FileNotFoundError, match=r"none of the 1 images .*'c' \(.*line 2\)"):
        read(tmp_path)


def test_images_by_folder(tmp_path: Path) -> None:
    root = make_table(tmp_path, "image,x,y\na,1,2\nc,3,4\nsub\\d.tif,5,6\n")
    write_image(root / "images" / "c.tif")
    write_image(root / "sub" / "d.tif")
    assert list(by_name(read(root))) == ["a", "images/c", "sub/d"]
    write_image(root / "images" / "a.png")
    with pytest.raises(ValueError, match=r"line 2: 'a' is there twice: "):
        read(root)


def test_two_images_of_one_name_and_two_suffixes(tmp_path: Path) -> None:
    root = make_table(tmp_path, "image,x,y\na.png,1,2\na.jpg,3,4\n")
    write_image(root / "a.jpg")
    with pytest.raises(ValueError, match="field a is there twice: "):
        read(root)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    root = make_table(tmp_path / "archive", "image,x,y\na,1,2\nb,1,2\nlinked/c,1,2\n")
    (root / "sub").mkdir()
    (root / "sub" / "back").symlink_to(root, target_is_directory=True)
    write_image(tmp_path / "elsewhere" / "c.png")
    (root / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    archive = read(root)
    assert list(by_name(archive)) == ["a", "b", "linked/c"]
    assert archive.left_out == ()


@pytest.mark.parametrize("name", ["../out.png", "sub/../../out", "/out.png", "C:\\out.png"])
def test_names_do_not_lead_outside(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "out.png")
    root = make_table(tmp_path / "archive", f"image,x,y\na,1,2\n{name},3,4\n")
    with pytest.raises(ValueError, match=r"points.csv, line 3: .* leads outside"):
        read(root)


def test_names_that_stay_inside(tmp_path: Path) -> None:
    assert inside(tmp_path, "sub/../a.png", "here") == "a.png"
    assert inside(tmp_path, str(tmp_path / "a.png"), "here") == "a.png"
    assert inside(tmp_path, "a..b/c", "here") == "a..b/c"
    for name in ("", ".", "sub/.."):
        with pytest.raises(ValueError, match="names no file"):
            inside(tmp_path, name, "here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,x,y\na,1,two\n", "line 2, y: 'two' is no number"),
        ("image,x,y\na,nan,2\n", "line 2, x: 'nan' is no number"),
        ("image,x,y\na,1,inf\n", "line 2, y: 'inf' is no number"),
        ("image,x,y\na,1,9e999\n", "line 2, y: '9e999' is no number"),
        ("image,x,y\na,1,1_0\n", "line 2, y: '1_0' is no number"),
        ("image,x,y\na,1,²\n", "line 2, y: '²' is no number"),
        ("image;x;y\na;1,5;2\n", "line 2, x: '1,5' is no number; expected one as 12 or 12.5"),
        ("image,x,y\na,1,\n", "line 2, y: '' is no number"),
        ("image,x,y\n,1,2\n", "line 2: image is empty"),
        ("image,x,y\na,1,2\nb,1,2,3\n", "line 3: 4 values; expected 3"),
        ("image,x,y\na,1,2\nb\n", "line 3: 1 values; expected 3"),
        ("image,x,y\n", "has no row"),
        ("", "has no column 'image': its first line names nothing"),
        ("image,col,row\na,1,2\n", "has no column 'x': its first line names 'image', 'col', 'row'"),
        ("a.png,1,2\n", "has no column 'image': its first line names 'a.png', '1', '2'"),
        ("image,x,x,y\na,1,2,3\n", "has 2 columns 'x'"),
        ('image,x,y\n"a,1,2\nb,1,2\n', "unexpected end of data"),
        ("image,x,y\ncafé,1,2\n".encode("latin-1"), "is no UTF-8 text"),
        (POINTS.encode("utf-16"), "is no UTF-8 text"),
    ],
)
def test_wrong_rows_name_file_and_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(make_table(tmp_path, text))
    assert str(tmp_path / "points.csv") in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("a,1,2,p\na,1,3,q\n", {"case_column": "z"}, "line 3: case of 'a' is 'q', but 'p' in .*2"),
        ("a,1,2,p\na,1,3,q\n", {"scanner_column": "z"}, "line 3: scanner of 'a' is 'q'"),
        ("a,1,2,0.2\na,1,3,.3\n", {"mpp_column": "z"}, "line 3: mpp of 'a' is 0.3, but 0.2"),
        ("a,1,2,p\nb,1,3,\n", {"case_column": "z"}, "line 3: z is empty; expected a case"),
        ("a,1,2,250\n", {"mpp_column": "z"}, "line 2: 250.0 µm a pixel; expected 0.05 to 5"),
        ("a,1,2,x\n", {"mpp_column": "z"}, "line 2, z: 'x' is no number"),
        ("a,1,2,\n", {"mpp_column": "z", "mpp": None}, "a.png is not known: give it by --mpp"),
        ("a,1,2,\n", {"mpp": None}, "a.png is not known: give it by --mpp"),
        ("a,1,2,\n", {"mpp": 0.0}, "--mpp: 0.0"),
        ("a,1,2,\n", {"case_column": "patient"}, "no column 'patient'"),
    ],
)
def test_what_a_table_says_of_an_image(
    tmp_path: Path, rows: str, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(make_table(tmp_path, "image,x,y,z\n" + rows), **options)


def test_an_unlisted_negative_needs_the_resolution(tmp_path: Path) -> None:
    root = make_table(tmp_path, "image,x,y,um\na,1,2,0.3\n")
    with pytest.raises(ValueError, match=r"b.png is not known: give it by --mpp"):
        read(root, mpp=None, mpp_column="um", unlisted="negative")


def test_several_tables_are_named(tmp_path: Path) -> None:
    root = make_table(tmp_path)
    write_label(root / "other.tsv", "image\tx\ty\na\t7\t8\n")
    with pytest.raises(ValueError, match=r"2 tables .*--table: other.tsv, points.csv"):
        read(root)
    assert centroids(read(root, table=Path("other.tsv")).fields) == {"a": [(7, 8)]}
    assert centroids(read(root, table=root / "other.tsv").fields) == {"a": [(7, 8)]}
    with pytest.raises(FileNotFoundError, match="no such table: none"):
        read(root, table=Path("none"))
    (root / "sub").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no table in .*--table"):
        read(root / "sub")
    write_label(root / "points.xlsx", "")
    with pytest.raises(ValueError, match=r"no table by its suffix '.xlsx'; expected .csv"):
        read(root, table=Path("points.xlsx"))
