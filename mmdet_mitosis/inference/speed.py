"""How a network is run: in which precision and layout, compiled or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

COMPILED = ("backbone", "neck")
"""Parts that are compiled: they see the same shapes in every batch, heads do not."""
LOWERED = (*COMPILED, "encoder", "decoder")
"""Parts in mixed precision, beside all heads."""


@dataclass(frozen=True)
class Speed:
    """What makes a network faster and changes what it finds by little more than rounding.

    Attributes:
        amp: Compute in mixed precision: float16 on a GPU, bfloat16 on the CPU. What the parts of
            the network give is taken back to float32, and boxes are made of it in that: in
            bfloat16 they would lie on a grid of 2 px.
        channels_last: Store the channels of a pixel side by side.
        compiled: Compile backbone and neck by ``torch.compile``; this takes a minute or more, and
            on the CPU a C++ compiler.
    """

    amp: bool = False
    channels_last: bool = False
    compiled: bool = False

    def apply(self, model: nn.Module, device: str) -> None:
        """Make a network ready, in place.

        Args:
            model: The network.
            device: Where it is.

        Raises:
            ValueError: If it has no part that can be compiled, or computed in mixed precision.
        """
        if self.channels_last:
            model.to(memory_format=torch.channels_last)
        if self.amp:
            for part in _parts(model, lambda name: name in LOWERED or name.endswith("head")):
                _lower(part, device)
        if self.compiled:
            for part in _parts(model, lambda name: name in COMPILED):
                part.compile()

    def precision(self, device: str) -> str:
        """Name the precision that a network is run in.

        Args:
            device: Where it is.

        Returns:
            ``float32``, or the lower one of the mixture.
        """
        dtype = _lower_dtype(device) if self.amp else torch.float32
        return str(dtype).removeprefix("torch.")


def _parts(model: nn.Module, is_meant: Callable[[str], bool]) -> list[nn.Module]:
    """Find the parts of a network by their names; of a list of modules, each of them."""
    found = [m for name, m in model.named_modules() if is_meant(name.rpartition(".")[2])]
    if not found:
        raise ValueError(
            f"{type(model).__name__} has no backbone, neck or head that could be run faster"
        )
    return [one for m in found for one in (m if isinstance(m, nn.ModuleList) else (m,))]


def _lower(part: nn.Module, device: str) -> None:
    """Have a part of a network compute in mixed precision, and give float32."""
    forward, kind, dtype = part.forward, torch.device(device).type, _lower_dtype(device)

    def lowered(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(kind, dtype):
            return _raised(forward(*args, **kwargs))

    part.forward = lowered


def _lower_dtype(device: str) -> torch.dtype:
    """Give the lower precision on a device: CPUs compute in bfloat16, not in float16."""
    return torch.bfloat16 if torch.device(device).type == "cpu" else torch.float16


def _raised(value: Any) -> Any:
    """Give tensors of floats, alone or in tuples, lists and dictionaries, as float32."""
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _raised(one) for key, one in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_raised(one) for one in value)
    return value
