"""Names that other packages give to weights, in timm's words."""

from __future__ import annotations

import re
from collections.abc import Iterable

BLOCK = re.compile(r"(?:^|(?<=\.))_blocks\.(\d+)\._(\w+?)\.(\w+)$")
TOP = re.compile(r"(?:^|(?<=\.))_(conv_stem|bn0|conv_head|bn1|fc)\.(\w+)$")
TIMM_BLOCK = re.compile(r"blocks\.(\d+)\.(\d+)\.")
TOP_NAMES = {"bn0": "bn1", "bn1": "bn2", "fc": "classifier"}
LAYERS = {
    "expand_conv": "conv_pw",
    "bn0": "bn1",
    "depthwise_conv": "conv_dw",
    "bn1": "bn2",
    "se_reduce": "se.conv_reduce",
    "se_expand": "se.conv_expand",
    "project_conv": "conv_pwl",
    "bn2": "bn3",
}
"""Of a block that expands."""
LAYERS_UNEXPANDED = LAYERS | {"bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}


def timm_names(given: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    """Tell timm's names for the weights of EfficientNet-PyTorch and EfficientNet-Lite-PyTorch.

    Those packages count all blocks in a row (``_blocks.5._project_conv``), timm by stages
    (``blocks.3.0.conv_pwl``); how many blocks a stage has is taken from the model. Source:
    https://github.com/lukemelas/EfficientNet-PyTorch.

    Args:
        given: Names in a file.
        wanted: Names in the model that is to be filled, in its order.

    Returns:
        The new name for each of ``given`` that has another in timm. Blocks that the model has
        not keep theirs.
    """
    given = list(given)
    blocks = {found[0]: None for name in wanted if (found := TIMM_BLOCK.search(name))}
    places = sorted(blocks, key=lambda place: tuple(map(int, place.split(".")[1:3])))
    expanding = {
        found[1] for name in given if (found := BLOCK.search(name)) and found[2] == "expand_conv"
    }
    renamed = {}
    for name in given:
        if found := BLOCK.search(name):
            number, layer, part = found.groups()
            layers = LAYERS if number in expanding else LAYERS_UNEXPANDED
            if int(number) < len(places) and layer in layers:
                renamed[name] = (
                    f"{name[: found.start()]}{places[int(number)]}{layers[layer]}.{part}"
                )
        elif found := TOP.search(name):
            layer, part = found.groups()
            renamed[name] = f"{name[: found.start()]}{TOP_NAMES.get(layer, layer)}.{part}"
    return renamed
