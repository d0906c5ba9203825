"""Settings on the command line."""

from __future__ import annotations

from typing import Any

from mmengine.config import DictAction


class ConfigOptions(DictAction):
    """``key=value`` as MMEngine's ``DictAction`` reads it, with the spaces of a single value.

    MMEngine takes them out, of ``work_dir="my runs"`` too. In a list, values lose them here too.
    """

    @staticmethod
    def _parse_iterable(val: str) -> Any:
        """Read a value: a number, a truth value, a text, or a list or tuple of them."""
        plain = val.strip("'\"")
        if "," in plain or plain.startswith(("(", "[")):
            return DictAction._parse_iterable(val)
        return DictAction._parse_int_float_bool(plain)
