"""Checkpoints that appear whole or not at all, however a training run ends."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmdet_mitosis.fileio import write_bytes_atomic


@register_backend("local", force=True, prefixes="")
class AtomicLocalBackend(LocalBackend):
    """The local disk as MMEngine writes to it, but beside each file's place first.

    MMEngine's own backend overwrites in place: a run that is killed while it saves leaves half a
    checkpoint under the name of a whole one.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes.

        Args:
            obj: The contents.
            filepath: File to write.

        Raises:
            OSError: If it cannot be written; an earlier file of that name stays as it was.
        """
        write_bytes_atomic(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write text.

        Args:
            obj: The text.
            filepath: File to write.
            encoding: Its encoding.

        Raises:
            OSError: As :meth:`put`.
        """
        write_bytes_atomic(filepath, obj.encode(encoding))
