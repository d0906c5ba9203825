"""Variables of a config, such as ``data_root``, on the command line.

A config is computed before ``--cfg-options`` are read: MMEngine would set the variable alone, and
change nothing of what the config has made with it.
"""

from __future__ import annotations

import inspect
from copy import deepcopy
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmdet_mitosis.json_file import shown

SETTINGS = {
    *inspect.signature(Runner.__init__).parameters,
    *("custom_imports", "model_wrapper_cfg", "find_unused_parameters", "sync_bn"),
    *("tta_model", "tta_pipeline", "mpp"),
}
"""What is read of a config; all else in it are variables."""


def set_variables(cfg: Config, options: dict[str, Any]) -> dict[str, Any]:
    """Set the variables of a config that are among the options, wherever it has used them.

    A folder, a text that ends in a slash, is replaced where paths begin with it or it is the last
    folder in them (``data_root``, ``annotations``); a dictionary or a list, wherever the config has
    an equal one (``stain``, ``test_pipeline``).

    Args:
        cfg: The config; changed in place.
        options: Dotted names to values.

    Returns:
        The options that are left: those of what is read.

    Raises:
        ValueError: If the config has no such variable, or it cannot be told where it was used.
        KeyError, IndexError, TypeError: If a dotted name leads nowhere in a variable.
    """
    left, variables = {}, {}
    for name, value in options.items():
        head, _, rest = name.partition(".")
        if head in SETTINGS:
            left[name] = value
        elif head not in cfg:
            raise ValueError(f"there is no {head!r} in the config, and nothing reads it")
        else:
            variables.setdefault(head, {})[rest] = value
    for name, changes in variables.items():
        _set(cfg, name, changes)
    return left


def _set(cfg: Config, name: str, changes: dict[str, Any]) -> None:
    """Set one variable: the whole, or parts of it by their dotted names."""
    old = deepcopy(cfg[name])
    if not isinstance(old, dict | list | str) or not old:
        raise ValueError(
            f"{name}={shown(old)} is a variable of the config, which has been computed with it: "
            "set what is read, such as train_dataloader.batch_size, or write a child of the config"
        )
    new = Config({name: deepcopy(old)})
    new.merge_from_dict({f"{name}.{part}" if part else name: to for part, to in changes.items()})
    if isinstance(old, str):
        if not old.endswith("/"):
            raise ValueError(f"{name}={shown(old)} is a variable of the config and no folder")
        new[name] = f"{str(new[name]).rstrip('/')}/"
    if not isinstance(new[name], type(old)):
        raise ValueError(
            f"{name} is {shown(new[name])}; expected a {type(old).__name__}, as the config has it"
        )
    n_uses = 0

    def follow(value: Any) -> Any:
        nonlocal n_uses
        if type(value) is type(old) and value == old:
            n_uses += 1
            return deepcopy(new[name])
        if isinstance(value, str) and isinstance(old, str):
            changed = _replace_in_path(value, old, new[name])
            n_uses += changed != value
            return changed
        if isinstance(value, dict):
            for key in value:
                value[key] = follow(value[key])
        elif isinstance(value, list):
            value[:] = map(follow, value)
        elif isinstance(value, tuple):
            return tuple(map(follow, value))
        return value

    for key in list(cfg):
        if key != name:
            cfg[key] = follow(cfg[key])
    if not n_uses:
        raise ValueError(f"{name}={shown(old)} is a variable that the config has not used as it is")
    cfg[name] = new[name]


def _replace_in_path(path: str, old: str, new: str) -> str:
    """Replace a folder in a path: at its beginning, or the last one before the file's name."""
    if path.startswith(old):
        return new + path[len(old) :]
    before, found, after = path.rpartition(f"/{old}")
    return f"{before}/{new}{after}" if found and "/" not in after else path
