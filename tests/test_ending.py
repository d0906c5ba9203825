"""Ctrl-C and SIGTERM: one sentence, at once, and no process left behind."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdet_mitosis import cli
from mmdet_mitosis.cli import run_main

FORK = multiprocessing.get_context("fork")


def command(main: Callable, log: Path, grace_s: float, on_ctrl_c: object) -> None:
    """Be a command that says what it says into a file."""
    os.setsid()
    signal.signal(signal.SIGINT, on_ctrl_c)  # which may be ignored here, as behind a shell's ``&``
    cli.GRACE_S = grace_s
    with log.open("w") as file:
        os.dup2(file.fileno(), 2)
        with contextlib.redirect_stderr(file):
            run_main(main, "tool.py")


def end(
    main: Callable,
    tmp_path: Path,
    grace_s: float = 60,
    on_ctrl_c: object = signal.default_int_handler,
) -> tuple[int, str]:
    """Run a command in a process; give its status and what it said."""
    log = tmp_path / "log.txt"
    process = FORK.Process(target=command, args=(main, log, grace_s, on_ctrl_c))
    process.start()
    process.join(30)
    status = process.exitcode
    process.kill()
    return status, log.read_text()


def send_self(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(20)


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_a_signal_is_a_sentence_and_a_status(tmp_path, number, status, word) -> None:
    assert end(lambda: send_self(number), tmp_path) == (status, f"tool.py: {word}\n")


def test_what_a_library_makes_of_it_is_still_the_signal(tmp_path) -> None:
    def main() -> None:
        try:
            send_self(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise RuntimeError("a worker exited unexpectedly") from error

    assert end(main, tmp_path) == (143, "tool.py: terminated\n")


def test_one_that_is_swallowed_ends_the_command_too(tmp_path) -> None:
    def main() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            send_self(signal.SIGINT)
        time.sleep(20)

    assert end(main, tmp_path, 0.2) == (130, "tool.py: interrupted\n")


class Swallower:
    """Python swallows what its destructor raises, and tells of it."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


class HalfMade:
    """Its destructor misses what an interrupt has left out."""

    def __del__(self) -> None:
        self.missing  # noqa: B018


def test_one_in_a_destructor_shows_no_traceback(tmp_path) -> None:
    def main() -> None:
        half = HalfMade()
        Swallower()
        del half
        time.sleep(20)

    assert end(main, tmp_path, 0.2) == (143, "tool.py: terminated\n")


def test_a_second_one_ends_at_once(tmp_path) -> None:
    def main() -> None:
        try:
            send_self(signal.SIGINT)
        finally:
            send_self(signal.SIGINT)

    assert end(main, tmp_path) == (130, "tool.py: interrupted\n")


def test_one_after_the_work_changes_nothing(tmp_path, monkeypatch) -> None:
    leave = cli.Ending.leave

    def late(ending: cli.Ending, status: int) -> None:
        try:
            leave(ending, status)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(cli.Ending, "leave", late)
    assert end(lambda: 3, tmp_path) == (3, "")


def worker(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGINT)
    path.write_text("not stopped")
    os.kill(os.getpid(), signal.SIGTERM)
    path.write_text("went on")


def test_a_worker_leaves_ctrl_c_to_its_parent_and_dies_of_sigterm(tmp_path) -> None:
    path = tmp_path / "worker.txt"

    def main() -> int:
        process = FORK.Process(target=worker, args=(path,))
        process.start()
        process.join()
        return -process.exitcode

    assert end(main, tmp_path) == (signal.SIGTERM, "")
    assert path.read_text() == "not stopped"


def test_workers_are_killed_where_the_command_has_to_be(tmp_path) -> None:
    path = tmp_path / "pid.txt"

    def main() -> None:
        process = FORK.Process(target=time.sleep, args=(20,))
        process.start()
        path.write_text(str(process.pid))
        with contextlib.suppress(KeyboardInterrupt):
            send_self(signal.SIGINT)
        time.sleep(20)

    assert end(main, tmp_path, 0.2)[0] == 130
    assert ends(int(path.read_text()))


def ends(pid: int, within_s: float = 15) -> bool:
    """Tell whether a process ends before long: one that is killed may still run for a moment."""
    last = time.monotonic() + within_s
    while is_running(pid) and time.monotonic() < last:
        time.sleep(0.05)
    return not is_running(pid)


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be buried does not."""
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(FileNotFoundError):
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def test_a_signal_that_was_ignored_stays_so(tmp_path) -> None:
    def main() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return 4

    assert end(main, tmp_path, on_ctrl_c=signal.SIG_IGN) == (4, "")


def test_a_worker_ends_with_a_command_that_is_killed(tmp_path) -> None:
    path = tmp_path / "pid.txt"

    def main() -> None:
        process = FORK.Process(target=time.sleep, args=(60,))
        process.start()
        path.write_text(str(process.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    assert end(main, tmp_path) == (-signal.SIGKILL, "")
    assert ends(int(path.read_text()))
