"""Reading the config that a checkpoint carries, without running it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmdet_mitosis.engine.harmless import check_harmless

MAX_CHARS = 2**19
"""Longest text that is read, six times that of the longest config of MMDetection's; Python's parser
takes some hundred bytes a character."""
MAX_SHOWN = 60


def config_of_checkpoint(checkpoint: dict, path: str | Path) -> Config:
    """Read the config that MMEngine has stored in a checkpoint.

    It is Python in form; nothing of it is run: only assignments of numbers, texts, lists and
    dictionaries are read, and what is to be built of them must be registered
    (:func:`~mmdet_mitosis.engine.harmless.check_harmless`).

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
        found = parse_assignments(text)
        check_harmless(found)
        return Config(found)
    except (ValueError, KeyError) as error:  # KeyError: a name that Config has for itself
        raise ValueError(
            f"the config in {path} cannot be read without running it ({error}): name it with "
            "--config, if you trust it"
        ) from error


def parse_assignments(text: str) -> dict[str, Any]:
    """Read Python that assigns literals to names.

    Args:
        text: Assignments of numbers, texts, ``None``, ``True``, ``False``, tuples, lists,
            dictionaries, ``dict(…)`` and ``dict({…})`` of them.

    Returns:
        The values by name.

    Raises:
        ValueError: If anything else is in it, with its line; if it is no Python, too long, or too
            deeply nested.
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"it has {len(text)} characters; expected at most {MAX_CHARS}")
    try:
        return _read(text)
    except (SyntaxError, TypeError) as error:  # TypeError: a list as a key
        raise ValueError(str(error)) from error
    except (RecursionError, MemoryError) as error:  # MemoryError: of the parser's own stack
        raise ValueError("it is too deeply nested") from error


def _read(text: str) -> dict[str, Any]:
    """Read the assignments, whatever Python's parser raises."""
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
    except ValueError:
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
        case ast.Call(func=ast.Name(id="dict"), args=[ast.Dict() as pairs], keywords=[]):
            return _value(pairs)  # so MMEngine writes one whose keys are no names
        case ast.Name(id="inf" | "nan"):
            return float(node.id)
    raise ValueError(f"line {node.lineno} holds {_named(node)}, which is no plain value")


def _named(node: ast.expr) -> str:
    """Name what is no literal, by its text if that is short."""
    lines = (node.end_lineno or node.lineno) - node.lineno
    width = (node.end_col_offset or 0) - node.col_offset
    return repr(ast.unparse(node)) if not lines and width <= MAX_SHOWN else type(node).__name__
