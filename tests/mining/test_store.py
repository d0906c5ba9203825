"""What is kept between runs, and what makes it stale."""

import pytest

from mmdet_mitosis.mining.store import MiningStore, digest_file


def test_what_is_written_is_there_for_the_same_facts_only(tmp_path):
    facts = {"threshold": 0.5, "model": {"depth": 18, "path": tmp_path}}
    store = MiningStore(tmp_path, "train", facts)
    assert not store.has("detections", 7)
    store.write("detections", 7, {"points": [[1.5, 2]]})
    again = MiningStore(tmp_path, "train", {"model": facts["model"], "threshold": 0.5})
    assert again.has("detections", 7) and not again.has("nuclei", 7)
    assert again.read("detections", 7) == {"points": [[1.5, 2]]}
    other = MiningStore(tmp_path, "train", {**facts, "threshold": 0.6})
    assert not other.has("detections", 7)


def test_only_stale_folders_of_the_split_are_removed(tmp_path):
    val = MiningStore(tmp_path, "val", {"a": 1})
    val.write("detections", 1, [])
    old = MiningStore(tmp_path, "train", {"a": 1})
    mine = tmp_path / ".mining"
    for name in ("train-notes", "log", "train-0123456789abcdefg"):
        (mine / name).mkdir()
    new = MiningStore(tmp_path, "train", {"a": 2})
    assert not old.folder.exists() and new.folder.is_dir()
    assert val.has("detections", 1)
    kept = {path.name for path in mine.iterdir()}
    assert kept >= {"train-notes", "log", "train-0123456789abcdefg"}


def test_a_damaged_file_is_named(tmp_path):
    store = MiningStore(tmp_path, "train", {})
    store.write("nuclei", 4, [1])
    (path,) = store.folder.iterdir()
    path.write_text("[1,")
    with pytest.raises(ValueError, match=r"4\.nuclei\.json is damaged .*delete it"):
        store.read("nuclei", 4)


def test_a_digest_is_of_the_contents(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"abc")
    b.write_bytes(b"abc")
    assert digest_file(a) == digest_file(b)
    assert digest_file(a) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_what_a_killed_run_left_unfinished_is_removed(tmp_path):
    store = MiningStore(tmp_path, "train", {})
    store.write("nuclei", 4, [1])
    (store.folder / ".5.nuclei.json.123.tmp").write_text("[1,")
    again = MiningStore(tmp_path, "train", {})
    assert [path.name for path in again.folder.iterdir()] == ["4.nuclei.json"]
