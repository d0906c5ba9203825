"""Working ahead: in order, bounded, and with as many of torch's threads as it is told."""

import threading
import time

import pytest
import torch

from mmdet_mitosis.inference.prefetch import work_ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_and_no_more_wait_than_is_said(workers) -> None:
    begun = []

    def slow(item: int) -> int:
        begun.append(item)
        time.sleep(0.002 * (item % 3))
        return item * item

    seen = []
    for result in work_ahead(slow, range(30), workers, ahead=4):
        seen.append(result)
        assert len(begun) <= len(seen) + 4
    assert seen == [i * i for i in range(30)]


def test_torch_has_the_threads_it_is_given_and_afterwards_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        met = threading.Barrier(2)

        def count(_: int) -> int:
            met.wait(10)  # both threads are at it
            return torch.get_num_threads()

        counts = []
        for n_threads in work_ahead(count, range(4), 2, 2, torch_threads=2):
            counts.append(n_threads)
            assert torch.get_num_threads() == 4
        assert counts == [2, 2, 2, 2]
        later = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [4]
    finally:
        torch.set_num_threads(before)


def test_an_interrupt_in_a_thread_ends_the_work() -> None:
    def stop(item: int) -> int:
        if item == 3:
            raise KeyboardInterrupt
        return item

    seen = []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(work_ahead(stop, range(100), 2, ahead=3))
    assert seen == [0, 1, 2]
