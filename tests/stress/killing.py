"""Stopping a command at random points, and looking at what it and a second run leave."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tools.commands import ROOT

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
SENTENCES = {signal.SIGTERM: "terminated", signal.SIGINT: "interrupted"}
MOST_END_S = 10
"""A command that is told to end is to do so before."""
N_PLACES = 15


class Server:
    """The other end of ``tests/stress/fork_server.py``.

    Args:
        folder: For what the commands print.
    """

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log.txt"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stress.fork_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )

    def run(
        self, command: str, words: list, out: Path, stop: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Run a command; see :func:`tests.stress.fork_server.run`."""
        words = [str(word) for word in words]
        job = {"command": command, "words": words, "log": str(self.log), "out": str(out)}
        self._process.stdin.write(json.dumps({**job, "stop": stop}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def succeed(self, command: str, words: list, out: Path) -> dict[str, Any]:
        """Run a command that has to succeed."""
        ended = self.run(command, words, out)
        assert ended["status"] == 0, self.log.read_text()[-3000:]
        return ended

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Start the server, and end it."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.close()


@dataclass(frozen=True)
class Attack:
    """A command that is stopped.

    Attributes:
        command: Its name, as ``train``.
        words: What it is called with; the second run too.
        out: The folder that it writes to.
        result: Reads all that has to be the same in the end, by name.
        look: Reads what is there after a run was stopped, by name: each is to be as in ``result``,
            or as in what was there before.
        before: What is in the folder before; None for no folder.
        passing: What is there for a while alone, by name, as ``look`` gives it.
    """

    command: str
    words: list
    out: Path
    result: Callable[[Path], dict[str, Any]]
    look: Callable[[Path], dict[str, Any]]
    before: Path | None = None
    passing: dict[str, Any] = field(default_factory=dict)

    def prepare(self) -> None:
        """Put the folder into its first state."""
        shutil.rmtree(self.out, ignore_errors=True)
        if self.before:
            shutil.copytree(self.before, self.out, symlinks=True)


@dataclass
class Tally:
    """What was tried, and what went wrong."""

    signals: Counter = field(default_factory=Counter)
    places: Counter = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest_s: float = 0
    n_late: int = 0

    def report(self, title: str) -> str:
        """Say it."""
        signals = ", ".join(f"{n} {name}" for name, n in sorted(self.signals.items()))
        places = "\n".join(f"    {n:4} {place}" for place, n in self.places.most_common(N_PLACES))
        lost = "nothing" if not self.faults else "\n    ".join(["", *self.faults])
        return (
            f"\n{title}: {self.signals.total()} runs stopped: {signals}; {self.n_late} of them "
            "when all was done\n"
            f"  last change of the disk before, of {len(self.places)} kinds:\n{places}\n"
            f"  longest end after SIGTERM or Ctrl-C {self.longest_s:.1f} s\n  lost: {lost}"
        )


def attack(
    server: Server, what: Attack, n_points: int, seed: int, tally: Tally, again: bool = True
) -> None:
    """Stop a command at random points, half of them by time and half at a change of the disk.

    The time that it takes is that of a second whole run, if ``again`` is asked for: all is warm.
    """
    rng = random.Random(f"{what.command} {seed}")
    what.prepare()
    old = what.look(what.out)
    whole = server.succeed(what.command, what.words, what.out)
    expected = what.result(what.out)
    allowed = what.passing | what.look(what.out)
    longest_s = whole["seconds"]
    if again:
        what.prepare()
        longest_s = server.succeed(what.command, what.words, what.out)["seconds"]
        assert what.result(what.out) == expected, f"two whole runs of {what.command} differ"
    for number in range(n_points):
        stop = {"signal": SIGNALS[(number + seed) % 3], "group": rng.random() < 0.5}
        if number % 2:
            stop["change"] = rng.randint(1, whole["changes"])
        else:
            stop["after_s"] = rng.uniform(0, longest_s)
        what.prepare()
        faults = one(server, what, stop, (old, allowed), expected, tally)
        tally.faults += [f"{what.command} {stop}: {fault}" for fault in faults]


def one(
    server: Server, what: Attack, stop: dict, known: tuple[dict, dict], expected: dict, tally: Tally
) -> list[str]:
    """Stop a run and start the second one; give what is wrong."""
    ended = server.run(what.command, what.words, what.out, stop)
    faults = wrong_end(what.command, stop, ended, server.log.read_text(errors="replace"))
    if ended["at"] is not None:
        tally.signals[signal.Signals(stop["signal"]).name] += 1
        tally.n_late += ended["done"]
        tally.places[re.sub(r"\d+", "N", ended["at"].replace(f"{what.out}", "out"))] += 1
        if stop["signal"] != signal.SIGKILL:
            tally.longest_s = max(tally.longest_s, ended["end_s"])
    for name, content in what.look(what.out).items():
        if all(content != state.get(name) for state in known):
            faults.append(f"{name} is of no whole run ({ended['at']})")
    again = server.run(what.command, what.words, what.out)
    if again["status"]:
        return [*faults, f"second run: {server.log.read_text()[-600:]} ({ended['at']})"]
    found = what.result(what.out)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            how = "differs" if name in found and name in expected else "is missing"
            faults.append(f"{name} {how if name in expected else 'stays'} ({ended['at']})")
    return faults


def wrong_end(command: str, stop: dict, ended: dict, said: str) -> list[str]:
    """Say what is wrong with how a run ended that was told to."""
    faults = []
    if ended["left_s"] > MOST_END_S:
        faults.append(f"processes stayed for {ended['left_s']:.1f} s ({ended['at']})")
    if ended["at"] is None:
        return faults if ended["status"] == 0 else [*faults, f"status {ended['status']}"]
    if stop["signal"] == signal.SIGKILL:
        return faults
    number = signal.Signals(stop["signal"])
    sentence = f"{command}.py: {SENTENCES[number]}"
    if ended["end_s"] > MOST_END_S:
        faults.append(f"took {ended['end_s']:.1f} s to end ({ended['at']})")
    if ended["done"] and ended["status"] in (-number, 0):
        return faults  # Python itself was about to end
    if ended["status"] != 128 + number:
        faults.append(f"status {ended['status']} ({ended['at']}): {said[-600:]}")
    if "Traceback" in said or "Exception" in said:
        faults.append(f"no sentence ({ended['at']}): {said[-900:]}")
    elif ended["status"] and said.count(sentence) != 1:
        faults.append(f"sentence said {said.count(sentence)} times ({ended['at']})")
    return faults
