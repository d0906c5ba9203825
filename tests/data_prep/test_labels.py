"""Label files: what is tolerated, and what is named."""

from pathlib import Path

import pytest

from data_prep.sources.labels import number_lines, outside
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
    with pytest.raises(ValueError, match=r"a\.csv is no text file of row,column"):
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
