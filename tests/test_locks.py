"""One run of a command at a time in a folder."""

import errno
import fcntl
import io
import multiprocessing
import time
from pathlib import Path

import pytest

from mmdet_mitosis import locks
from mmdet_mitosis.locks import locked


def test_second_one_is_refused_and_other_commands_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with locked(folder, "train"):
        with pytest.raises(BlockingIOError, match=r"another train\.py is writing to .*a/b: wait"):
            locked(folder, "train").__enter__()
        with locked(folder, "test"):
            assert {path.name for path in folder.iterdir()} == {".train.lock", ".test.lock"}
    assert not (tmp_path / "a").exists()
    with locked(folder, "train"):
        (folder / "made").write_text("")
    assert [path.name for path in folder.iterdir()] == ["made"]


def test_lock_that_was_removed_in_between_is_taken_anew(tmp_path: Path, monkeypatch) -> None:
    flock, calls = fcntl.flock, []

    def late(file: io.IOBase, flags: int) -> None:
        if not calls:
            (tmp_path / ".job.lock").unlink()  # the run before ends just now
        calls.append(flags)
        flock(file, flags)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(tmp_path, "job"):
        assert len(calls) == 2  # else this run holds a lock that nobody sees
        with pytest.raises(BlockingIOError), locked(tmp_path, "job"):
            pass
    assert not (tmp_path / ".job.lock").exists()


def test_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch) -> None:
    def none(file: io.IOBase, flags: int) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    with locked(tmp_path, "job"), locked(tmp_path, "job"):
        assert (tmp_path / ".job.lock").exists()


def work(begun) -> None:
    begun.set()
    time.sleep(20)


def test_a_process_that_was_forked_does_not_hold_it(tmp_path: Path) -> None:
    """A worker that outlives its parent, which was killed, must not keep the next run out."""
    fork = multiprocessing.get_context("fork")
    with locked(tmp_path, "job"):
        begun = fork.Event()
        worker = fork.Process(target=work, args=(begun,))
        worker.start()
        assert begun.wait(60)
        (lock,) = locks._HELD
        lock.close()  # as the system does where this process is killed
        with locked(tmp_path, "job"):
            assert worker.is_alive()
    worker.kill()
    worker.join()
