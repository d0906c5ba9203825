"""The table of bad input: the rows of label files."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.data_prep.bad_archives import Source
from tests.data_prep.bad_input import (
    ERROR,
    LEFT_OUT,
    NUMBERS,
    READ,
    ROW_FIRST,
    TABLES,
    TEXT,
    Row,
    Spoil,
    cut,
    empty,
    label,
)


def data(change: Callable[[bytes], bytes]) -> Spoil:
    """Change the bytes of the label file."""
    return label(lambda path: path.write_bytes(change(path.read_bytes())))


def text(old: str, new: str) -> Spoil:
    """Replace all of a text in the label file."""
    return data(lambda content: content.replace(old.encode(), new.encode()))


def first(old: str, new: str) -> Spoil:
    """Replace where a pattern is found first in the label file."""
    return data(lambda content: re.sub(old, new, content.decode(), count=1).encode())


def point(x: float, y: float) -> Spoil:
    """Append a point to the label file."""
    return lambda root, source: source.add(root / source.label, x, y)


def to_utf16(content: bytes) -> bytes:
    return b"\xff\xfe" + content.decode().encode("utf-16-le")


def to_german(content: bytes) -> bytes:
    """Write a table as spreadsheets do where the decimal sign is a comma."""
    return content.replace(b",", b";").replace(b"30.5", b"30,5")


def strays(root: Path, source: Source) -> None:
    """Copy the label file to the name of an image that is not there."""
    path = root / source.label
    path.with_name(path.name.replace("01.", "09.").replace("00Aa", "09Aa")).write_bytes(
        path.read_bytes()
    )


def no_mitoses(root: Path, source: Source) -> None:
    """Give the image that has no label file an empty one."""
    (root / source.label).with_name("02.csv").touch(exist_ok=False)


def append(content: bytes) -> Spoil:
    """Append bytes to the label file."""
    return data(lambda before: before + content)


def prepend(content: bytes) -> Spoil:
    """Put bytes before the label file."""
    return data(lambda after: content + after)


NAN = float("nan")
X_FIRST = "mitos14 midog sqlite csv tsv parquet geojson"
OUTSIDE = r"lies outside the image \(100 x 200 px\)"
PIXEL = r"{label}, line 2: 1 of 1 pixels lie outside the image \(100 x 200 px\), "
LOST = " the first: the mitosis is left out"
NOTE = r"1 of \d+ labelled points lie outside their images, and 0 would if "
NO_UTF8 = r"is no UTF-8 text; save the file as UTF-8 \(expected .+\)"
NO_NUMBER = r"is no (whole|decimal) number; expected (row,column|x,y,x,y,…|x,y,confidence).*"
ANY_NUMBER = r"is no number; expected one as 12 or 12\.5"
NO_JSON = "{label} is no (json|GeoJSON): .+"
NO_DATABASE = "cannot read {label}: .+; expected a database of SlideRunner .+"
NO_PARQUET = "cannot read {label} as Parquet: .+"
NO_COLUMN = "{label} has no column 'image': its first line names "

FORMS = (
    Row("byte-order mark", TEXT, prepend(b"\xef\xbb\xbf"), READ),
    Row("CRLF", TEXT, text("\n", "\r\n"), READ),
    Row("CR alone", TEXT, text("\n", "\r"), READ),
    Row("blank lines", TEXT, text("\n", "\n\n  \n"), READ),
    Row("blank first line", TEXT, prepend(b"\n"), READ),
    Row("commas at the end of lines", f"{NUMBERS} csv", text("\n", ",\n"), READ),
    Row("spaces around values", f"{NUMBERS} csv", text(",", " , "), READ),
    Row("semicolons", NUMBERS, text(",", ";"), ERROR, "{label}, line 1: '.+;.+' " + NO_NUMBER),
    Row("semicolons", "csv", text(",", ";"), READ),
    Row("tabs", NUMBERS, text(",", "\t"), ERROR, r"{label}, line 1: '.+\\t.+' " + NO_NUMBER),
    Row("tabs", "csv", text(",", "\t"), READ),
    Row("header", NUMBERS, prepend(b"row,col\n"), ERROR, "{label}, line 1: 'row' " + NO_NUMBER),
    Row("no header", TABLES, first(r".+\n", ""), ERROR, NO_COLUMN + "'a.png', '10', '20'"),
    Row("Latin-1", TEXT, append(b"\n\xe9"), ERROR, r"{label}, line \d+: byte 0xe9 " + NO_UTF8),
    Row("UTF-16", TEXT, data(to_utf16), ERROR, "{label}, line 1: byte 0xff " + NO_UTF8),
    Row("zero bytes, of an image without mitoses", "tupac16", no_mitoses, READ),
    Row("zero bytes", "midog geojson", label(empty), ERROR, NO_JSON),
    Row("zero bytes", "sqlite", label(empty), ERROR, NO_DATABASE),
    Row("zero bytes", "parquet", label(empty), ERROR, NO_PARQUET),
    Row("zero bytes", TABLES, label(empty), ERROR, NO_COLUMN + "nothing"),
    Row("labels cut off", "midog geojson", label(cut), ERROR, NO_JSON),
    Row("labels cut off", "sqlite", label(cut), ERROR, NO_DATABASE),
    Row("labels cut off", "parquet", label(cut), ERROR, NO_PARQUET),
    Row("cut in a line", NUMBERS, append(b"7"), ERROR, "{label}, line 2: 1 values.*; expected .+"),
    Row(
        "cut in a line", "csv", append(b"a.png,7"), ERROR, "{label}, line 5: 2 values; expected 3.*"
    ),
)

VALUES = (
    Row("12.0", f"{NUMBERS} {TABLES}", first(r"(\d+)", r"\1.0"), READ),
    Row("12.5", NUMBERS, first(r"(\d+)", "12.5"), ERROR, "{label}, line 1: '12.5' " + NO_NUMBER),
    Row("1e1", NUMBERS, first(r"\d+", "1e1"), ERROR, "{label}, line 1: '1e1' " + NO_NUMBER),
    Row("1e1", TABLES, text("10", "1e1"), READ),
    Row("l2", NUMBERS, first(r"\d+", "l2"), ERROR, "{label}, line 1: 'l2' " + NO_NUMBER),
    Row("l2", TABLES, text("10", "l2"), ERROR, "{label}, line 2, x: 'l2' " + ANY_NUMBER),
    Row("12,5", "csv", data(to_german), ERROR, "{label}, line 3, x: '30,5' " + ANY_NUMBER),
    Row("nan", NUMBERS, first(r"\d+", "nan"), ERROR, "{label}, line 1: 'nan' " + NO_NUMBER),
    Row("nan", TABLES, text("10", "nan"), ERROR, "{label}, line 2, x: 'nan' " + ANY_NUMBER),
    Row("nan", "parquet", point(NAN, 1), ERROR, "{label}, {where}, x: 'nan' " + ANY_NUMBER),
    Row("nan", "midog", point(NAN, 1), ERROR, r"{label}, {where}: bbox is \[NaN, .+"),
    Row(
        "nan",
        "sqlite",
        point("nan", 1),
        ERROR,
        r"{label}, {where}: a point of it is \('nan', 1\).+",
    ),
    Row("nan", "geojson", point(NAN, 1), ERROR, r"{label}, {where}: coordinates are \[NaN, 1\].+"),
    Row(
        "10 to the 400",
        "midog",
        point(10**400, 1),
        ERROR,
        r"{label}, {where}: bbox is \[\d+; expected .+",
    ),
    Row("10 to the 400", "geojson", point(10**400, 1), ERROR, r"{label}, {where}: coordinates .+"),
)

POINTS = (
    Row(
        "point outside",
        ROW_FIRST,
        point(5, 250),
        LEFT_OUT,
        "{label}, {where}: row 250, column 5 " + OUTSIDE,
    ),
    Row(
        "point outside", X_FIRST, point(5, 250), LEFT_OUT, "{label}, {where}: x 5, y 250 " + OUTSIDE
    ),
    Row("point outside", "mitos12", point(5, 250), LEFT_OUT, PIXEL + "x 5, y 250" + LOST),
    Row(
        "negative",
        ROW_FIRST,
        point(-40, 5),
        LEFT_OUT,
        "{label}, {where}: row 5, column -40 " + OUTSIDE,
    ),
    Row("negative", X_FIRST, point(-40, 5), LEFT_OUT, "{label}, {where}: x -40, y 5 " + OUTSIDE),
    Row("negative", "mitos12", point(-40, 5), LEFT_OUT, PIXEL + "x -40, y 5" + LOST),
    Row(
        "row and column swapped",
        ROW_FIRST,
        point(190, 40),
        LEFT_OUT,
        "{label}, {where}: row 40, column 190 "
        + OUTSIDE
        + "; inside it if row and column were swapped",
        NOTE + "row and column were swapped: the label files may have column before row",
    ),
    Row(
        "x and y swapped",
        X_FIRST,
        point(190, 40),
        LEFT_OUT,
        "{label}, {where}: x 190, y 40 " + OUTSIDE + "; inside it if x and y were swapped",
        NOTE + "x and y were swapped: the label files may have y before x",
    ),
    Row(
        "x and y swapped",
        "mitos12",
        point(190, 40),
        LEFT_OUT,
        PIXEL + "0 of them if x and y were swapped, x 190, y 40" + LOST,
        NOTE + "x and y were swapped: the label files may have y before x",
    ),
    Row(
        "point twice",
        ROW_FIRST,
        point(40, 60),
        LEFT_OUT,
        "{label}, {where}: row 60, column 40 repeats line 1, which counts",
    ),
    Row(
        "point twice",
        "mitos14",
        point(50, 60),
        LEFT_OUT,
        "{label}, {where}: x 50, y 60 repeats line 1, which counts",
    ),
    Row(
        "point twice",
        "mitos12",
        data(lambda content: content + content),
        LEFT_OUT,
        "{label}, line 2: its pixels repeat those of line 1, which counts",
    ),
    Row(
        "point twice",
        "midog sqlite",
        point(30, 90),
        LEFT_OUT,
        "{label}, {where}: x 30, y 90 repeats annotation 1, which counts",
    ),
    Row(
        "point twice",
        "csv tsv parquet geojson",
        point(10, 20),
        LEFT_OUT,
        "{label}, {where}: x 10, y 20 is there already: {label}, (line 2|row 1|feature 1)",
    ),
    Row(
        "labels without an image",
        NUMBERS,
        strays,
        LEFT_OUT,
        r"{root}/.+09.*\.csv: labels without (an image|a frame)",
    ),
    Row(
        "points of an image that is not there",
        "csv",
        append(b"c.png,1,2"),
        LEFT_OUT,
        r"{label}, line 5: there is no image 'c\.png' to its 1 points",
    ),
)

LABEL_ROWS = (*FORMS, *VALUES, *POINTS)
