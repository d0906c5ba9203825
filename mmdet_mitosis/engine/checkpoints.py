"""Reading checkpoints, and telling early that one is of another model."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from mmdet_mitosis import compat
from mmdet_mitosis.fileio import write_bytes_atomic
from mmdet_mitosis.json_file import shown

SAFETENSORS = (
    "{path} is a file of safetensors, which MMEngine does not read: write it anew with "
    "torch.save(safetensors.torch.load_file({path!r}), FILE)"
)


def find_checkpoint(path: str | Path) -> Path:
    """Take a checkpoint by its file, or the best one of a work folder.

    Args:
        path: A ``.pth`` file, or a folder with one ``best_*.pth``.

    Returns:
        The file.

    Raises:
        FileNotFoundError: If there is no such file, or no ``best_*.pth`` in the folder.
        ValueError: If the folder has several.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.is_file():
            raise FileNotFoundError(f"no such checkpoint: {path}")
        return path
    found = sorted(path.glob("best_*.pth"))
    if not found:
        raise FileNotFoundError(f"no best_*.pth in {path}: has it been trained and validated?")
    if len(found) > 1:
        raise ValueError(f"{path} has {len(found)} best_*.pth; name one: {found[0].name}, …")
    return found[0]


def read_weights(path: str | Path) -> Any:
    """Read a file of torch on the CPU, safely where this torch can (else saying that it cannot).

    Args:
        path: The ``.pth`` file.

    Returns:
        Its contents.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it cannot be read, or holds what cannot be loaded safely.
    """
    compat.warn_if_unsafe()
    if Path(path).suffix == ".safetensors":
        raise ValueError(SAFETENSORS.format(path=str(path)))
    with Path(path).open("rb") as file:
        try:
            _check_sums(file)
            return torch.load(file, map_location="cpu", weights_only=compat.loads_safely())
        # What is cut short or no pickle at all can raise any error on its way.
        except Exception as error:
            raise ValueError(f"cannot read {path} as a checkpoint: {_reason(error)}") from error


def _check_sums(file: BinaryIO) -> None:
    """Refuse a file whose bytes are not those that were written; torch looks at no checksum.

    One of torch before 1.6 has none.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"its part {damaged} is damaged: its checksum is another")
    file.seek(0)


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint that MMEngine wrote, as :func:`read_weights`.

    Args:
        path: The ``.pth`` file.

    Returns:
        Its contents; ``state_dict`` among them.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is no checkpoint, or holds what cannot be loaded safely.
    """
    checkpoint = read_weights(path)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        raise ValueError(f"{path} is no MMEngine checkpoint: it has no 'state_dict'")
    check_tensors(checkpoint["state_dict"], path)
    meta = checkpoint.get("meta", {})
    if not isinstance(meta, dict):
        raise ValueError(f"the meta of {path} is {shown(meta)}; expected a dictionary")
    return checkpoint


def check_tensors(state_dict: Any, source: str | Path) -> None:
    """Refuse weights that are no tensors by name, or that no model can have.

    Args:
        state_dict: The weights.
        source: Where they are from, for the message.

    Raises:
        ValueError: If they are none, or one is not finite, complex, or sparse; names it.
    """
    if not isinstance(state_dict, Mapping):
        raise ValueError(f"the weights of {source} are {shown(state_dict)}; expected names")
    for name, value in state_dict.items():
        if not isinstance(name, str):
            raise ValueError(f"{source} has a weight of the name {shown(name)}; expected a text")
        if not torch.is_tensor(value):
            raise ValueError(f"the weight {shown(name)} of {source} is no tensor: {shown(value)}")
        if value.layout != torch.strided or value.is_complex() or value.is_quantized:
            kind = f"{value.dtype}, {value.layout}".replace("torch.", "")
            raise ValueError(
                f"the weight {shown(name)} of {source} is of {kind}; expected plain numbers"
            )
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise ValueError(
                f"the weight {shown(name)} of {source} is not finite: its training diverged, or "
                "the file is damaged"
            )


def write_checkpoint(path: str | Path, checkpoint: dict) -> None:
    """Write a checkpoint.

    Args:
        path: File to write; it appears whole or not at all.
        checkpoint: Its contents.
    """
    file = io.BytesIO()
    torch.save(checkpoint, file)
    write_bytes_atomic(path, file.getvalue())


def _reason(error: Exception) -> str:
    """Say in one line why torch did not load a file, without its advice to load it unsafely."""
    text = str(error)
    held = re.search(r"GLOBAL (\S+)", text)
    if held:
        return f"it holds {held[1]}, which could run code and so is not loaded"
    if type(error) is ValueError:
        return " ".join(text.split())
    if isinstance(error, pickle.UnpicklingError):
        # torch's reason is the last line before it points to its documentation.
        text = text.partition("Check the documentation")[0].strip().rpartition("\n")[2]
    told = text.partition("\n")[0].partition(". ")[0]
    return f"it is cut short, or none at all ({type(error).__name__}: {told})"


def check_weights(
    model: torch.nn.Module, state_dict: Mapping[str, torch.Tensor], source: str | Path
) -> None:
    """Refuse weights of another model.

    Args:
        model: The model.
        state_dict: The weights; parameters that the model does not have are no matter.
        source: Where they are from, for the message.

    Raises:
        ValueError: If a parameter of the model is missing in them or of another shape.
    """
    given = {name.removeprefix("module."): value for name, value in state_dict.items()}
    wanted = model.state_dict()
    wrong = [
        name
        for name, value in wanted.items()
        if name not in given or given[name].shape != value.shape
    ]
    if wrong:
        raise ValueError(
            f"{source} is of another model: {len(wrong)} of {len(wanted)} parameters of this "
            f"config's {type(model).__name__} are missing in it or of another shape, "
            f"{wrong[0]} first"
        )
