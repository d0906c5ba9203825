"""Splits by case."""

import json
from pathlib import Path

import pytest

from data_prep.records import Cell, Field
from data_prep.splits import NAMED, divide, load_split

SPLIT = {"train": ["01", "02"], "val": ["04"], "test": ["27"]}


def field(case: str, name: str, n_mitoses: int = 1) -> Field:
    mitoses = tuple(Cell((5, 5), Path("a.csv"), i) for i in range(n_mitoses))
    return Field(case, name, Path(f"{name}.tif"), 10, 10, 0.25, "scanner", mitoses)


def write(path: Path, split: object) -> str:
    path.write_text(json.dumps(split))
    return str(path)


def test_split_of_the_paper_holds_each_case_once() -> None:
    cases = [case for part in NAMED["paper"].values() for case in part]
    assert sorted(cases) == [f"{n:02d}" for n in range(1, 74)]
    assert {part: len(cases) for part, cases in NAMED["paper"].items()} == {
        "train": 42,
        "val": 14,
        "test": 17,
    }
    assert NAMED["paper"]["val"][:3] == ["04", "06", "09"]
    assert NAMED["paper"]["test"][:3] == ["27", "30", "32"]


def test_named_split_and_file_are_loaded(tmp_path: Path) -> None:
    assert load_split("mitos12") == {"train": ["A01", "A03"], "val": ["A00"], "test": ["A02"]}
    assert load_split(write(tmp_path / "split.json", SPLIT)) == SPLIT


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ({**SPLIT, "val": ["02"]}, "case 02 is in train and in val"),
        ({**SPLIT, "val": ["04", "04"]}, "case 04 is named twice in val"),
        ({**SPLIT, "val": "04"}, 'val is "04"; expected a list of cases'),  # else: cases 0 and 4
        ({**SPLIT, "val": [4]}, r"val is \[4\]; expected a list of cases in quotes"),
        ({**SPLIT, "holdout": ["05"]}, "it holds train, val, test, holdout; expected"),
        ({"train": ["01"], "val": ["04"]}, "it holds train, val; expected"),
        (["01"], "it holds list; expected"),
        ({}, "it holds nothing; expected"),
    ],
)
def test_wrong_split_file_is_named(tmp_path: Path, split: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_split(write(tmp_path / "split.json", split))
    assert "split.json" in str(caught.value)


def test_what_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    for data in (b"{train: 01}", b"\xff\xfe{}", b""):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"split\.json is no json"):
            load_split(str(path))


def test_unknown_split_says_the_choices() -> None:
    with pytest.raises(FileNotFoundError, match="'papr'; choose paper, mitos12, or a json file"):
        load_split("papr")


def test_fields_go_with_their_case() -> None:
    # by image, the two fields of case 01 could part
    fields = (field("01", "01/01"), field("04", "04/01"), field("27", "27/01"), field("01", "a"))
    parts, strays, missing = divide(fields, SPLIT)
    assert {part: [f.name for f in members] for part, members in parts.items()} == {
        "train": ["01/01", "a"],
        "val": ["04/01"],
        "test": ["27/01"],
    }
    assert strays == []
    assert missing == ["train: 1 of 2 cases are not in the archive: 02"]


def test_case_in_no_split_is_named_with_what_it_holds() -> None:
    fields = (
        *(field(c, c) for c in ("01", "02", "04", "27")),
        field("99", "x", 3),
        field("99", "y"),
    )
    _, strays, missing = divide(fields, SPLIT)
    assert strays == ["case 99 is in no split (2 fields, 4 mitoses)"]
    assert missing == []


def test_split_without_a_field_names_its_cases_and_those_there_are() -> None:
    with pytest.raises(ValueError) as caught:
        divide((field("01", "a"), field("27", "b")), SPLIT)
    assert str(caught.value) == (
        "no field for val: none of its cases (04) is among those of the archive (01 27)"
    )
