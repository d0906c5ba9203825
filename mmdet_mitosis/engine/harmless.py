"""Refusing settings of a stranger that would run code when something is built of them.

MMEngine takes as ``type`` not only registered names but any that can be imported, such as
``os.system``; mmcv evaluates the name of its suppression; and what MMEngine writes of a config is
Python again, in which a key is not escaped.
"""

from __future__ import annotations

import builtins
import importlib.util
import re
from typing import Any

import mmcv.ops
import mmengine.registry
from mmengine.registry import Registry

EVALUATE = frozenset(
    {"CameraMotionCompensation", "KnowledgeDistillationSingleStageDetector", "RFSearchHook"}
)
"""Registered, and yet they evaluate a text or run a config that they are given."""
SCOPES = ("_scope_", "default_scope")
UNSAFE_KEY = re.compile(r"""['"\\\x00-\x1f]|\{\{""")

Names = dict[str, set[str]]
"""What is registered, by its scope."""


def check_harmless(value: Any) -> None:
    """Refuse what could run code.

    Args:
        value: Dictionaries, lists and plain values, as a config has them.

    Raises:
        ValueError: If a ``type`` is neither registered nor one of mmcv's operators, or evaluates
            what it is given; if a scope is not known; or if a key or text could become code when
            the config is written.
    """
    _check(value, _registered())


def _check(value: Any, known: Names) -> None:
    """Look at a value and all that is in it."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_key(key)
            if key == "type":
                _check_type(item, known)
            if key in SCOPES and item not in (None, *known):
                raise ValueError(f"{key} {item!r} is none of {', '.join(sorted(known))}")
            _check(item, known)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _check(item, known)
    elif isinstance(value, str) and "{{" in value:
        raise ValueError(f"{value[:60]!r} is a template, which is filled in when it is read")


def _check_key(key: Any) -> None:
    """Refuse a key that is not itself again when MMEngine writes it."""
    if isinstance(key, int | float | None) or (isinstance(key, str) and not UNSAFE_KEY.search(key)):
        return
    raise ValueError(f"{str(key)[:60]!r} is no plain name of a setting")


def _check_type(name: Any, known: Names) -> None:
    """Refuse a type that could be imported or evaluated instead of looked up."""
    scope, _, last = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    if scope:
        registered = last in known.get(scope, ())
    else:
        # What is nowhere is no harm: it is an error of the one who looks it up.
        registered = any(last in names for names in known.values()) or not _is_found(last)
    if not registered or not last.isidentifier() or last in EVALUATE:
        raise ValueError(f"the type {str(name)[:60]!r} is not registered, or could run code")


def _is_found(name: str) -> bool:
    """Tell whether a name is that of a module or a function of Python's."""
    if hasattr(mmcv.ops, name):
        return False
    return hasattr(builtins, name) or not name or importlib.util.find_spec(name) is not None


def _registered() -> Names:
    """List what is registered now."""
    found: Names = {}

    def walk(registry: Registry) -> None:
        registry.import_from_location()
        found.setdefault(registry.scope, set()).update(registry.module_dict)
        for child in registry.children.values():
            walk(child)

    for registry in vars(mmengine.registry).values():
        if isinstance(registry, Registry):
            walk(registry)
    return found
