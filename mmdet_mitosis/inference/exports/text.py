"""Names of others, made safe to write."""

from __future__ import annotations

import re
from typing import Any

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
WIDE = "\uff1d\uff0b\uff0d\uff20"  # = + - @ of East Asian scripts
FORMULA = re.compile(rf"(^|;)(?=[=+\-@\t\r\n{WIDE}])")


def encodable(text: str) -> str:
    """Spell out what UTF-8 cannot hold.

    Args:
        text: A name; that of a file may hold bytes that are no UTF-8, as lone surrogates.

    Returns:
        The text with these as ``\\udcff``.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def encodable_values(value: Any) -> Any:
    """Spell out what UTF-8 cannot hold, in all texts of a value.

    Args:
        value: What json can hold.

    Returns:
        The value with its texts as :func:`encodable` gives them.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {encodable(key): encodable_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable_values(item) for item in value]
    return value


def cell(text: str) -> str:
    """Make a text safe as a cell of a spreadsheet, and as a line of a terminal.

    Args:
        text: A name.

    Returns:
        The text, on one line: control characters are spelt out, and an apostrophe keeps what
        begins as a formula from being one, also where semicolons divide cells. Source: OWASP, "CSV
        Injection".
    """
    guarded = FORMULA.sub(r"\1'", encodable(text))
    return CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), guarded)
