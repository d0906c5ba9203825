"""What the commands share: one clear sentence for a fault instead of a traceback.

And a terminal that no name can command. This module needs nothing beside Python: ``doctor.py``
takes it where nothing else can be imported.
"""

from __future__ import annotations

import _thread
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

SENTENCES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
TOLD = (ValueError, OSError, NotImplementedError, MemoryError)
GRACE_S = 5.0
"""A command that is told to end has so long to do it its own way."""
WATCH_S = 1.0
DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
CONTROL = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{DIRECTIONS}]")
"""What moves the cursor, ends a line, or turns the direction of reading."""
NO_MEMORY = re.compile(r"out of memory|can't allocate memory")
"""How torch says, by a ``RuntimeError``, that there is no memory left."""
LINES = re.compile(f"(?![\n\t]){CONTROL.pattern}")


def run_main(main: Callable[[], int | None], prog: str) -> NoReturn:
    """Run a command and leave with its status.

    A ``ValueError``, ``OSError``, ``NotImplementedError`` or lack of memory ends in ``prog: error:
    message`` on one line and status 2; Ctrl-C in ``prog: interrupted`` and status 130, SIGTERM in
    ``prog: terminated`` and 143. ``MITOSIS_TRACEBACK=1`` in the environment shows the traceback
    too.

    Args:
        main: The command; what it returns is the status, None for 0.
        prog: Its name in the message.

    Raises:
        SystemExit: Always.
    """
    guard_logs()
    ending = Ending(prog)
    try:
        ending.listen()
        status = main() or 0
        sys.stdout.flush()
        ending.leave(status)
    except BaseException as error:
        if ending.signal is None and isinstance(error, KeyboardInterrupt):
            ending.signal = signal.SIGINT
        if ending.signal is not None:  # whatever became of it on its way through libraries
            ending.leave(128 + ending.signal)
        if not isinstance(error, TOLD) and not NO_MEMORY.search(str(error)):
            raise
        if os.environ.get("MITOSIS_TRACEBACK") == "1":
            traceback.print_exc()
        print(f"{prog}: error: {one_line(error)}", file=sys.stderr)
        ending.leave(2)


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


class Ending:
    """What Ctrl-C and SIGTERM do to a command.

    The first one raises ``KeyboardInterrupt`` where the command is. A second one ends the process
    where it is; so do ``GRACE_S`` seconds, as a library may have swallowed the exception or wait
    for what does not come. All that is written appears whole or not at all, so that no way to end
    is a wrong one. Signals that were ignored when the command began stay ignored.

    Args:
        prog: Name of the command.

    Attributes:
        signal: The signal that came; None before.
    """

    def __init__(self, prog: str) -> None:
        self.prog = prog
        self.signal: int | None = None
        self._status: int | None = None

    def listen(self) -> None:
        """Begin; another thread than the main one cannot."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SENTENCES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._come)
        self._process = os.getpid()
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def leave(self, status: int) -> NoReturn:
        """Leave with a status; say it if a signal is the reason.

        Args:
            status: The status.

        Raises:
            SystemExit: Always.
        """
        if self._status is None:
            self._status = status
            if self.signal is not None:
                print(self._sentence(), file=sys.stderr)
        sys.exit(status)

    def _come(self, number: int, _: object) -> None:
        """Take a signal."""
        if self.signal is not None or self._status is not None:
            self._end()
        self.signal = number
        # torch raises where a worker ends that was told to, and Python tells of destructors that
        # swallow the interrupt, or find half of what they are to destroy.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.unraisablehook = _say_nothing
        # Not through ``threading``, whose locks the main thread may hold just now.
        _thread.start_new_thread(self._end_later, ())
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    def _end_later(self) -> None:
        """End the process if it is still there after some time."""
        time.sleep(GRACE_S)
        self._end()

    def _end(self) -> NoReturn:
        """End the process, and those that it has started, here and now."""
        try:
            if self._status is None:
                self._status = 128 + self.signal
                os.write(2, f"{self._sentence()}\n".encode())  # its stream may be in use
            for child in multiprocessing.active_children():
                child.kill()
        finally:
            os._exit(self._status)

    def _sentence(self) -> str:
        """Say what ended the command."""
        return f"{self.prog}: {SENTENCES[self.signal]}"

    def _leave_to_parent(self) -> None:
        """Leave Ctrl-C to the parent, in a process that it has forked to work for it."""
        actions = {signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_DFL}
        ours = [number for number in actions if signal.getsignal(number) == self._come]
        for number in ours:
            signal.signal(number, actions[number])
        if ours:
            _thread.start_new_thread(_end_with, (self._process,))


def _end_with(parent: int) -> None:
    """End this process soon after its parent: torch's workers look who that is, and may be late."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(1)


