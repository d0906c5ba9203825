"""Texts of others, made safe to write: into tables, Markdown and json; ``cli`` has the terminal.

Names of files, cases and scanners, and what checkpoints and json say, are anybody's: they can hold
a terminal's commands, formulas of a spreadsheet, or marks that turn the direction of reading.
"""

from __future__ import annotations

import json
import re
from typing import Any

from mmdet_mitosis.cli import CONTROL, encodable, printable

MARKDOWN = re.compile(r"[\\`*<>&|\[\]]")
WIDE = "\uff1d\uff0b\uff0d\uff20"  # = + - @ of East Asian scripts
FORMULA = re.compile(rf"(^|;)(?=[=+\-@\t\r\n{WIDE}])")


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


def markdown(text: str) -> str:
    """Make a text safe as part of a line of Markdown.

    Args:
        text: A name, or a sentence with names in it.

    Returns:
        The text, on one line; what could become HTML, a link, code or the end of a table's cell is
        escaped.
    """
    return MARKDOWN.sub(r"\\\g<0>", printable(text))


def json_line(value: Any) -> str:
    """Write json that can be shown on a terminal.

    Args:
        value: What json can hold.

    Returns:
        One line; control characters are escaped as json has it.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(f"{CONTROL.pattern}|[\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text)


def cell(text: str) -> str:
    """Make a text safe as a cell of a spreadsheet, and as a line of a terminal.

    Args:
        text: A name.

    Returns:
        The text, on one line: control characters are spelt out, and an apostrophe keeps what
        begins as a formula from being one, also where semicolons divide cells. Source: OWASP, "CSV
        Injection".
    """
    return printable(FORMULA.sub(r"\1'", encodable(text)))
