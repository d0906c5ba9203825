"""SIGKILL, SIGTERM and Ctrl-C at random points: a second run ends as one that was never stopped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stress import kill_cases
from tests.stress.killing import Attack, Server, Tally, attack, serving

N_POINTS = int(os.environ.get("MITOSIS_STRESS_POINTS", 100))
SEED = int(os.environ.get("MITOSIS_STRESS_SEED", 0))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def data(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kill_cases.make_data(server, tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def work(server: Server, data: Path) -> Path:
    return kill_cases.make_work(server, data)


def run(server: Server, ways: Iterator[Attack]) -> None:
    """Share the points among the ways to call a command."""
    tally, cases = Tally(), list(ways)
    for number, case in enumerate(cases):
        share = N_POINTS // len(cases) + (number < N_POINTS % len(cases))
        attack(server, case, share, SEED + number, tally)
    print(tally.report(cases[0].command))
    assert not tally.faults


def test_prepare(server: Server, data: Path, tmp_path: Path) -> None:
    run(server, kill_cases.prepare_cases(server, data, tmp_path))


def test_train(server: Server, data: Path, tmp_path: Path) -> None:
    run(server, kill_cases.train_cases(server, data, tmp_path))


def test_mine_candidates(server: Server, data: Path, work: Path, tmp_path: Path) -> None:
    run(server, kill_cases.mine_cases(server, data, work, tmp_path))


def test_infer(server: Server, data: Path, work: Path, tmp_path: Path) -> None:
    run(server, kill_cases.infer_cases(server, data, work, tmp_path))
