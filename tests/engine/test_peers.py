"""Which process of a distributed run has died."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from mmdet_mitosis.engine import peers
from mmdet_mitosis.engine.peers import Peer, _explain, _lives, naming_the_dead

GLOO = "[gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:1: Connection reset by peer"
HOST = socket.gethostname()


def ended() -> int:
    """Give the number of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def run_rank(rank: int, folder: str) -> None:
    """Two processes meet; the second dies, and the first needs it."""
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    try:
        with naming_the_dead():
            if rank == 1:
                os._exit(9)
            dist.all_reduce(torch.zeros(1))
    except ConnectionError as error:
        Path(folder, "said").write_text(str(error))


def test_survivor_names_the_dead(tmp_path: Path) -> None:
    spawned = torch.multiprocessing.spawn(run_rank, (str(tmp_path),), nprocs=2, join=False)
    for process in spawned.processes:
        process.join(60)
    said = (tmp_path / "said").read_text()
    assert re.fullmatch(r"rank 1 \(process \d+ on .*\) has ended, and rank 0 cannot .*", said)


def test_a_zombie_is_dead() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not _lives(pid)
    os.waitpid(pid, 0)
    assert not _lives(pid)
    assert _lives(os.getpid())


def test_all_that_are_gone_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PATIENCE_S", 0.2)
    own, near = Peer(0, HOST, os.getpid()), Peer(1, HOST, os.getppid())
    far = Peer(2, "elsewhere", 1)
    dead = [Peer(3, HOST, ended()), Peer(4, HOST, ended())]
    said = _explain(own, [own, near, far, *dead], GLOO)
    assert said.startswith(f"{dead[0]}, {dead[1]} have ended, and rank 0 cannot")
    assert _explain(own, [own, near, far], GLOO).startswith("a process on elsewhere has ended, or")
    assert _explain(own, [own, near], GLOO) is None
    assert said.endswith(f"what failed here: {GLOO}")
    for other in ("the size of tensor a must match", "Compile with TORCH_USE_CUDA_DSA"):
        assert _explain(own, [own, far, *dead], other) is None


def test_one_process_has_no_peers() -> None:
    with pytest.raises(RuntimeError, match="gloo"), naming_the_dead():
        raise RuntimeError(GLOO)
