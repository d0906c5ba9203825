"""Files that appear whole or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest

from mmdet_mitosis.fileio import (
    check_writable,
    clear_unfinished,
    write_bytes_atomic,
    write_json_atomic,
)


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_json_appears_with_its_folder(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "out" / "a.json", {"µ": 1})
    assert below(tmp_path) == {"out", "out/a.json"}
    assert (tmp_path / "out" / "a.json").read_bytes() == '{"µ":1}\n'.encode()


def test_value_that_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    write_json_atomic(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        write_json_atomic(tmp_path / "a.json", object())
    with pytest.raises(TypeError):
        write_json_atomic(tmp_path / "new" / "a.json", object())
    for number in (float("nan"), float("inf"), np.float64("-inf")):
        with pytest.raises(ValueError, match=r"a\.json was not written: .*not JSON compliant"):
            write_json_atomic(tmp_path / "a.json", {"f": [number]})
    assert below(tmp_path) == {"a.json"}
    assert (tmp_path / "a.json").read_text() == "1\n"


def test_full_disk_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes_atomic(tmp_path / "a.bin", b"old")
    write = Path.write_bytes

    def fill(path: Path, data: bytes) -> None:
        write(path, data[:3])
        raise OSError(28, "No space left on device")  # as write(2) says it: without a name

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.bin"):
        write_bytes_atomic(tmp_path / "a.bin", b"new and longer")
    assert below(tmp_path) == {"a.bin"}
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a.bin").symlink_to(tmp_path / "precious")
    (tmp_path / f".a.bin.{os.getpid()}.tmp").symlink_to(tmp_path / "precious")
    write_bytes_atomic(tmp_path / "a.bin", b"new")
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "a.bin").is_symlink()
    assert below(tmp_path) == {"a.bin", "precious"}


def test_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.json").mkdir()
    with pytest.raises(IsADirectoryError, match=r"b\.json: a folder is in its place"):
        write_json_atomic(tmp_path / "b.json", 1)
    assert below(tmp_path) == {"b.json"}


def test_check_writable_looks_at_the_nearest_folder_there_is(tmp_path: Path, monkeypatch) -> None:
    check_writable(tmp_path / "a" / "b")
    monkeypatch.chdir(tmp_path)
    check_writable("relative")
    assert below(tmp_path) == set()  # it looks, and makes nothing
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="file is no folder"):
        check_writable(tmp_path / "file" / "b")
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="no permission to write in"):
        check_writable(tmp_path / "a" / "b")


def test_what_killed_runs_left_of_a_file_is_removed_and_nothing_else(tmp_path: Path) -> None:
    kept = {"a.json", ".a.json", ".a.json.tmp", ".b.json.7.tmp", ".a.json.x.tmp", ".a.json.b.7.tmp"}
    for name in (*kept, ".a.json.123.tmp", ".a.json.7.tmp"):
        (tmp_path / name).write_text("")
    clear_unfinished(tmp_path, "a.json")
    assert below(tmp_path) == kept
    clear_unfinished(tmp_path, "*.json")
    assert below(tmp_path) == kept - {".b.json.7.tmp"}
    clear_unfinished(tmp_path / "missing")
