"""Running a command on a disk that fills up, and looking at what it leaves."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import cv2
import torch

from data_prep import prepare
from mmdet_mitosis.cli import run_main
from mmdet_mitosis.engine.checkpoints import read_checkpoint
from tests.tools.commands import ROOT, load

FULL_BYTES = 320 * 2**20
"""Size of the disk that is filled."""
LONGEST_S = 600
"""A command that takes longer hangs, and is ended."""
TOOLS = ("train", "test", "infer", "mine_candidates", "report", "score", "compare", "join_stages")
MAINS = {"prepare": prepare.main} | {name: load(name).main for name in TOOLS}


@dataclass(frozen=True)
class Ended:
    """How a command ended: its status, and what it printed and said."""

    status: int
    said: str

    @property
    def sentence(self) -> str:
        """The last line, which is to be the only one that tells of the fault."""
        return self.said.strip().rpartition("\n")[2]


def run_forked(name: str, words: list, limit: Callable[[], None] | None = None) -> Ended:
    """Run a command in a child of this process, which has imported everything.

    Args:
        name: The command.
        words: Its words.
        limit: Called in the child before the command.

    Returns:
        How it ended.
    """
    said, says = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(said)
        _run(name, [str(word) for word in words], says, limit)
    os.close(says)
    with open(said, "rb") as pipe:  # noqa: PTH123 (a descriptor)
        text = pipe.read().decode(errors="replace")
    _, code = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(code), text)


def _run(name: str, words: list[str], says: int, limit: Callable[[], None] | None) -> NoReturn:
    """Be the child."""
    status = 70
    try:
        os.dup2(says, 1)
        os.dup2(says, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)
        os.chdir(ROOT)
        signal.alarm(LONGEST_S)
        # Threads of OpenMP stay behind in a fork, where they would be waited for.
        torch.set_num_threads(1)
        if limit:
            limit()
        run_main(lambda: MAINS[name](words), f"{name}.py")
    except SystemExit as error:
        status = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


@contextmanager
def small_disk(place: Path, size: int = FULL_BYTES) -> Iterator[Path]:
    """Mount a disk of some bytes in memory.

    Args:
        place: Where.
        size: Its size.

    Yields:
        The place.

    Raises:
        PermissionError: If nothing can be mounted here.
    """
    place.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        done = subprocess.run(words, capture_output=True, check=False).returncode
    except FileNotFoundError:
        done = 1
    if done:
        raise PermissionError("nothing can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Fill a disk.

    Args:
        disk: The disk.
        leave: Bytes that stay free, to the next page.

    Returns:
        The file that fills it.
    """
    filler = disk / "filler"
    status = os.statvfs(disk)
    with filler.open("wb") as file:
        file.write(b"\0" * max(0, status.f_bavail * status.f_frsize - leave))
    return filler


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond some bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(more: int) -> None:
    """Give this process so many MiB of addresses beside those that it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + more * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def drop_capabilities() -> None:
    """Take from this process what lets root write anywhere."""
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    if ctypes.CDLL(None, use_errno=True).capset(head, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")


def faults(folder: Path, before: dict[str, bytes], status: int) -> list[str]:
    """Find files under whole files' names that are not whole, and what is gone.

    Args:
        folder: What was written to.
        before: What was there, by name.
        status: How the command ended: one that succeeds may remove what it has replaced.

    Returns:
        A sentence for each.
    """
    found = [f"{name} is gone" for name in before if status and not (folder / name).is_file()]
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or not path.is_file():
            continue
        if before.get(name) != path.read_bytes() and not is_whole(path):
            found.append(f"{name} is not whole")
    return found


def is_whole(path: Path) -> bool:
    """Tell whether a file is what its suffix promises; logs may end anywhere."""
    data = path.read_bytes()
    if path.suffix == ".json" and path.parent.name != "vis_data" and path.stem[:2] != "20":
        try:
            json.loads(data)
        except ValueError:
            return False
    if path.suffix == ".geojson":
        return data.endswith(b"}\n")
    if path.suffix == ".pth":
        try:
            read_checkpoint(path)
        except ValueError:
            return False
    if path.suffix in (".png", ".jpg"):
        return cv2.imread(str(path)) is not None
    if path.suffix == ".html":
        return data.rstrip().endswith(b"</html>")
    return path.suffix != ".csv" or data.endswith(b"\n")


def snapshot(folder: Path) -> dict[str, bytes]:
    """Read what is in a folder, but for hidden files and logs.

    Args:
        folder: The folder.

    Returns:
        The files by their names.
    """
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder)
        hidden = any(part.startswith((".", "20")) for part in name.parts)
        if path.is_file() and not hidden:
            found[name.as_posix()] = path.read_bytes()
    return found


def restore(source: Path, target: Path) -> None:
    """Put a folder into the state of another one, links as they are."""
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
