"""Two and four processes: the metric of one, and what is left when one of them is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.engine.launch import latest_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY
from tests.tools.commands import CONFIG, ROOT, options, run, succeed

CASES = ("01", "02", "21", "27", "30", "32", "36")
N_ITERS = 24
WITHIN_S = 60


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared fields of 256 px, four of them for the test."""
    root = tmp_path_factory.mktemp("distributed")
    size = ("--size", 256, "--fields-per-case", 1)
    succeed("data_prep/synthesize.py", "--out", root / "archive", *size, "--cases", *CASES)
    succeed("data_prep/prepare.py", "tupac16", root / "archive", "--out", root / "data")
    return root / "data"


def training(data: Path, work: Path) -> list:
    """Give the words of a training with a checkpoint every four iterations."""
    return [
        *(ROOT / "tools/train.py", CONFIG, "--work-dir", work, "--resume", "--cfg-options"),
        *(*options(data), f"train_cfg.max_iters={N_ITERS}", f"train_cfg.val_interval={N_ITERS}"),
        *("default_hooks.checkpoint.interval=4", "train_dataloader.batch_size=1"),
    ]


@pytest.fixture(scope="module")
def work(data: Path) -> Path:
    """Work folder of a training by one process."""
    succeed(*training(data, data.parent / "work"))
    return data.parent / "work"


def torchrun(n: int) -> tuple:
    return ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", n)


def launched(words: list) -> list:
    """Put the launcher behind a command and its config."""
    return [*words[:2], "--launcher", "pytorch", *words[2:]]


@pytest.mark.parametrize("n", [2, 4])
def test_testing_is_that_of_one_process(n: int, data: Path, work: Path, tmp_path: Path) -> None:
    words = [ROOT / "tools/test.py", CONFIG, work]
    settings = ["--cfg-options", *options(data)]
    succeed(*words, "--work-dir", tmp_path / "alone", *settings)
    together = [*words, "--work-dir", tmp_path / "together", *settings]
    succeed(*torchrun(n), *launched(together))
    # Windows lie in other batches, whose last digits differ; no figure of the test may.
    alone, together = (
        json.loads((tmp_path / way / "test_scores.json").read_text())
        for way in ("alone", "together")
    )
    figures = (
        "tp",
        "fp",
        "fn",
        "f_score",
        "interval",
        "ap",
        "oracle_f_score",
        "by_method",
        "cases",
    )
    assert {key: alone[key] for key in figures} == {key: together[key] for key in figures}
    print(f"\ntest.py by {n} processes: the figures of one, F {alone['f_score']}")


@pytest.mark.parametrize("n", [2, 4])
def test_inference_is_that_of_one_process(n: int, data: Path, work: Path, tmp_path: Path) -> None:
    images = sorted((data.parent / "archive").glob("**/*.tif"))
    words = ["tools/infer.py", *images, "--checkpoint", find_checkpoint(work), "--mpp", 0.25]
    words += ["--threshold", 0.0, "--hotspot-mm2", 0.001]
    succeed(*words, "--out", tmp_path / "alone")
    succeed(*torchrun(n), *words, "--out", tmp_path / "together", "--launcher", "pytorch")
    files = sorted(p.relative_to(tmp_path / "alone") for p in tmp_path.glob("alone/*/*.csv"))
    assert len(files) == len(images)
    for file in files:
        alone, together = ((tmp_path / way / file).read_bytes() for way in ("alone", "together"))
        assert alone == together
    print(f"\ninfer.py by {n} processes, {len(files)} fields: the bytes of one")


def start(n: int, words: list, log: Path, port: int) -> list[subprocess.Popen]:
    """Start the processes of a run by hand, as srun does, so that no launcher ends them."""
    env = {**os.environ, "WORLD_SIZE": str(n), "MASTER_ADDR": "127.0.0.1"}
    env |= {"MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    started = []
    for rank in range(n):
        with (log / f"{rank}.log").open("w") as file:
            process = subprocess.Popen(
                [sys.executable, *map(str, words)],
                cwd=ROOT,
                env={**env, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
    return started


@pytest.mark.parametrize(("n", "killed"), [(2, 1), (2, 0), (4, 3), (4, 0)])
def test_others_end_when_one_is_killed(n: int, killed: int, data: Path, tmp_path: Path) -> None:
    words = launched(training(data, tmp_path / "work"))
    processes = start(n, words, tmp_path, 29500 + os.getpid() % 400 + 10 * n + killed)
    while latest_checkpoint(tmp_path / "work") is None:
        assert all(process.poll() is None for process in processes), tmp_path
        time.sleep(0.2)
    os.kill(processes[killed].pid, signal.SIGKILL)
    begin = time.monotonic()
    others = [process for rank, process in enumerate(processes) if rank != killed]
    for process in others:
        process.wait(WITHIN_S)
    seconds = time.monotonic() - begin
    said = [(tmp_path / f"{rank}.log").read_text() for rank in range(n) if rank != killed]
    assert all("Traceback" not in text for text in said)
    assert any(re.search(rf"error: .*rank {killed} \(process", text) for text in said)
    done = run(*torchrun(n), *words, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert KEY in read_checkpoint(find_checkpoint(tmp_path / "work"))
    assert latest_checkpoint(tmp_path / "work").name == f"iter_{N_ITERS}.pth"
    print(
        f"\nrank {killed} of {n} killed: the others ended in {seconds:.1f} s; restarted, complete"
    )
