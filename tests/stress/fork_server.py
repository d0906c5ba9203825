"""A process that has imported everything, and forks the project's commands: each starts at once.

``python -m tests.stress.fork_server`` reads a job a line, as json, and answers each with a line.
The command runs in a session of its own as ``run_main`` runs it, and ends as Python ends. It can be
stopped by a signal after some time, or before the n-th time that it changes the disk.
"""

from __future__ import annotations

import gc
import json
import mmap
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import config as mmengine_config
from mmengine.runner import runner as mmengine_runner

from data_prep import prepare, synthesize
from mmdet_mitosis.cli import run_main
from tests.tools.commands import ROOT, load

MAINS: dict[str, Callable] = {
    "prepare": prepare.main,
    "synthesize": lambda words: synthesize.main(),
    **{name: load(name).main for name in ("train", "mine_candidates", "infer")},
}
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink"}
LONGEST_S = 120
"""After so long a command hangs."""
LONGEST_END_S = 12
"""After so long one that was told to stop does; the caller judges what is less."""
NUMBERS, LABEL = 32, 200
N_CHANGES, BEGUN, STOPPED, DONE = range(4)
POLL_S = 0.004
NEXT_TO_S = 0.05
"""A signal that comes so long before the work is done can be too late."""


class Board:
    """What a command and its parent both see.

    Attributes:
        numbers: How often the command changed the disk, and when it began, when it stopped itself
            and when it was done, ns; 0 before.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, NUMBERS + LABEL)
        self.numbers = memoryview(self._memory)[:NUMBERS].cast("q")

    @property
    def label(self) -> str:
        """Name of the last change."""
        return self._memory[NUMBERS:].rstrip(b"\0").decode("utf-8", "replace")

    @label.setter
    def label(self, text: str) -> None:
        self._memory[NUMBERS:] = text.encode()[:LABEL].ljust(LABEL, b"\0")


class Changes:
    """Counts the changes of the disk in a process and those that it forks, and stops it at one.

    Args:
        board: Gets the count.
        below: The folder whose changes count.
        stop: ``signal``, ``group`` (else the command's own process alone), ``change``.
    """

    def __init__(self, board: Board, below: str, stop: dict[str, Any]) -> None:
        self.board, self.below, self.stop = board, below, stop
        self.pid = os.getpid()
        self._write_bytes = Path.write_bytes
        Path.write_bytes = lambda path, data: self.write_bytes(path, data)
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple) -> None:
        """Count an event if it is a change."""
        if event == "open":
            if (
                isinstance(args[0], str | Path)
                and isinstance(args[1], str)
                and args[1][:1] in "wax"
            ):
                self.count(f"open {args[0]}", str(args[0]))
        elif event in CHANGES:
            path = os.fspath(args[event == "os.symlink"])
            # With the number of an open folder, names are relative: rmtree removes so.
            self.count(f"{event} {path}", self.below if args[-1] != -1 else path)

    def write_bytes(self, path: Path, data: bytes) -> int:
        """Write a file; half of it if that is the change to stop at."""
        if self.board.numbers[N_CHANGES] + 1 == self.stop.get("change"):
            self._write_bytes(path, data[: len(data) // 2])
        self.count(f"inside {path}", str(path))
        return self._write_bytes(path, data)

    def count(self, label: str, path: str) -> None:
        """Count a change, and stop at the one that it is to be."""
        if not str(path).startswith(self.below):
            return
        self.board.numbers[N_CHANGES] += 1
        if self.board.numbers[STOPPED]:
            return
        self.board.label = label
        if self.board.numbers[N_CHANGES] == self.stop.get("change"):
            self.board.numbers[STOPPED] = time.monotonic_ns()
            send(self.pid, self.stop)


def send(pid: int, stop: dict[str, Any]) -> None:
    """Send the signal to a command, or to all its processes."""
    (os.killpg if stop["group"] else os.kill)(pid, stop["signal"])


def be_command(job: dict[str, Any], board: Board) -> None:
    """Be the command, to the end."""
    os.setsid()
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    os.chdir(ROOT)
    name, words = job["command"], job["words"]
    sys.argv = [f"{name}.py", *words]
    Changes(board, job["out"], job["stop"] or {})

    def main() -> int | None:
        board.numbers[BEGUN] = time.monotonic_ns()
        status = MAINS[name](words)
        board.numbers[DONE] = time.monotonic_ns()
        return status

    run_main(main, f"{name}.py")


def alive_in(session: int) -> list[int]:
    """List the processes of a session that still run."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if folder.name.isdigit() and int(fields[3]) == session and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def end_all(session: int) -> float:
    """Wait for what a command has left running, then kill it; give how long that took, s."""
    start = time.monotonic()
    while left := alive_in(session):
        if time.monotonic() - start > LONGEST_END_S:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    return time.monotonic() - start


def run(job: dict[str, Any], board: Board) -> dict[str, Any] | None:
    """Fork a command, stop it as asked, and see it end; the child gets None.

    Args:
        job: ``command``, ``words``, ``log``, ``out`` and ``stop``, which is None or has ``signal``,
            ``group`` and either ``after_s`` or ``change``.
        board: What both see.

    Returns:
        Its status (negative where a signal killed it), whether it was done before, how long it
        ran, how long it took to end once it was told to (None if it never was), how long what it
        left ran on, how often it changed the disk, and what it changed before it was told.
    """
    board.numbers[:] = memoryview(bytes(NUMBERS)).cast("q")
    board.label = "nothing"
    pid, start, stop = os.fork(), time.monotonic(), job["stop"]
    if pid == 0:
        return None
    status, sent = None, None
    while status is None:
        time.sleep(POLL_S)
        ended, code = os.waitpid(pid, os.WNOHANG)
        now = time.monotonic()
        if ended:
            status = os.waitstatus_to_exitcode(code)
            continue
        begun = board.numbers[BEGUN] / 1e9
        due = begun and stop and "after_s" in stop and now - begun >= stop["after_s"]
        if due and sent is None:
            sent, at = now, board.label
            send(pid, stop)
        if now - (sent or start) > (LONGEST_END_S if sent else LONGEST_S):
            os.kill(pid, signal.SIGKILL)
    took = time.monotonic() - start
    begun, stopped, done = (board.numbers[i] / 1e9 for i in (BEGUN, STOPPED, DONE))
    if stopped:
        sent, at = stopped, board.label
    return {
        "status": status,
        "done": bool(done) and (sent is None or done - sent < NEXT_TO_S),
        "seconds": (done or time.monotonic()) - begun,
        "end_s": None if sent is None else start + took - sent,
        "left_s": end_all(pid),
        "changes": board.numbers[N_CHANGES],
        "at": None if sent is None else at,
    }


def get_ready() -> None:
    """Leave out what takes most of a tiny run's time and none of a real one's; hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's ``&`` has it ignored
    mmengine_config.FormatCode = lambda text, **_: (text, True)
    mmengine_runner.collect_env = dict
    gc.collect()
    gc.freeze()  # what is there already: a child that collects garbage copies no memory


def main() -> None:
    """Serve until nobody asks any more."""
    get_ready()
    board, answers = Board(), os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        job = json.loads(line)
        answer = run(job, board)
        if answer is None:
            be_command(job, board)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
