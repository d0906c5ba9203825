"""What the commands share: one clear sentence for a fault instead of a traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


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
    return " ".join(text.split())
