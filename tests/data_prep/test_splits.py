"""Splits by case."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from data_prep.records import Archive, Cell, Field
from data_prep.splits import NAMED, assign, check_split, divide, load_split, slide
from tests.data_prep.archives import REAL_DATA, needs_real_data

SPLIT = {"train": ["01", "02"], "val": ["04"], "test": ["27"]}


def field(case: str, name: str, n_mitoses: int = 1, scanner: str = "scanner") -> Field:
    mitoses = tuple(Cell((5, 5), Path("a.csv"), i) for i in range(n_mitoses))
    return Field(case, name, Path(f"{name}.tif"), 10, 10, 0.25, scanner, mitoses)


def archive(*fields: Field, source: str = "tupac16") -> Archive:
    return Archive(source, Path("/archive"), fields)


def random_archive(rng: random.Random) -> Archive:
    """Make an archive of one to three scanners, with few or many fields and mitoses a case."""
    scanners = ["A", "B", "C"][: rng.randint(1, 3)]
    fields = []
    for number in range(rng.randint(3, 40)):
        scanner, most = rng.choice(scanners), rng.choice([0, 3, 60])
        for i in range(rng.randint(1, 4)):
            name = f"{number}/{i}"
            fields.append(field(str(number), name, rng.randint(0, most), scanner))
    return archive(*fields)


def names(parts: dict[str, list[Field]]) -> dict[str, list[str]]:
    return {part: [f.name for f in fields] for part, fields in parts.items()}


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
        ({**SPLIT, "val": ["02"]}, "case '02' is in train and in val"),
        ({**SPLIT, "val": ["04", "04"]}, "case '04' is named twice in val"),
        ({**SPLIT, "val": "04"}, "val is '04'; expected a list of cases"),  # else: cases 0 and 4
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
    expected = "'papr'; choose paper, mitos12, none, kfold:K, loco, or a json file of cases"
    for read in (load_split, check_split):
        with pytest.raises(FileNotFoundError, match=expected):
            read("papr")


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


@pytest.mark.parametrize("seed", range(30))
def test_folds_of_any_archive_hold_each_case_whole_and_test_it_once(seed: int) -> None:
    rng = random.Random(seed)
    made = random_archive(rng)
    cases = {f.case for f in made.fields}
    k = rng.randint(3, min(7, len(cases)))
    for name, n_folds in ((f"kfold:{k}", k), ("loco", len(cases))):
        parts, strays, missing = assign(made, name, seed)
        assert (strays, missing) == ([], [])
        folds = range(1, n_folds + 1)
        assert list(parts) == [f"fold_{i}/{p}" for i in folds for p in ("train", "val", "test")]
        tested: Counter[str] = Counter()
        for i in folds:
            found = [parts[f"fold_{i}/{p}"] for p in ("train", "val", "test")]
            assert sorted(f.name for fields in found for f in fields) == sorted(
                f.name for f in made.fields
            )
            held = [{f.case for f in fields} for fields in found]
            assert all(held)
            assert sum(map(len, held)) == len(cases)  # else a case is in two of them
            assert parts[f"fold_{i}/val"] == parts[f"fold_{i % n_folds + 1}/test"]
            tested.update(held[2])
        assert tested == dict.fromkeys(cases, 1)


@pytest.mark.parametrize("seed", range(30))
def test_folds_are_alike_in_cases_and_mitoses_of_each_scanner(seed: int) -> None:
    made = random_archive(random.Random(seed))
    mitoses: Counter[str] = Counter()
    scanner_of = {}
    for f in made.fields:
        mitoses[f.case] += len(f.mitoses)
        scanner_of[f.case] = f.scanner
    parts, _, _ = assign(made, "kfold:3", seed)
    held = [{f.case for f in parts[f"fold_{i}/test"]} for i in (1, 2, 3)]
    assert max(map(len, held)) - min(map(len, held)) <= 1
    for scanner in set(scanner_of.values()):
        members = [[c for c in cases if scanner_of[c] == scanner] for cases in held]
        assert max(map(len, members)) - min(map(len, members)) <= 1
        sums = [sum(mitoses[c] for c in cases) for cases in members]
        richest = max(mitoses[c] for c in scanner_of if scanner_of[c] == scanner)
        assert max(sums) - min(sums) <= richest


def test_folds_depend_on_the_seed_and_not_on_the_order_of_the_fields() -> None:
    made = archive(*(field(f"{n:02d}", f"{n}", n % 7, "AB"[n % 2]) for n in range(20)))
    expected, _, _ = assign(made, "kfold:5", 3)
    shuffled = list(made.fields)
    random.Random(0).shuffle(shuffled)
    found, _, _ = assign(archive(*shuffled), "kfold:5", 3)
    assert {p: sorted(n) for p, n in names(found).items()} == {
        p: sorted(n) for p, n in names(expected).items()
    }
    others = [assign(made, "kfold:5", seed)[0] for seed in range(4, 9)]
    tests = {frozenset(names(parts)["fold_1/test"]) for parts in (expected, *others)}
    assert len(tests) > 3
    pairs = {frozenset(frozenset(names(p)[f"fold_{i}/test"]) for i in range(1, 6)) for p in others}
    assert len(pairs) > 3  # not the same folds under other numbers


def test_one_slide_on_two_scanners_stays_in_one_fold() -> None:
    cases = [f"{letter}{n:02d}" for letter in "AH" for n in range(4)]
    made = archive(*(field(c, c, 1, c[0]) for c in cases), source="mitos12")
    for name in ("kfold:4", "loco"):
        parts, _, _ = assign(made, name)
        tested = {frozenset(names(parts)[f"fold_{i}/test"]) for i in range(1, 5)}
        assert tested == {frozenset({f"A{n:02d}", f"H{n:02d}"}) for n in range(4)}
    assert slide("tupac16", "A03") == "A03"
    assert slide("mitos14", "H03") == slide("mitos12", "A03")


def test_none_keeps_everything_in_one_part() -> None:
    made = archive(field("99", "b"), field("01", "a"))
    assert assign(made, "none") == ({"all": list(made.fields)}, [], [])


def test_named_split_is_assigned_by_case() -> None:
    made = archive(*(field(c, c) for c in ("01", "04", "27", "99")))
    parts, strays, _ = assign(made, "paper")
    assert names(parts) == {"train": ["01"], "val": ["04"], "test": ["27"]}
    assert strays == ["case 99 is in no split (1 fields, 1 mitoses)"]


@pytest.mark.parametrize("name", ["kfold", "kfold:", "kfold:2", "kfold:0", "kfold:-3", "kfold:3.5"])
def test_folds_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}'; expected kfold:K with K from 3"):
        check_split(name)


@pytest.mark.parametrize(("name", "needed"), [("kfold:5", 5), ("kfold:4", 4), ("loco", 3)])
def test_too_few_cases_for_the_folds_are_named(name: str, needed: int) -> None:
    made = archive(*(field(f"0{n}", f"{n}{i}") for n in range(needed - 1) for i in range(9)))
    with pytest.raises(ValueError, match=rf"--split {name} needs at least {needed} cases; "):
        assign(made, name)


@needs_real_data
def test_folds_of_the_real_labels_have_like_numbers_of_mitoses() -> None:
    fields = []
    for path in sorted((REAL_DATA / "tupac16_alternative").rglob("*.csv")):
        if "nonmitoses" not in str(path):
            case, n = path.parent.name, len(path.read_text().split())
            fields.append(field(case, f"{case}/{path.stem}", n, "AL"[int(case) > 23]))
    assert (len(fields), sum(len(f.mitoses) for f in fields)) == (656, 1999)
    parts, _, _ = assign(archive(*fields), "kfold:5")
    counts = [sum(len(f.mitoses) for f in parts[f"fold_{i}/test"]) for i in range(1, 6)]
    assert sum(counts) == 1999
    assert max(counts) < 1.4 * min(counts)  # 1.9 by one deal at random; case 04 alone has 319


def test_a_split_file_that_is_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"split\.json is no json.*nested too deeply"):
        check_split(str(path))


@pytest.mark.parametrize("scanners", [["A"], ["A", "B"]])
def test_of_many_deals_the_most_even_one_is_taken(scanners: list[str]) -> None:
    # Pairs of 10 and 1, 9 and 2, 8 and 3: one deal of six gives each fold as many mitoses.
    fields = [
        field(f"{scanner}{n}", f"{scanner}{n}", n, scanner)
        for scanner in scanners
        for n in (10, 9, 8, 3, 2, 1)
    ]
    parts, _, _ = assign(archive(*fields), "kfold:3")
    for i in (1, 2, 3):
        tested = parts[f"fold_{i}/test"]
        for scanner in scanners:
            assert sum(len(f.mitoses) for f in tested if f.scanner == scanner) == 11


def test_folds_without_ties_depend_on_the_seed_too() -> None:
    made = archive(*(field(f"{n:02d}", f"{n}", n) for n in range(12)))
    found = {tuple(names(assign(made, "kfold:3", seed)[0])["fold_1/test"]) for seed in range(6)}
    assert len(found) > 1
    assert names(assign(made, "kfold:3")[0]) == names(assign(made, "kfold:3", 0)[0])


def test_a_split_that_names_no_case_and_cases_that_are_missing_are_told() -> None:
    with pytest.raises(ValueError, match=r"its cases \(it names none\)"):
        divide((field("01", "a"),), {"train": ["01"], "val": [], "test": []})
    with pytest.raises(ValueError, match=r"its cases \(04 05\)"):
        divide((field("01", "a"),), {"train": ["01"], "val": ["04", "05"], "test": []})
    fields = tuple(field(case, case) for case in ("01", "04", "27"))
    *_, missing = divide(fields, {**SPLIT, "train": ["01", "02", "03"]})
    assert missing == ["train: 2 of 3 cases are not in the archive: 02 03"]
