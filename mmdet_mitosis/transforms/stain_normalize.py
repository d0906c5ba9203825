"""Stain normalisation as a step of a pipeline."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.logging import print_log

from mmdet_mitosis.datasets.fields import read_field
from mmdet_mitosis.stain import MacenkoNormalizer, StainFit

METHODS = {"macenko": MacenkoNormalizer}


@TRANSFORMS.register_module()
class StainNormalize(BaseTransform):
    """Bring a window's stains to those of a target.

    The stains are estimated once a field, on the whole field, so that a window on a border of fat
    keeps its colours. A field with too little tissue stays as it is; that is logged once.

    Required Keys:

    - img (np.uint8, BGR)
    - img_path (optional; without it the stains of the image itself are taken)
    - stain_fit (optional; a dictionary of ``StainFit``, taken instead of an estimate)

    Modified Keys:

    - img

    Args:
        method: ``macenko``.
        target: An image, or the json of a fit, to normalise to; None: the method's own default.
        min_tissue: Fewest stained pixels of a field for an estimate.

    Raises:
        FileNotFoundError: If the target is not there.
        ValueError: If the method is unknown, or the target shows too little tissue.
    """

    def __init__(
        self, method: str = "macenko", target: str | None = None, min_tissue: int = 500
    ) -> None:
        if method not in METHODS:
            raise ValueError(f"unknown method {method!r}; choose one of {', '.join(METHODS)}")
        self.method, self.target, self.min_tissue = method, target, min_tissue
        self.normalizer = METHODS[method](min_tissue=min_tissue)
        if target is not None:
            self._set_target(Path(target))
        self.fits: dict[str, StainFit | None] = {}

    def transform(self, results: dict) -> dict:
        """Normalise the window.

        Args:
            results: With ``img``.

        Returns:
            The same dictionary.
        """
        rgb = np.ascontiguousarray(results["img"][..., ::-1])
        if "stain_fit" in results:
            fit = StainFit.from_dict(results["stain_fit"])
        elif "img_path" in results:
            fit = self._field_fit(results["img_path"])
        else:
            fit = self.normalizer.estimate(rgb)
        if fit is not None:
            rgb = self.normalizer.normalize(rgb, fit)
            results["img"] = np.ascontiguousarray(rgb[..., ::-1])
        return results

    def _field_fit(self, path: str) -> StainFit | None:
        """Estimate a field's stains at first use."""
        if path not in self.fits:
            self.fits[path] = self.normalizer.estimate(read_field(path))
            if self.fits[path] is None:
                print_log(
                    f"{path}: too little tissue to estimate its stains; left as it is",
                    "current",
                    level=logging.WARNING,
                )
        return self.fits[path]

    def _set_target(self, path: Path) -> None:
        """Take the target from an image or from a saved fit."""
        if path.suffix == ".json":
            self.normalizer.target = StainFit.from_dict(json.loads(path.read_text()))
        else:
            self.normalizer.fit(read_field(path))

    def __repr__(self) -> str:
        return (
            f"StainNormalize(method={self.method!r}, target={self.target!r}, "
            f"min_tissue={self.min_tissue})"
        )
