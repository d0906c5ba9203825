"""Stain normalisation as a step of a pipeline."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS
from mmengine.logging import print_log

from mmdet_mitosis.datasets.fields import read_field
from mmdet_mitosis.stain import MacenkoNormalizer, StainFit
from mmdet_mitosis.stain.base import MIN_TISSUE_PIXELS

METHODS = {"macenko": MacenkoNormalizer}
NO_PATH = "<no img_path>"
"""Under this name ``n_identity`` counts images that came without a path."""


@TRANSFORMS.register_module()
class StainNormalize(BaseTransform):
    """Bring a window's stains to those of a target.

    The stains are estimated once a field, on the whole field, so that a window on a border of fat
    keeps its colours. The windows of a field with too little tissue stay as they are: that is
    logged once a field and counted in ``n_identity``.

    Required Keys:

    - img (np.uint8, (h, w, 3), BGR)
    - img_path (optional: the field; without it the stains of the image itself are taken)
    - stain_fit (optional: a dictionary of ``StainFit``, taken instead of an estimate, or None for
      a field that is to stay as it is)

    Modified Keys:

    - img (np.uint8, (h, w, 3), BGR)

    Args:
        method: ``macenko``.
        target: An image file, or a json file of ``StainFit.to_dict``, to normalise to; None: the
            method's published reference.
        min_tissue: Fewest stained pixels of a field for an estimate.
        options: More arguments of the method's normaliser, such as ``io`` or ``max_pixels``.

    Attributes:
        fits: The fit of each field seen, by path; None for a field with too little tissue.
        n_identity: Windows left as they were, by the path of their field.

    Raises:
        FileNotFoundError: If the target is not there.
        ValueError: If the method is unknown, or the target shows too little tissue or is no fit.
    """

    def __init__(
        self,
        method: str = "macenko",
        target: str | None = None,
        min_tissue: int = MIN_TISSUE_PIXELS,
        **options: Any,
    ) -> None:
        if method not in METHODS:
            raise ValueError(f"unknown stain method {method!r}; choose one of {', '.join(METHODS)}")
        self.method, self.target, self.min_tissue = method, target, min_tissue
        self.options = options
        self.normalizer = METHODS[method](min_tissue=min_tissue, **options)
        if target is not None:
            self._set_target(Path(target))
        self.fits: dict[str, StainFit | None] = {}
        self.n_identity: Counter[str] = Counter()

    def transform(self, results: dict) -> dict:
        """Normalise the window.

        Args:
            results: With the required keys.

        Returns:
            The same dictionary.

        Raises:
            ValueError: If ``img`` is no 8-bit BGR image, or ``stain_fit`` no fit.
        """
        rgb = np.ascontiguousarray(results["img"][..., ::-1])
        fit = self._find_fit(results, rgb)
        if fit is None:
            self.n_identity[str(results.get("img_path") or NO_PATH)] += 1
            return results
        normalized = self.normalizer.normalize(rgb, fit)
        results["img"] = np.ascontiguousarray(normalized[..., ::-1])
        return results

    def _find_fit(self, results: dict, rgb: np.ndarray) -> StainFit | None:
        """Take the prepared fit, else that of the field, else that of the image itself."""
        path = results.get("img_path")
        if "stain_fit" in results:
            prepared = results["stain_fit"]
            return None if prepared is None else StainFit.from_dict(prepared)
        if path is None:
            return self.normalizer.estimate(rgb)
        path = str(path)
        if path not in self.fits:
            self.fits[path] = self.normalizer.estimate(read_field(path))
            if self.fits[path] is None:
                print_log(
                    f"{path}: too little stained tissue to estimate its stains (at least "
                    f"{self.min_tissue} pixels in two stains); its windows keep their colours",
                    "current",
                    level=logging.WARNING,
                )
        return self.fits[path]

    def _set_target(self, path: Path) -> None:
        """Take the target from an image or from a saved fit."""
        if not path.is_file():
            raise FileNotFoundError(f"no such stain target: {path}")
        try:
            if path.suffix.lower() == ".json":
                fit = StainFit.from_dict(json.loads(path.read_text(encoding="utf-8")))
                self.normalizer.target = fit
            else:
                self.normalizer.fit(read_field(path))
        except ValueError as error:
            raise ValueError(f"stain target {path}: {error}") from error

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return (
            f"{type(self).__name__}(method={self.method!r}, target={self.target!r}, "
            f"min_tissue={self.min_tissue}{options})"
        )
