"""Reading settings from a config's text, without running it."""

from __future__ import annotations

import ast


def settings_of(text: str, name: str) -> dict[str, object]:
    """Read the plain values of a top-level ``name = dict(key=value, …)``.

    A config that MMEngine has dumped is of that form throughout.

    Args:
        text: The config.
        name: The setting.

    Returns:
        Its keys whose values are constants; none where the setting is not there or of another
        form, or the text is no Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    for node in tree.body:
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)):
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
            return {
                word.arg: word.value.value
                for word in node.value.keywords
                if word.arg and isinstance(word.value, ast.Constant)
            }
    return {}
