"""Label files: what is tolerated, and what is named."""

from pathlib import Path

import pytest

from data_prep.records import Cell
from data_prep.sources.labels import (
    Remarks,
    keep_points,
    mixed_lines,
    number_lines,
    outside,
)
from tests.data_prep.archives import write_label


@pytest.mark.parametrize(
    "data",
    [
        b"1,2\n3,4\n",
        b"1,2\n3,4",
        b"1,2\r\n3,4\r\n",
        b"\xef\xbb\xbf1,2\n3,4\n",
        b" 1 , 2\n3,4 \n",
        b"1,2,\n3,4,\n",
        b"1.0,2.\n3,+4\n",
    ],
    ids=["plain", "no last newline", "CRLF", "BOM", "spaces", "last comma", "1.0"],
)
def test_forms_of_the_same_numbers(tmp_path: Path, data: bytes) -> None:
    path = write_label(tmp_path / "a.csv", data)
    assert list(number_lines(path, "row,column")) == [(1, [1, 2]), (2, [3, 4])]


def test_blank_lines_count_in_line_numbers_only(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.csv", "\n1,2\n\n  \n3,4\n")
    assert list(number_lines(path, "row,column")) == [(2, [1, 2]), (5, [3, 4])]


def test_empty_file_has_no_line(tmp_path: Path) -> None:
    assert list(number_lines(write_label(tmp_path / "a.csv", ""), "row,column")) == []


@pytest.mark.parametrize(
    "value",
    ["x", "1.5", "", "nan", "inf", "1e3", "1_000", "0x10", "\uff11", "1;2", "--1", "9" * 30],
)
def test_what_is_no_whole_number_is_named(tmp_path: Path, value: str) -> None:
    # float() takes half of these
    path = write_label(tmp_path / "a.csv", f"1,2\n\n3,{value},4\n")
    with pytest.raises(ValueError) as caught:
        list(number_lines(path, "row,column"))
    message = f"{path}, line 3: {value!r} is no whole number; expected row,column"
    assert str(caught.value) == message


def test_binary_file_is_named(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.csv", b"\xff\xfe1\x00,\x002\x00")
    with pytest.raises(ValueError, match=r"a\.csv, line 1: byte 0xff is no UTF-8 .*row,column"):
        list(number_lines(path, "row,column"))


@pytest.mark.parametrize(
    ("xy", "beyond"),
    [
        ((0, 0), False),
        ((200, 100), False),  # on the far edges
        ((201, 100), True),
        ((200, 101), True),
        ((-1, 5), True),
        ((5, -1), True),
        ((150, 50), False),
        ((50, 150), True),  # inside if x and y were swapped
    ],
)
def test_outside_is_beyond_the_edge(xy: tuple[int, int], beyond: bool) -> None:
    assert outside(xy, width=200, height=100) is beyond


COLUMNS = (int, int, float)


@pytest.mark.parametrize(
    "data",
    [
        b"1,2,0.65\n3,4,1\n",
        b"1,2,.65\r\n3,4,1.",
        b"\xef\xbb\xbf 1 , 2.0 , +0.650 ,\n3,4,1.0,\n",
    ],
    ids=["plain", "CRLF", "BOM, spaces, last comma"],
)
def test_forms_of_the_same_mixed_numbers(tmp_path: Path, data: bytes) -> None:
    path = write_label(tmp_path / "a.csv", data)
    found = list(mixed_lines(path, COLUMNS, "x,y,c"))
    assert found == [(1, [1, 2, 0.65]), (2, [3, 4, 1.0])]
    assert [type(value) for value in found[0][1]] == [int, int, float]


def test_blank_lines_count_in_line_numbers_of_mixed_numbers(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.csv", "\n1,2,0\n  \n\n3,4,1\n")
    assert [line for line, _ in mixed_lines(path, COLUMNS, "x,y,c")] == [2, 5]
    assert list(mixed_lines(write_label(tmp_path / "b.csv", ""), COLUMNS, "x,y,c")) == []


@pytest.mark.parametrize("value", ["x", "", "nan", "NaN", "inf", "-inf", "1e-1", "0x1", ".", "1_0"])
def test_what_is_no_decimal_number_is_named(tmp_path: Path, value: str) -> None:
    path = write_label(tmp_path / "a.csv", f"1,2,0.5\n\n3,4,{value},6\n")
    with pytest.raises(ValueError) as caught:
        list(mixed_lines(path, COLUMNS, "x,y,c"))
    assert str(caught.value) == f"{path}, line 3: {value!r} is no decimal number; expected x,y,c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2.5,0.5", "line 1: '2.5' is no whole number; expected x,y,c"),
        ("1;2;0.5", "line 1: '1;2;0.5' is no whole number; expected x,y,c"),
        ("x,y,confidence", "line 1: 'x' is no whole number; expected x,y,c"),
        ("1,2", "line 1: 2 values (1,2); expected x,y,c"),
        ("1,2,", "line 1: 2 values (1,2); expected x,y,c"),
        ("1,2,0,65", "line 1: 4 values (1,2,0,65); expected x,y,c"),  # a decimal comma
        ("1,2,0,6,5", "line 1: 5 values (1,2,0,6,…); expected x,y,c"),
    ],
)
def test_wrong_line_of_mixed_numbers_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = write_label(tmp_path / "a.csv", text)
    with pytest.raises(ValueError) as caught:
        list(mixed_lines(path, COLUMNS, "x,y,c"))
    assert str(caught.value) == f"{path}, {message}"


