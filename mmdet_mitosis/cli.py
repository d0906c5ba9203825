"""What the commands share: one clear sentence for a fault instead of a traceback.

And a terminal that no name can command. This module needs nothing beside Python: ``doctor.py``
takes it where nothing else can be imported.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
CONTROL = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{DIRECTIONS}]")
"""What moves the cursor, ends a line, or turns the direction of reading."""
LINES = re.compile(f"(?![\n\t]){CONTROL.pattern}")


def run_main(main: Callable[[], int | None], prog: str) -> NoReturn:
    """Run a command and leave with its status.

    A ``ValueError``, ``OSError`` or ``NotImplementedError`` ends in ``prog: error: message`` on one
    line and status 2, an interrupt in status 130. ``MITOSIS_TRACEBACK=1`` in the environment
    shows the traceback too.

    Args:
        main: The command; what it returns is the status, None for 0.
        prog: Its name in the message.

    Raises:
        SystemExit: Always.
    """
    guard_logs()
    try:
        status = main()
    except (ValueError, OSError, NotImplementedError) as error:
        if os.environ.get("MITOSIS_TRACEBACK") == "1":
            traceback.print_exc()
        print(f"{prog}: error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(status or 0)


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
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.strerror}: {error.filename}"
    if "Original Traceback" in text:
        text = re.sub(r"^\w*(Error|Exception): ", "", text.splitlines()[-1])
    text = re.sub(r"class `\w+` in \S+\.py: ", "", text)
    return printable(" ".join(text.split()))


def guard_logs() -> None:
    """Let no record of a log carry control characters, whoever writes it and wherever to."""
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
