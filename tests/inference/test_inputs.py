"""Which slides a command is given, and what they are called."""

from pathlib import Path

import pytest

from mmdet_mitosis.inference.inputs import find_inputs


def touch(root: Path, *names: str) -> list[Path]:
    paths = [root / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_files_folders_patterns_and_lists(tmp_path, monkeypatch) -> None:
    touch(tmp_path, "a/1.svs", "a/b/2.tif", "a/notes.txt", "a/.hidden/3.svs", "c/4.ndpi", "c/5.xyz")
    listed = tmp_path / "list.txt"
    listed.write_text("\ufeff# slides\n\nc/4.ndpi\n  c/5.xyz  \n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert {i.name for i in find_inputs(["a"])} == {"1", "2"}
    assert [i.name for i in find_inputs(["a/*.svs", str(tmp_path / "c" / "*.ndpi")])] == ["1", "4"]
    assert [i.name for i in find_inputs([], listed)] == ["4", "5"]
    assert [i.name for i in find_inputs(["c", "c/4.ndpi"])] == ["4"]  # once
    assert all(i.path.is_absolute() for i in find_inputs(["c"]))


def test_names_are_told_apart_by_folders_then_by_suffix(tmp_path) -> None:
    touch(
        tmp_path, "27/01.tif", "30/01.tif", "30/02.tif", "x/y.png", "x/y.jpg", "Z/q.tif", "z/Q.tif"
    )
    names = {str(i.path.relative_to(tmp_path)): i.name for i in find_inputs([tmp_path])}
    assert names["30/02.tif"] == "02"
    assert (names["27/01.tif"], names["30/01.tif"]) == ("27_01", "30_01")
    assert (names["x/y.png"], names["x/y.jpg"]) == ("x_y.png", "x_y.jpg")
    assert len({name.lower() for name in names.values()}) == len(names)


def test_names_are_safe(tmp_path) -> None:
    odd = ["<b>.tif", "a\nb.tif", "..dots.tif", "=1+1.tif", "ä ö.tif", "'\".tif"]
    touch(tmp_path, *odd)
    for given in find_inputs([tmp_path]):
        assert given.name == Path(given.name).name
        assert not set(given.name) & set("<>\n\"' /\\=")
        assert not given.name.startswith(".")


@pytest.mark.parametrize("word", ["gone.svs", "*.svs", "empty"])
def test_what_names_nothing_is_an_error(tmp_path, monkeypatch, word) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=rf"{word[1:] if word[0] == '*' else word}"):
        find_inputs([word])


def test_bad_lists(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no such list"):
        find_inputs([], tmp_path / "none.txt")
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no list of slides in UTF-8"):
        find_inputs([], tmp_path / "bad.txt")
    (tmp_path / "blank.txt").write_text("# nothing\n")
    with pytest.raises(FileNotFoundError, match="no slide is named"):
        find_inputs([], tmp_path / "blank.txt")


def test_cases_go_by_file_name_stem_or_name(tmp_path) -> None:
    touch(tmp_path / "s", "a.svs", "b.svs", "x/c.svs", "y/c.svs")
    table = tmp_path / "cases.csv"
    table.write_text('slide,case\na.svs,one\nb,"two, really"\nx_c,three\ny_c,one\n')
    found = find_inputs([tmp_path / "s"], cases=table)
    cases = {given.name: given.case for given in found}
    assert cases == {"a": "one", "b": "two, really", "x_c": "three", "y_c": "one"}
    assert {given.case for given in find_inputs([tmp_path / "s"])} == set(cases)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b,1\n", "has no case of a.svs"),
        ("a\n", "expected a slide and its case, got a"),
        ("a,1,2\n", "got a,1,2"),
        ("a,\n", "got a,"),
        ("a,1\na,2\n", "a is of two cases, 1 and 2"),
        ("\x00\xff", "cases.csv"),
    ],
)
def test_bad_tables_of_cases(tmp_path, text, message) -> None:
    touch(tmp_path, "a.svs")
    (tmp_path / "cases.csv").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=message):
        find_inputs([tmp_path / "a.svs"], cases=tmp_path / "cases.csv")
    with pytest.raises(FileNotFoundError, match="no such table of cases"):
        find_inputs([tmp_path / "a.svs"], cases=tmp_path / "none.csv")


@pytest.mark.parametrize("word", ["", " "])
def test_an_empty_name_is_not_this_folder(word) -> None:
    with pytest.raises(ValueError, match="an empty name was given"):
        find_inputs([word])
