"""Files that appear whole or not at all."""

import json
from pathlib import Path

import pytest

from mmdet_mitosis.fileio import check_writable, write_json_atomic, write_json_files


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_files_and_links_appear_with_their_folders(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "out" / "images" / "link"
    write_json_files({tmp_path / "out" / "a.json": {"µ": 1}}, links={link: tmp_path / "target"})
    assert below(tmp_path / "out") == {"a.json", "images", "images/link"}
    assert json.loads((tmp_path / "out" / "a.json").read_text(encoding="utf-8")) == {"µ": 1}
    assert link.readlink() == tmp_path / "target"
    write_json_files({}, links={link: tmp_path})  # the link is moved, nothing into its target
    assert link.readlink() == tmp_path
    assert below(tmp_path / "target") == set()


def test_value_that_json_cannot_hold_leaves_the_old_files(tmp_path: Path) -> None:
    write_json_files({tmp_path / "a.json": 1, tmp_path / "b.json": 2})
    with pytest.raises(TypeError):
        write_json_files({tmp_path / "a.json": 3, tmp_path / "b.json": object()})
    assert below(tmp_path) == {"a.json", "b.json"}
    assert (tmp_path / "a.json").read_text() == "1\n"


def test_failure_removes_the_folders_it_made_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    files = {tmp_path / "kept" / "new" / "a.json": 1, tmp_path / "kept" / "b.json": object()}
    with pytest.raises(TypeError):
        write_json_files(files)
    assert below(tmp_path) == {"kept"}


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def fill(path: Path, text: str, **options: object) -> None:
        write(path, text[:3], **options)
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(OSError, match="No space left"):
        write_json_atomic(tmp_path / "new" / "a.json", [1, 2, 3])
    assert below(tmp_path) == set()


def test_folder_in_the_place_of_a_file_stops_all(tmp_path: Path) -> None:
    (tmp_path / "b.json").mkdir()
    with pytest.raises(IsADirectoryError, match=r"b\.json: a folder is in its place"):
        write_json_files({tmp_path / "a.json": 1, tmp_path / "b.json": 2})
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
