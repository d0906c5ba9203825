"""Weights to start from: where their names belong in a model, and what of it they fill."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmdet_mitosis.engine.checkpoints import check_tensors
from mmdet_mitosis.engine.weight_names import timm_names

BACKBONE = "backbone"
OWN_PREFIXES = ("", f"{BACKBONE}.", f"{BACKBONE}.model.")
"""Behind which a model has the names of a bare backbone; the last is a ``TimmBackbone``'s."""
MIN_BACKBONE = 0.8
"""Share of a model's backbone that weights must fill: a ResNet-50 fills 0.77 of a ResNet-18."""
MIN_FRACTION = 0.5
"""Share of a model without a backbone that weights must fill."""
MAX_NAMED = 6
"""Most tensors that a report names in a line."""
COUNTERS = "num_batches_tracked"
"""Buffers of batch normalisation that older weights lack and that change nothing."""
SIZE_MISMATCH = re.compile(r"size mismatch for (\S+): .*?(\[[\d, ]*\]).*?(\[[\d, ]*\])", re.DOTALL)
"""How torch words a tensor of another shape: its name, the shape given and the one wanted."""


@dataclass(frozen=True)
class WeightReport:
    """What weights filled of a model.

    Attributes:
        source: Where they are from.
        model: Name of the model's class.
        wanted: Tensors of the model, by group: ``backbone``, ``neck``, ``roi_head.bbox_head``, ….
        loaded: Those of them that were filled, by group.
        prefixes: Names under the first, in the file, were taken for names under the second.
        not_loaded: Names in the model that were not filled.
        other_shape: Of these the ones that are in the file, with both shapes.
        unused: Names in the file that the model has no place for.
    """

    source: str
    model: str
    wanted: Counter[str]
    loaded: Counter[str]
    prefixes: tuple[str, str] = ("", "")
    not_loaded: list[str] = field(default_factory=list)
    other_shape: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Refuse weights of another model.

        Raises:
            ValueError: If they fill too little of the backbone, or of a model without one.
        """
        if BACKBONE in self.wanted:
            part, least = BACKBONE, MIN_BACKBONE
            loaded, wanted = self.loaded[BACKBONE], self.wanted[BACKBONE]
        else:
            part, least = self.model, MIN_FRACTION
            loaded, wanted = self.loaded.total(), self.wanted.total()
        if loaded < least * wanted:
            raise ValueError(
                f"{self.source} is of another model: {wanted - loaded} of {wanted} parameters of "
                f"this config's {part} are missing in it or of another shape, "
                f"{self.not_loaded[0]} first"
            )

    def __str__(self) -> str:
        parts = (f"{group} {self.loaded[group]} of {n}" for group, n in self.wanted.items())
        lines = [
            f"{self.source}: {self.loaded.total()} of {self.wanted.total()} tensors loaded"
            f"{_described(*self.prefixes)}: {', '.join(parts)}"
        ]
        if self.other_shape:
            lines.append(f"  of another shape, not loaded: {_some(self.other_shape)}")
        if self.unused:
            lines.append(f"  in the file alone: {_some(self.unused)}")
        return "\n".join(lines)


def find_weights(content: Any, source: str | Path) -> Mapping[str, Tensor]:
    """Take the weights out of what a file of torch holds.

    Args:
        content: A checkpoint with ``state_dict`` (MMEngine, mmcv 1, timm's training) or ``model``
            (torchvision's training), or the weights themselves (torchvision's and timm's files).
        source: Where it is from, for the message.

    Returns:
        Tensors by name, with torch's metadata where they have it.

    Raises:
        ValueError: If there are none, or one has no text for its name or is not finite.
    """
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(map(torch.is_tensor, content.values())):
        raise ValueError(f"{source} holds no weights: no tensors by name")
    check_tensors({n: v for n, v in content.items() if torch.is_tensor(v)}, source)
    return content


def load_weights(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    source: str | Path,
    group: str | None = None,
    rename: bool = True,
) -> WeightReport:
    """Fill of a model what weights fit.

    Names are taken as the model has them, or as it has them under ``backbone.``, behind whatever
    prefix of theirs makes most of them fit; MMDetection's own conversions of older names apply, and
    EfficientNet-PyTorch's names are taken for timm's.

    Args:
        model: The model; changed in place.
        weights: Tensors by name.
        source: Where they are from, for the report.
        group: One group for all of the model; by default one for each of its parts.
        rename: Whether prefixes are looked for.

    Returns:
        What was filled, and what was not.
    """
    wanted = {n: v for n, v in model.state_dict().items() if not n.endswith(COUNTERS)}
    tensors = {name: value for name, value in weights.items() if torch.is_tensor(value)}
    prefixes = ("", "")
    if rename:
        others = timm_names(tensors, wanted)
        tensors = {others.get(name, name): value for name, value in tensors.items()}
        prefixes = choose_prefixes(wanted, tensors)
    given, own = prefixes
    renamed = {own + n.removeprefix(given): v for n, v in tensors.items() if n.startswith(given)}
    metadata = getattr(weights, "_metadata", {}) if given == own else {}
    missing, unexpected, errors = _fill(model, renamed, metadata)
    other_shape = [found for error in errors if (found := SIZE_MISMATCH.search(error))]
    not_loaded = {*missing, *(found[1] for found in other_shape)}
    outside = [name for name in tensors if not name.startswith(given)]
    return WeightReport(
        source=str(source),
        model=type(model).__name__,
        wanted=Counter(group or group_of(name) for name in wanted),
        loaded=Counter(group or group_of(name) for name in wanted if name not in not_loaded),
        prefixes=prefixes,
        not_loaded=[name for name in wanted if name in not_loaded],
        other_shape=[f"{found[1]} {found[2]}, here {found[3]}" for found in other_shape],
        unused=[*(given + name.removeprefix(own) for name in unexpected), *outside],
    )


def choose_prefixes(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> tuple[str, str]:
    """Find the prefix behind which weights fit a model, and the one of the model that they fit.

    Args:
        wanted: Tensors of the model by name.
        given: Tensors of the weights by name.

    Returns:
        A prefix of the weights, such as ``""`` or ``module.``, and one of the model, of
        ``OWN_PREFIXES``. Of those with most names and shapes in common the shortest.
    """
    hits: Counter[tuple[str, str]] = Counter({("", ""): 0})
    for name, value in given.items():
        starts = [0, *(dot.end() for dot in re.finditer(r"\.", name))]
        for start in starts:
            for own in OWN_PREFIXES:
                place = wanted.get(own + name[start:])
                if place is not None and place.shape == value.shape:
                    hits[name[:start], own] += 1
    return max(hits, key=lambda pair: (hits[pair], -len(pair[0]) - len(pair[1])))


def group_of(name: str) -> str:
    """Tell the part of a detector that a tensor is of.

    Args:
        name: As ``roi_head.bbox_head.fc_cls.weight``.

    Returns:
        As ``backbone``; of a RoI head also which head: ``roi_head.bbox_head``.
    """
    first, *rest = name.split(".")
    return f"{first}.{rest[0]}" if first == "roi_head" and len(rest) > 1 else first


def _fill(
    model: nn.Module, weights: dict[str, Tensor], metadata: Mapping[str, Any]
) -> tuple[list[str], list[str], list[str]]:
    """Load weights as torch does, to the end also where shapes differ.

    ``Module.load_state_dict`` tells of missing names or of wrong shapes, not of both.
    """
    missing: list[str] = []
    unexpected: list[str] = []
    errors: list[str] = []

    def load(module: nn.Module, own: dict[str, Tensor], prefix: str) -> None:
        version = metadata.get(prefix[:-1], {})
        module._load_from_state_dict(own, prefix, version, True, missing, unexpected, errors)
        for name, child in module.named_children():
            start = f"{prefix}{name}."
            load(child, {n: v for n, v in own.items() if n.startswith(start)}, start)

    load(model, dict(weights), "")
    return missing, unexpected, errors


def _described(given: str, own: str) -> str:
    """Say in brackets what was done to the names."""
    if given == own:
        return ""
    if not own:
        return f" (names without {given})"
    return f" (names under {own} instead of {given})" if given else f" (names under {own})"


def _some(names: Iterable[str]) -> str:
    """List the first of some names."""
    names = list(names)
    more = f", and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