def _say_nothing(raised: Any) -> None:
    """Keep quiet of what a destructor raises, in a process that was told to end."""


def run_script(root: Path, *command: object) -> None:
    """Run one of the project's commands from another, shown as it is typed.

    Args:
        root: Root of the checkout.
        command: The script, relative to it, and its words.

    Raises:
        ValueError: If it does not succeed.
    """
    words = [str(word) for word in command]
    print(f"\n$ python {' '.join(words)}", flush=True)
    status = subprocess.run([sys.executable, *words], cwd=root, check=False).returncode
    if status:
        raise ValueError(f"{words[0]} ended with status {status}")


def one_line(error: BaseException) -> str:
    """Say an error in one line, without what registries and data loaders wrap around it.

    Args:
        error: The error.

    Returns:
        Its message.
    """
    text = str(error).strip() or type(error).__name__
    if isinstance(error, MemoryError) or NO_MEMORY.search(text):
        text = f"not enough memory: {text.partition(chr(10))[0]}"
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.strerror}: {error.filename}"
    if "Original Traceback" in text:
        text = re.sub(r"^\w*(Error|Exception): ", "", text.splitlines()[-1])
    text = re.sub(r"class `\w+` in \S+\.py: ", "", text)
    return printable(" ".join(text.split()))


def guard_logs() -> None:
    """Let no record of a log carry control characters, whoever writes it and wherever to.

    A log that cannot be written, as the disk is full, is told of in a line instead of a traceback
    for each of its own.
    """
    make = logging.getLogRecordFactory()
    if getattr(make, "guards", False):
        return

    def guarded(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: logging tells of them
            return record
        if LINES.search(text):
            record.msg, record.args = printable_lines(text), ()
        return record

    guarded.guards = True
    logging.setLogRecordFactory(guarded)
    tell, told = logging.Handler.handleError, set()

    def tell_once(handler: logging.Handler, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            tell(handler, record)
        elif handler not in told:
            told.add(handler)
            place = printable(getattr(handler, "baseFilename", "log"))
            print(f"{place} is not complete: {one_line(error)}", file=sys.stderr)

    logging.Handler.handleError = tell_once


def printable(text: str) -> str:
    """Make a text safe as part of a line on a terminal.

    Args:
        text: A name, or a sentence with names in it.

    Returns:
        The text, on one line: control characters are spelt out as in ``\\x1b``.
    """
    return CONTROL.sub(_spelt, encodable(text))


def printable_lines(text: str) -> str:
    """Make several lines safe on a terminal.

    Args:
        text: The lines, with tabs or without.

    Returns:
        The lines; other control characters are spelt out.
    """
    return LINES.sub(_spelt, encodable(text))


def encodable(text: str) -> str:
    """Spell out what UTF-8 cannot hold.

    Args:
        text: A name; that of a file may hold bytes that are no UTF-8, as lone surrogates.

    Returns:
        The text with these as ``\\udcff``.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _spelt(found: re.Match) -> str:
    """Spell out a character."""
    return found[0].encode("unicode_escape").decode("ascii")
