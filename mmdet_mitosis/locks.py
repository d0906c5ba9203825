"""One command at a time in a folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
from collections.abc import Iterator
from pathlib import Path

from mmdet_mitosis.fileio import check_writable

NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)
_HELD: set[io.IOBase] = set()


def _let_go() -> None:
    """Close, in a process that was forked, the locks of its parent, which would outlive it."""
    for lock in _HELD:
        lock.close()
    _HELD.clear()


os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def locked(folder: str | Path, command: str) -> Iterator[None]:
    """Keep other runs of a command out of a folder, which is made where it is missing.

    The lock is the system's, on a file: it ends with the process, however that ends. A file system
    that has no locks keeps nobody out.

    Args:
        folder: The folder.
        command: Name of the command, as ``train``; that of the file is ``.train.lock``.

    Yields:
        Nothing; afterwards the lock is gone, and so are folders that were made and stayed empty.

    Raises:
        OSError: If another run is writing there, or the folder cannot be made.
    """
    folder = Path(folder)
    check_writable(folder)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    place = folder / f".{command}.lock"
    lock = _lock(place, command)
    _HELD.add(lock)
    try:
        yield
    finally:
        _HELD.discard(lock)
        place.unlink(missing_ok=True)
        lock.close()
        for path in missing:
            with contextlib.suppress(OSError):  # something is in it
                path.rmdir()


def open_lock(place: Path) -> io.IOBase:
    """Open a lock file, which is made where it is missing, and not what a link leads to.

    Args:
        place: The file.

    Returns:
        The file, open to be locked.

    Raises:
        OSError: If it cannot be opened, or is a link.
    """
    return os.fdopen(os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666), "r+b")


def _lock(place: Path, command: str) -> io.IOBase:
    """Lock the file, the one that is there and not one that was just removed."""
    while True:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = open_lock(place)
        except FileNotFoundError:  # the run before has removed the folder
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise BlockingIOError(
                f"another {command}.py is writing to {place.parent}: wait for it, or take another "
                "folder"
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        if _is_there(lock, place):
            return lock
        lock.close()


def _is_there(file: io.IOBase, path: Path) -> bool:
    """Tell whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
