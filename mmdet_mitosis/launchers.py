"""Which process of a launcher this one is, before the processes have met."""

from __future__ import annotations

import os
from typing import NamedTuple

VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "mpi": (
        "OMPI_COMM_WORLD_RANK",
        "OMPI_COMM_WORLD_SIZE",
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ),
}
"""What launchers tell a process: its rank, the number of processes, its number on the machine."""
COMMANDS = {"pytorch": "torchrun", "slurm": "srun", "mpi": "Open MPI's mpirun"}


class Process(NamedTuple):
    """A process of a run.

    Attributes:
        rank: Its number.
        world_size: Number of processes.
        local_rank: Its number on its machine.
    """

    rank: int
    world_size: int
    local_rank: int


def process_of_launcher(launcher: str) -> Process:
    """Tell which of the processes of a launcher this one is.

    Args:
        launcher: ``none``, ``pytorch`` (torchrun), ``slurm`` or ``mpi``.

    Returns:
        The process; without a launcher it is the only one, whatever started it.

    Raises:
        ValueError: If it was not started by that launcher.
    """
    if launcher == "none":
        return Process(0, 1, 0)
    try:
        return Process(*(int(os.environ[name]) for name in VARIABLES[launcher]))
    except KeyError as error:
        raise ValueError(
            f"--launcher {launcher}: {error} is not set; start with {COMMANDS[launcher]}"
        ) from error


def tell_mmengine(launcher: str) -> None:
    """Set what MMEngine reads of the environment and takes for granted.

    It picks a process's GPU by ``LOCAL_RANK``, which mpirun does not set.

    Args:
        launcher: As :func:`process_of_launcher`.

    Raises:
        ValueError: As :func:`process_of_launcher`.
    """
    process = process_of_launcher(launcher)
    if launcher == "mpi":
        os.environ["LOCAL_RANK"] = str(process.local_rank)
