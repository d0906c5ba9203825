"""Reading the config that a checkpoint carries, without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mmengine.config import Config


def config_of_checkpoint(checkpoint: dict, path: str | Path) -> Config:
    """Read the config that MMEngine has stored in a checkpoint.

    It is Python in form; nothing of it is run: only assignments of numbers, texts, lists and
    dictionaries are read.

    Args:
        checkpoint: What ``read_checkpoint`` gave.
        path: Where it is from, for the message.

    Returns:
        The config.

    Raises:
        ValueError: If there is none, or it holds anything else.
    """
    text = checkpoint.get("meta", {}).get("cfg")
    if not isinstance(text, str):
        raise ValueError(f"{path} carries no config: name it with --config")
    try:
        return Config(parse_assignments(text))
    except (ValueError, SyntaxError, RecursionError) as error:
        raise ValueError(
            f"the config in {path} cannot be read without running it ({error}): name it with "
            "--config, if you trust it"
        ) from error


def parse_assignments(text: str) -> dict[str, Any]:
    """Read Python that assigns literals to names.

    Args:
        text: Assignments of numbers, texts, ``None``, ``True``, ``False``, tuples, lists,
            dictionaries, and ``dict(…)`` of them.

    Returns:
        The values by name.

    Raises:
        ValueError: If anything else is in it, with its line.
        SyntaxError: If it is no Python.
    """
    found = {}
    for node in ast.parse(text).body:
        if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
            raise ValueError(f"line {node.lineno} assigns no value to a name")
        (target,) = node.targets
        if not isinstance(target, ast.Name):
            raise ValueError(f"line {node.lineno} assigns to something other than a name")
        found[target.id] = _value(node.value)
    return found


def settings_of(text: str, name: str) -> dict[str, Any]:
    """Read one dictionary of a config's text.

    Args:
        text: As :func:`parse_assignments`; MMEngine dumps configs in that form.
        name: The setting.

    Returns:
        The dictionary; an empty one where the setting is not there or none, or the text is of
        another form.
    """
    try:
        value = parse_assignments(text).get(name)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return value if isinstance(value, dict) else {}


def _value(node: ast.expr) -> Any:
    """Give the value of a literal."""
    match node:
        case ast.Constant():
            return node.value
        case ast.List():
            return [_value(item) for item in node.elts]
        case ast.Tuple():
            return tuple(_value(item) for item in node.elts)
        case ast.Set():
            return {_value(item) for item in node.elts}
        case ast.Dict() if None not in node.keys:
            return {_value(k): _value(v) for k, v in zip(node.keys, node.values, strict=True)}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Call(func=ast.Name(id="dict"), args=[]) if all(k.arg for k in node.keywords):
            return {k.arg: _value(k.value) for k in node.keywords}
        case ast.Name(id="inf" | "nan"):
            return float(node.id)
    raise ValueError(f"line {node.lineno} holds {ast.unparse(node)[:60]!r}")
