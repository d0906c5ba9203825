"""The other processes of a distributed run, and which of them has died."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch.distributed as dist

from mmdet_mitosis.json_file import short

PATIENCE_S = 5.0
"""A connection breaks a moment before the system knows that the process at its end is gone."""
BROKEN = re.compile(r"gloo|nccl|\bmpi\b|connection (closed|reset) by peer", re.IGNORECASE)
"""What is said of a broken connection."""


@dataclass(frozen=True)
class Peer:
    """A process of the run."""

    rank: int
    host: str
    pid: int

    def __str__(self) -> str:
        return f"rank {self.rank} (process {self.pid} on {self.host})"


@contextmanager
def naming_the_dead() -> Iterator[None]:
    """Say which process of a distributed run has died, where another one's step fails by it.

    To be entered by all processes together, after they have met.

    Yields:
        Nothing.

    Raises:
        ConnectionError: If a step fails and another process is gone.
    """
    if not (dist.is_available() and dist.is_initialized()):
        yield
        return
    peers: list[Peer] = [None] * dist.get_world_size()
    own = Peer(dist.get_rank(), socket.gethostname(), os.getpid())
    dist.all_gather_object(peers, own)
    try:
        yield
    except RuntimeError as error:
        sentence = _explain(own, peers, str(error))
        if sentence is None:
            raise
        raise ConnectionError(sentence) from error


def _explain(own: Peer, peers: Sequence[Peer], error: str) -> str | None:
    """Say which processes are gone; None if that cannot be why the step failed."""
    if not BROKEN.search(error):
        return None
    here = [peer for peer in peers if peer.host == own.host and peer != own]
    until = time.monotonic() + PATIENCE_S
    while not (dead := [peer for peer in here if not _lives(peer.pid)]):
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    elsewhere = sorted({peer.host for peer in peers} - {own.host})
    if dead:
        who = f"{', '.join(map(str, dead))} {'has' if len(dead) == 1 else 'have'} ended"
    elif elsewhere:
        who = f"a process on {', '.join(elsewhere)} has ended, or cannot be reached"
    else:
        return None
    return (
        f"{who}, and rank {own.rank} cannot go on alone: start all again (train.py: --resume); "
        f"what failed here: {short(ValueError(error))}"
    )


def _lives(pid: int) -> bool:
    """Tell whether a process of this machine is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:  # no Linux, or just gone
        return True
    return state not in "ZX"
