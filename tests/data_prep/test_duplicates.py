"""Images and cases that are there twice."""

from pathlib import Path

import pytest

from data_prep import duplicates
from data_prep.duplicates import divided_slides, equal_files, repeated_images


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture
def read_whole(monkeypatch) -> list[Path]:
    """Note the files that are read whole."""
    digest, read = duplicates._digest, []
    monkeypatch.setattr(duplicates, "_digest", lambda path: read.append(path) or digest(path))
    return read


def test_equal_files_are_grouped_by_content_and_not_by_name_or_size(tmp_path: Path) -> None:
    big = bytes(range(256)) * 1000
    a, b = write(tmp_path / "b.tif", big), write(tmp_path / "a.tif", big)
    write(tmp_path / "c.tif", big[:-1] + b"x")
    write(tmp_path / "d.tif", big + b"x")
    e, f, g = (write(tmp_path / f"{n}.png", b"small") for n in "efg")
    write(tmp_path / "h.png", b"smalL")
    assert equal_files([*tmp_path.iterdir(), a]) == [[b, a], [e, f, g]]


def test_files_that_differ_in_one_byte_between_the_samples_are_not_equal(tmp_path: Path) -> None:
    data = bytearray(1_000_000)
    a = write(tmp_path / "a", data)
    for position in (5000, 499_999, 999_999, 0):
        data = bytearray(1_000_000)
        data[position] = 1
        assert equal_files([a, write(tmp_path / "b", data)]) == []


def test_only_files_of_equal_size_and_samples_are_read_whole(
    tmp_path: Path, read_whole: list
) -> None:
    names = [write(tmp_path / f"{n}", bytes([n]) * (10_000 + n % 2)) for n in range(10)]
    assert equal_files(names) == []
    assert read_whole == []
    twin = write(tmp_path / "twin", names[3].read_bytes())
    assert equal_files([*names, twin]) == [[names[3], twin]]
    assert sorted(read_whole) == sorted([names[3], twin])


def test_link_to_a_file_is_the_same_image(tmp_path: Path) -> None:
    a = write(tmp_path / "a.tif", b"x")
    (tmp_path / "b.tif").symlink_to(a)
    assert equal_files(tmp_path.iterdir()) == [[a, tmp_path / "b.tif"]]


def test_sentence_names_every_copy_and_its_split(tmp_path: Path) -> None:
    a, b, c, d = (write(tmp_path / n, n[:1].encode()) for n in ("aa", "ab", "ba", "bb"))
    write(tmp_path / "cc", b"c")
    parts = {a: "train", b: "test", c: "val", d: "val", tmp_path / "cc": "val"}
    assert repeated_images(parts) == [
        f"one image 2 times, in 2 splits: {a} (train), {b} (test)",
        f"one image 2 times, in val: {c} (val), {d} (val)",
    ]
    many = {write(tmp_path / f"m{n}", b"many"): "train" for n in range(7)}
    (sentence,) = repeated_images(many)
    assert sentence.startswith("one image 7 times, in train: ")
    assert sentence.endswith("m3 (train) and 3 more")


def test_slide_in_two_splits_is_named_once() -> None:
    cases = [
        ("A00/H00", "mitos12 A00", "train"),
        ("A00/H00", "mitos12 A00", "train"),
        ("A00/H00", "mitos12 H00", "test"),
        ("A01/H01", "mitos12 A01", "val"),
        ("A01/H01", "mitos12 H01", "val"),
    ]
    assert divided_slides(cases) == [
        "one case in 2 splits: mitos12 A00 (train), mitos12 H00 (test)"
    ]
    same_name = [("01", "tupac16 01", "train"), ("01", "tupac16 01", "val")]
    assert divided_slides(same_name) == [
        "one case in 2 splits: tupac16 01 (train), tupac16 01 (val)"
    ]
