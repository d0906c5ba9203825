"""The folder that is written: one run at a time, whole or not at all."""

import contextlib
import ctypes
import io
import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

from data_prep import output, prepare
from data_prep.output import STAGED
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.locks import locked
from tests.data_prep.archives import contents, make_tupac16, write_label

FORK = multiprocessing.get_context("fork")


def run(*words: object) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        prepare.main([str(word) for word in words])


def visible(out: Path) -> dict[str, bytes]:
    """Read what is not hidden."""
    return {name: data for name, data in contents(out).items() if not name.startswith(".")}


def annotations(out: Path) -> dict[str, bytes]:
    return {name: data for name, data in visible(out).items() if name.startswith("annotations")}


def die_before_change(number: int, words: tuple) -> None:
    """Run the command, and be killed before it changes anything on disk for the n-th time."""
    changes = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "ctypes.dlopen"}
    count = 0

    def hook(event: str, args: tuple) -> None:
        nonlocal count
        writes = event == "open" and isinstance(args[1], str) and "w" in args[1]
        if writes or event in changes:
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    run(*words)
    os._exit(0)  # else pytest's own cleaning up would follow


def test_killed_anywhere_the_annotations_are_of_one_run_and_the_next_run_heals(
    tmp_path: Path,
) -> None:
    root = make_tupac16(tmp_path / "archive")
    out, words = tmp_path / "out", ("tupac16", root, "--out", tmp_path / "out", "--preview", 3)
    run("tupac16", root, "--out", out, "--split", "none", "--seed", 1)
    write_label(out / "annotations" / "mine.txt", "kept")
    old = visible(out)
    run(*words)
    new = visible(out)
    new_annotations = annotations(out)
    assert set(new_annotations) == {
        f"annotations/{n}" for n in ("train.json", "val.json", "test.json", "mine.txt")
    }
    ours = {name for name in new_annotations if name.endswith(".json")}
    seen, number, ended = set(), 0, False
    while not ended:
        number += 1
        run("tupac16", root, "--out", out, "--split", "none", "--seed", 1)
        assert visible(out) == old
        process = FORK.Process(target=die_before_change, args=(number, words))
        process.start()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        ended = process.exitcode == 0
        found = visible(out)
        jsons = {name: data for name, data in annotations(out).items() if name.endswith(".json")}
        is_new = set(jsons) == ours
        assert jsons == {k: v for k, v in (new if is_new else old).items() if k in jsons}
        assert is_new or set(jsons) == {"annotations/all.json"}
        assert found["summary.json"] in (old["summary.json"], new["summary.json"])
        seen.add(is_new)
        run(*words)
        assert contents(out) == new  # nothing hidden is left either
    assert seen == {True, False}
    assert number > 10


def test_killed_first_run_leaves_nothing_or_everything(tmp_path: Path) -> None:
    root = make_tupac16(tmp_path / "archive")
    run("tupac16", root, "--out", tmp_path / "expected")
    number, ended = 0, False
    while not ended:
        number += 1
        out = tmp_path / f"out{number}"
        words = ("tupac16", root, "--out", out)
        process = FORK.Process(target=die_before_change, args=(number, words))
        process.start()
        process.join()
        ended = process.exitcode == 0
        assert len(annotations(out)) in (0, 3)
        run(*words)
        assert contents(out) == contents(tmp_path / "expected")


def test_second_run_into_the_same_folder_is_refused(tmp_path: Path, capsys) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    with locked(out, "prepare"):
        with pytest.raises(SystemExit):
            run_main(lambda: run("tupac16", root, "--out", out), "prepare.py")
        assert capsys.readouterr().err == (
            f"prepare.py: error: another prepare.py is writing to {out}: wait for it, or take "
            "another folder\n"
        )
        run("tupac16", root, "--out", tmp_path / "other")
    run("tupac16", root, "--out", out)
    assert contents(out) == contents(tmp_path / "other")


def one_of_many(words: tuple) -> None:
    try:
        run(*words)
    except BlockingIOError:
        os._exit(3)
    os._exit(0)


def test_many_runs_at_once_leave_what_one_leaves(tmp_path: Path) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", tmp_path / "expected")
    words = ("tupac16", root, "--out", out)
    runs = [FORK.Process(target=one_of_many, args=(words,)) for _ in range(5)]
    for process in runs:
        process.start()
    for process in runs:
        process.join()
    codes = [process.exitcode for process in runs]
    assert set(codes) <= {0, 3}
    assert 0 in codes
    assert contents(out) == contents(tmp_path / "expected")


@pytest.mark.parametrize("exchange", [True, False])
def test_what_a_user_has_put_there_stays(tmp_path: Path, monkeypatch, exchange: bool) -> None:
    if not exchange:  # as on a file system that cannot
        monkeypatch.setattr(ctypes, "CDLL", lambda _: None)
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out)
    first = contents(out)
    mine = write_label(out / "annotations" / "deep" / "mine.json", "{}")
    write_label(out / "notes.txt", "kept")
    run("tupac16", root, "--out", out, "--seed", 1)
    assert mine.read_text() == "{}"
    assert contents(out).keys() == {*first, "annotations/deep/mine.json", "notes.txt"}
    assert contents(out)["annotations/train.json"] != first["annotations/train.json"]


def test_old_preview_does_not_outlive_its_data(tmp_path: Path) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out, "--preview")
    assert (out / "preview.png").read_bytes().startswith(b"\x89PNG")
    run("tupac16", root, "--out", out)
    assert not (out / "preview.png").exists()


def write_with_little_room(words: tuple, n_bytes: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
    try:
        run(*words)
    except OSError as error:
        os._exit(5 if "cannot write to" in str(error) and "unchanged" in str(error) else 6)
    os._exit(0)


def test_full_disk_ends_in_a_sentence_with_nothing_half_written(tmp_path: Path) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out, "--seed", 1)
    before = contents(out)
    for folder, expected in ((out, before), (tmp_path / "new", {})):
        words = ("tupac16", root, "--out", folder)
        process = FORK.Process(target=write_with_little_room, args=(words, 1000))
        process.start()
        process.join()
        assert process.exitcode == 5
        assert contents(folder) == expected
    assert not (tmp_path / "new").exists()


def test_failing_check_leaves_the_old_set(tmp_path: Path, monkeypatch) -> None:
    root, out = make_tupac16(tmp_path / "archive"), tmp_path / "out"
    run("tupac16", root, "--out", out)
    before = contents(out)

    def spoiled(*args: object) -> dict:
        made = prepare_to_coco(*args)
        made["annotations"][-1]["segmentation"] = []
        return made

    prepare_to_coco = prepare.to_coco
    monkeypatch.setattr(prepare, "to_coco", spoiled)
    with pytest.raises(ValueError, match=r"test\.json is not written"):
        run("tupac16", root, "--out", out, "--seed", 1)
    assert contents(out) == before
    assert not (out / STAGED).exists()
    assert output.OURS.fullmatch("fold_12")
