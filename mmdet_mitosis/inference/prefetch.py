"""Working ahead in threads, in order and with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def work_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    ahead: int,
    torch_threads: int | None = None,
) -> Iterator[Result]:
    """Call a function on items in threads while the results are used.

    Args:
        function: Called on each item.
        items: The items.
        workers: Number of threads; 0 calls it here.
        ahead: Largest number of results that wait.
        torch_threads: Threads that torch may use in each of them; None leaves that as it is.

    Yields:
        The results, in the order of the items; what the function raises is raised in its turn.
    """
    if workers == 0:
        yield from map(function, items)
        return
    left = iter(items)
    waiting: deque[Future[Result]] = deque()
    if torch_threads is None:
        pool, before = ThreadPoolExecutor(workers), None
    else:
        before = torch.get_num_threads()
        pool = ThreadPoolExecutor(
            workers, initializer=torch.set_num_threads, initargs=(torch_threads,)
        )
    try:
        waiting.extend(pool.submit(function, item) for item in islice(left, ahead))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(left, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if before is not None:
            # Each thread has its own number, but one that comes later begins with the last set.
            torch.set_num_threads(before)
