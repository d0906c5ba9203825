"""Work on an image block by block, so that what is between stays in the processor's cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2

BLOCK_PIXELS = 2**16


def for_blocks(work: Callable[[Sequence[slice]], None], height: int, width: int) -> None:
    """Deal an image out in blocks of rows, to as many threads as OpenCV may use.

    Args:
        work: Is called with the rows of its blocks, once a thread. NumPy and OpenCV let threads run
            side by side; where OpenCV is held to one, as in data loaders, all is done in place.
        height: Rows of the image.
        width: Columns of the image.
    """
    rows = max(1, BLOCK_PIXELS // max(1, width))
    blocks = [slice(top, min(top + rows, height)) for top in range(0, height, rows)]
    threads = min(cv2.getNumThreads(), len(blocks))
    if threads < 2:
        work(blocks)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, blocks[first::threads]) for first in range(threads)]:
            done.result()
