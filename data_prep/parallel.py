"""Work on many fields, in several processes, with a progress bar."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2
from tqdm import tqdm

Task = TypeVar("Task")


def run_all(
    work: Callable[[Task], int], tasks: Sequence[Task], workers: int, what: str, total: int
) -> int:
    """Do something for each of many fields.

    Args:
        work: What is done; it gives the number of units that it has dealt with. A function of a
            module, for other processes call it.
        tasks: What it is done for, one field each.
        workers: Number of processes.
        what: Name of the units, as ``tile``.
        total: Units of all tasks together.

    Returns:
        The units dealt with.

    Raises:
        OSError: If a process was killed, or as ``work``.
        ValueError: As ``work``.
    """
    done = 0
    with tqdm(total=total, desc=f"{what}s", unit=what, mininterval=0.5) as bar:
        if workers == 1 or len(tasks) < 2:
            for task in tasks:
                done += _advance(bar, work(task))
            return done
        with _one_cv2_thread(), ProcessPoolExecutor(workers, initializer=_leave_ctrl_c) as pool:
            try:
                for future in as_completed([pool.submit(work, task) for task in tasks]):
                    done += _advance(bar, future.result())
            except BrokenProcessPool as error:
                raise OSError(
                    "a process was killed (not enough memory?); the same command goes on from here"
                ) from error
            finally:
                pool.shutdown(cancel_futures=True)
    return done


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


def _leave_ctrl_c() -> None:
    """Leave Ctrl-C to the parent, so that a field that was begun is finished."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
