"""Which process of a launcher this one is."""

import os

import pytest

from mmdet_mitosis.launchers import VARIABLES, process_of_launcher, tell_mmengine


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for names in VARIABLES.values():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def started(monkeypatch: pytest.MonkeyPatch, launcher: str, numbers: tuple[int, int, int]) -> None:
    for name, number in zip(VARIABLES[launcher], numbers, strict=True):
        monkeypatch.setenv(name, str(number))


@pytest.mark.parametrize("launcher", VARIABLES)
def test_launchers_tell_the_place(launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, launcher, (5, 8, 1))
    assert process_of_launcher(launcher) == (5, 8, 1)
    assert process_of_launcher("none") == (0, 1, 0)  # independent runs under one launcher


@pytest.mark.parametrize(
    ("launcher", "said"),
    [
        ("pytorch", "'RANK' is not set; start with torchrun"),
        ("slurm", "'SLURM_PROCID' is not set; start with srun"),
        ("mpi", "'OMPI_COMM_WORLD_RANK' is not set; start with Open MPI's mpirun"),
    ],
)
def test_a_process_of_no_launcher_is_told(launcher: str, said: str) -> None:
    for ask in (process_of_launcher, tell_mmengine):
        with pytest.raises(ValueError, match=f"--launcher {launcher}: {said}"):
            ask(launcher)


def test_of_mpi_each_process_gets_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, "mpi", (5, 8, 1))
    monkeypatch.setenv("LOCAL_RANK", "0")  # as train.py's --local-rank has it by default
    tell_mmengine("mpi")
    assert os.environ["LOCAL_RANK"] == "1"