def test_file_of_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    path = write_label(tmp_path / "a.csv", "1,2,0.5\n1,2,0.5 # é".encode("latin-1"))
    for read in (lambda: mixed_lines(path, COLUMNS, "x,y,c"), lambda: number_lines(path, "x,y,c")):
        with pytest.raises(ValueError) as caught:
            list(read())
        assert str(caught.value) == (
            f"{path}, line 2: byte 0xe9 is no UTF-8 text; save the file as UTF-8 (expected x,y,c)"
        )


def test_folder_and_loop_of_links_are_named(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    for name in ("folder.csv", "loop.csv"):
        with pytest.raises(ValueError, match=rf"cannot read .*{name}: .*; expected row,column"):
            list(number_lines(tmp_path / name, "row,column"))


def cells(*points: tuple[int, int], file: str = "a.csv") -> list[Cell]:
    return [Cell(xy, Path(file), line) for line, xy in enumerate(points, start=1)]


def test_repeated_point_is_kept_once_and_named() -> None:
    remarks, seen = Remarks(row_first=False), {}
    kept = keep_points(cells((1, 2), (2, 1), (1, 2), (1, 2)), 9, 9, seen, remarks)
    assert [cell.line for cell in kept] == [1, 2]
    assert remarks.left_out == [
        f"a.csv, line {n}: x 1, y 2 repeats line 1, which counts" for n in (3, 4)
    ]
    kept = keep_points(cells((2, 1), (3, 3), file="b.csv"), 9, 9, seen, remarks)
    assert [cell.line for cell in kept] == [2]
    assert remarks.left_out[-1] == "b.csv, line 1: x 2, y 1 repeats a.csv, line 2, which counts"


def test_points_that_would_lie_inside_if_swapped_are_called_so() -> None:
    remarks = Remarks(row_first=True)  # an image 9 wide and 20 high; the file has columns first
    kept = keep_points(cells((15, 3), (2, 5), (19, 8), (30, 1)), 9, 20, {}, remarks)
    assert [cell.centroid_xy for cell in kept] == [(2, 5)]
    hint = "lies outside the image (9 x 20 px); inside it if row and column were swapped"
    assert remarks.left_out == [
        f"a.csv, line 1: row 3, column 15 {hint}",
        f"a.csv, line 3: row 8, column 19 {hint}",
        "a.csv, line 4: row 1, column 30 lies outside the image (9 x 20 px)",
    ]
    assert remarks.swap_notes() == [
        "3 of 4 labelled points lie outside their images, and 1 would if row and column were "
        "swapped: the label files may have column before row"
    ]


def test_one_stray_point_of_a_good_file_is_not_called_swapped() -> None:
    # (15, 3) alone would lie inside; swapping would put (2, 18) outside instead
    remarks = Remarks(row_first=True)
    keep_points(cells((15, 3), (2, 18)), 9, 20, {}, remarks)
    assert "swapped" not in remarks.left_out[0]
    assert remarks.swap_notes() == []


def test_square_image_tells_nothing_of_the_order() -> None:
    remarks = Remarks(row_first=True)
    keep_points(cells((15, 3), (2, 5)), 9, 9, {}, remarks)
    assert remarks.left_out == ["a.csv, line 1: row 3, column 15 lies outside the image (9 x 9 px)"]
    assert remarks.swap_notes() == []


def test_archive_is_called_swapped_by_all_its_files_together() -> None:
    remarks = Remarks(row_first=False)
    keep_points(cells((15, 3)), 9, 20, {}, remarks)
    assert len(remarks.swap_notes()) == 1
    keep_points(cells((2, 18), (3, 18)), 9, 20, {}, remarks)  # as many again that speak against it
    assert remarks.swap_notes() == []
