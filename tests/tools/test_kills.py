"""Commands that are killed: the short form of ``tests/stress/stress_kill.py``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stress import kill_cases
from tests.stress.killing import Attack, Server, Tally, attack, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def fields(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kill_cases.make_data(server, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def detector(server: Server, fields: Path) -> Path:
    return kill_cases.make_work(server, fields)


def stop_twice(server: Server, ways: Iterator[Attack], seed: int) -> None:
    """Stop a command, at some time and at a change of the disk; then it is to go on to its end."""
    tally, case = Tally(), next(ways)
    attack(server, case, 2, seed, tally, again=False)
    assert not tally.faults, tally.report(case.command)
    assert tally.signals.total() >= 1  # the first may be done before its signal comes


def test_prepare(server: Server, fields: Path, tmp_path: Path) -> None:
    stop_twice(server, kill_cases.prepare_cases(server, fields, tmp_path), 0)


def test_train(server: Server, fields: Path, tmp_path: Path) -> None:
    stop_twice(server, kill_cases.train_cases(server, fields, tmp_path, 4), 1)


def test_mine_candidates(server: Server, fields: Path, detector: Path, tmp_path: Path) -> None:
    stop_twice(server, kill_cases.mine_cases(server, fields, detector, tmp_path), 2)


def test_infer(server: Server, fields: Path, detector: Path, tmp_path: Path) -> None:
    stop_twice(server, kill_cases.infer_cases(server, fields, detector, tmp_path), 3)
