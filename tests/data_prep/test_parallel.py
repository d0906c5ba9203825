"""Many processes: how many work at once."""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from data_prep.parallel import PARENT_BYTES, run_all, shares

GIB = 2**30
Task = tuple[Path, int]


def overlap(task: Task) -> int:
    """Note how many tasks are at work when this one begins, itself among them."""
    folder, number = task
    (folder / f"{number}.at_work").touch()
    at_once = len(list(folder.glob("*.at_work")))
    (folder / f"{number}.{at_once}.found").touch()
    time.sleep(0.03)
    (folder / f"{number}.at_work").unlink()
    return 1


def meet(task: Task) -> int:
    """Wait until three tasks are at work."""
    folder, number = task
    (folder / f"{number}.here").touch()
    end = time.monotonic() + 20
    while len(list(folder.glob("*.here"))) < 3:
        if time.monotonic() > end:
            raise ValueError("the others did not come")
        time.sleep(0.01)
    return 1


@pytest.mark.parametrize(
    ("parts", "most"),
    [([0.5] * 8, 2), ([0.34] * 8, 2), ([1.0] * 4, 1), ([3.0, 0.1, 3.0, 0.1, 0.1, 3.0], 3)],
)
def test_no_more_tasks_are_at_work_than_memory_allows(
    tmp_path: Path, parts: list[float], most: int
) -> None:
    tasks = [(tmp_path, number) for number in range(len(parts))]
    assert run_all(overlap, tasks, 4, "field", len(tasks), parts) == len(tasks)
    found = {int(p.name.split(".")[0]): int(p.name.split(".")[1]) for p in tmp_path.glob("*.found")}
    assert sorted(found) == list(range(len(parts)))
    assert max(found.values()) <= most
    assert all(found[number] == 1 for number, part in enumerate(parts) if part > 1)


@pytest.mark.parametrize("parts", [None, [0.33] * 3])
def test_as_many_are_at_work_as_memory_allows(tmp_path: Path, parts: list[float] | None) -> None:
    tasks = [(tmp_path, number) for number in range(3)]
    assert run_all(meet, tasks, 3, "field", 3, parts) == 3


def test_fields_share_the_memory_that_the_command_leaves() -> None:
    large, small = shares([(5657, 5657), (2000, 2000)], 2 * GIB)
    assert int(1 / large) == 3 and int(1 / small) == 17
    (alone,) = shares([(5657, 5657)], 17 * GIB)
    assert alone == pytest.approx(large / 16)
    assert shares([(10, 10)], PARENT_BYTES)[0] > 1


def test_no_task_at_all_is_no_fault() -> None:
    assert run_all(overlap, [], 4, "field", 0, []) == 0
    assert run_all(overlap, [], 4, "field", 0) == 0


def note_pid(task: Task) -> int:
    """Note the process, and go on for long."""
    folder, number = task
    (folder / f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(60)
    return 1


def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    tasks = [(tmp_path, number) for number in range(2)]
    command = multiprocessing.get_context("fork").Process(
        target=run_all, args=(note_pid, tasks, 2, "field", 2)
    )
    command.start()
    end = time.monotonic() + 20
    while len(list(tmp_path.glob("*.pid"))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    command.kill()
    command.join()
    (first, second) = (int(path.read_text()) for path in tmp_path.glob("*.pid"))
    while (left := [pid for pid in (first, second) if is_running(pid)]) and time.monotonic() < end:
        time.sleep(0.01)
    assert not left


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
