"""Work on many fields, in several processes, with a progress bar."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2
from tqdm import tqdm

Task = TypeVar("Task")

PARENT_BYTES = 2**30
"""What the command takes before it decodes a field: its imports, and the json of the archive."""
PROCESS_BYTES = 20 * 2**20
"""What a process takes of its own beside the field."""
DECODING = 3.5
"""What decoding a field takes, in fields: as a JPEG, the hungriest kind, 3.3."""


def shares(sizes: Iterable[tuple[int, int]], memory: int) -> list[float]:
    """Tell which part of the memory for decoding each field takes.

    Args:
        sizes: Widths and heights, px.
        memory: What the command may take, all its processes together, bytes.

    Returns:
        Fractions; one above 1 is of a field that needs more than there is, even alone.
    """
    room = max(1, memory - PARENT_BYTES)
    return [(PROCESS_BYTES + DECODING * 3 * width * height) / room for width, height in sizes]


def run_all(
    work: Callable[[Task], int],
    tasks: Sequence[Task],
    workers: int,
    what: str,
    total: int,
    parts: Sequence[float] | None = None,
) -> int:
    """Do something for each of many fields.

    Args:
        work: What is done; it gives the number of units that it has dealt with. A function of a
            module, for other processes call it.
        tasks: What it is done for, one field each.
        workers: Number of processes, at most.
        what: Name of the units, as ``tile``.
        total: Units of all tasks together.
        parts: What each task takes of the memory that there is, as ``shares`` gives it: so many
            run at once as fit, and at least one. None to leave memory out of account.

    Returns:
        The units dealt with.

    Raises:
        OSError: If a process was killed, or as ``work``.
        ValueError: As ``work``.
    """
    parts = [0.0] * len(tasks) if parts is None else parts
    workers = _n_processes(workers, parts)
    done = 0
    with tqdm(total=total, desc=f"{what}s", unit=what, mininterval=0.5) as bar:
        if workers == 1:
            for task in tasks:
                done += _advance(bar, work(task))
            return done
        with _one_cv2_thread(), ProcessPoolExecutor(workers, initializer=_leave_to_parent) as pool:
            try:
                for units in _results(pool, work, tasks, parts, 2 * workers):
                    done += _advance(bar, units)
            except BrokenProcessPool as error:
                raise OSError(
                    "a process was killed (not enough memory?); the same command goes on from here"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)
    return done


def _n_processes(workers: int, parts: Sequence[float]) -> int:
    """Start no more processes than can work at once."""
    fit = int(1 / min(parts)) if parts and min(parts) > 0 else workers
    return max(1, min(workers, len(parts), fit))


def _results(
    pool: ProcessPoolExecutor,
    work: Callable[[Task], int],
    tasks: Sequence[Task],
    parts: Sequence[float],
    n_pending: int,
) -> Iterator[int]:
    """Hand out tasks as memory allows, a few ahead, and give what comes back."""
    pending: dict[Future, float] = {}
    place = 0
    while pending or place < len(tasks):
        while place < len(tasks) and (
            not pending or (len(pending) < n_pending and sum(pending.values()) + parts[place] <= 1)
        ):
            pending[pool.submit(work, tasks[place])] = parts[place]
            place += 1
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            del pending[future]
            yield future.result()


def _advance(bar: tqdm, units: int) -> int:
    """Move the bar on."""
    bar.update(units)
    return units


@contextlib.contextmanager
def _one_cv2_thread() -> Iterator[None]:
    """End OpenCV's threads while processes are forked: one that inherits them waits for ever."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _leave_to_parent() -> None:
    """Leave Ctrl-C to the parent, so that a field that was begun is finished, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when its parent does, as by SIGKILL: else it waits for work for ever."""
    multiprocessing.parent_process().join()
    os._exit(1)
