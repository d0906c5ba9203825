"""Targets from files: an image, a fit, or a saved normaliser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mmdet_mitosis.datasets.fields import decode_field
from mmdet_mitosis.json_file import parse_json, short
from mmdet_mitosis.stain.base import StainNormalizer


def set_target(normalizer: StainNormalizer, path: str | Path) -> None:
    """Take a normaliser's target from a file.

    Args:
        normalizer: Gets it.
        path: An image, or a json of a fit's ``to_dict`` or of ``StainNormalizer.save``, of which
            only the target is taken.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it shows too little tissue, or is neither image nor fit of this method.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such stain target: {path}")
    try:
        if path.suffix.lower() == ".json":
            data = parse_json(path.read_bytes())
            if isinstance(data, Mapping) and "target" in data:
                data = type(normalizer).from_dict(data).target.to_dict()
            normalizer.target = normalizer.fit_type.from_dict(data)
        else:
            normalizer.fit(decode_field(path))
    except ValueError as error:
        raise ValueError(f"stain target {path}: {short(error)}") from error
