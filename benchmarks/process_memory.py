"""What a command takes: time, and the memory of all its processes together (Linux)."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERVAL_S = 0.05
MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """What a command took: seconds, of processors too, and the most memory at one time, bytes."""

    seconds: float
    processor_seconds: float
    peak_bytes: int


def measure(words: Sequence[object], interval_s: float = INTERVAL_S) -> Measured:
    """Run a command and watch the memory of its processes.

    Forked processes share what neither has changed, so that the sum of what each has resident
    counts much of it twice. The proportional set size (PSS) divides it among them; its sum over
    all processes is taken at intervals. The kernel's own figure for the largest process
    (``ru_maxrss``), which misses no moment, counts where it is larger.

    Args:
        words: The command and its arguments.
        interval_s: Time between two looks, s. Each look holds processes of some GB up for some ms.

    Returns:
        What it took.

    Raises:
        OSError: If it fails, with the end of what it printed.
    """
    with tempfile.TemporaryFile() as printed:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in words], stdout=printed, stderr=subprocess.STDOUT
        )
        peak = 0
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            peak = max(peak, sum(map(_pss_bytes, _tree(process.pid))))
            time.sleep(interval_s)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            printed.seek(0)
            last = printed.read().decode(errors="replace").strip().splitlines()[-1:]
            raise OSError(f"{' '.join(map(str, words))} failed: {''.join(last)}")
    processors = usage.ru_utime + usage.ru_stime
    return Measured(seconds, processors, max(peak, usage.ru_maxrss * 1024))


def _tree(pid: int) -> Iterator[int]:
    """Give a process and all that come of it."""
    yield pid
    try:
        lists = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # it has just ended
        return
    for child in " ".join(lists).split():
        yield from _tree(int(child))


def _pss_bytes(pid: int) -> int:
    """Read the proportional set size of a process; 0 for one that has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
