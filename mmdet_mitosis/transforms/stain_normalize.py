"""Stain normalisation as a step of a pipeline."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.stain import NORMALIZERS, StainNormalizer
from mmdet_mitosis.stain.base import MIN_TISSUE_PIXELS, check_rgb
from mmdet_mitosis.stain.targets import set_target
from mmdet_mitosis.transforms.field_fits import FieldFits

NONE = "none"
"""The method that changes nothing."""


@TRANSFORMS.register_module()
class StainNormalize(BaseTransform):
    """Bring a window's stains, or colours, to those of a target.

    They are estimated once a field, on the whole field, so that a window on a border of fat keeps
    its colours, and kept in ``.stain`` beside ``images`` for the other workers and later runs. What
    data preparation has put there, estimated on a whole case, is taken instead; it differs from
    what fields give one by one, so a folder should have it of all its fields or of none. The
    windows of a field with too little tissue stay as they are; ``StainReportHook`` counts them.

    This belongs right after the pixels are read. ``StainAugment`` comes after it, so that what it
    adds is not taken away again.

    Required Keys:

    - img (np.uint8, (h, w, 3), BGR)
    - img_path (optional: the field; without it the stains of the image itself are taken)
    - stain_fit (optional: a dictionary of the method's fit, taken instead of an estimate, or None
      for a field that is to stay as it is)

    Modified Keys:

    - img (np.uint8, (h, w, 3), BGR)
    - stain_fit (where the image was normalised: the target's, which it then has)

    Added Keys:

    - stain_normalized (bool: False where the image was left as it was)

    Args:
        method: One of ``mmdet_mitosis.stain.NORMALIZERS``, or ``none``: then no key is read or
            changed, and the other arguments have no meaning.
        target: An image file, or a json file of a fit or of a saved normaliser, to normalise to;
            None: the method's published reference.
        min_tissue: Fewest stained pixels of a field for an estimate.
        options: More arguments of the method's normaliser, such as ``io`` or ``max_pixels``.

    Raises:
        FileNotFoundError: If the target is not there.
        ValueError: If the method or an option is unknown, or the target shows too little tissue or
            is none of this method.
    """

    def __init__(
        self,
        method: str = "macenko",
        target: str | None = None,
        min_tissue: int = MIN_TISSUE_PIXELS,
        **options: Any,
    ) -> None:
        self.method, self.target, self.min_tissue = method, target, min_tissue
        self.options = options
        self.fits: FieldFits | None = None
        if method == NONE:
            return
        normalizer = build_normalizer(method, min_tissue=min_tissue, **options)
        if target is not None:
            set_target(normalizer, target)
        self.fits = FieldFits(normalizer)
        self._target_fit = normalizer.target.to_dict()

    def transform(self, results: dict) -> dict:
        """Normalise the window.

        Args:
            results: With the required keys.

        Returns:
            The same dictionary.

        Raises:
            FileNotFoundError: If the field is not there.
            ValueError: If ``img`` is no 8-bit BGR image, ``stain_fit`` no fit, or the field cannot
                be read.
        """
        if self.fits is None:
            return results
        rgb = swap_channels(results["img"])
        fit = self.fits.find(results, rgb)
        results["stain_normalized"] = fit is not None
        if fit is not None:
            results["img"] = swap_channels(self.fits.normalizer.normalize(rgb, fit))
            results["stain_fit"] = self._target_fit
        return results

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return (
            f"{type(self).__name__}(method={self.method!r}, target={self.target!r}, "
            f"min_tissue={self.min_tissue}{options})"
        )


def build_normalizer(method: str, **arguments: Any) -> StainNormalizer:
    """Make a normaliser of what a config says.

    Args:
        method: One of ``NORMALIZERS``.
        arguments: Of its class.

    Returns:
        The normaliser.

    Raises:
        ValueError: If the method or an argument is unknown or out of its range.
    """
    if method not in NORMALIZERS:
        choices = ", ".join((*NORMALIZERS, NONE))
        raise ValueError(f"unknown stain method {method!r}; choose one of {choices}")
    try:
        return NORMALIZERS[method](**arguments)
    except TypeError as error:
        raise ValueError(f"stain method {method}: {error}") from error


def swap_channels(image: np.ndarray) -> np.ndarray:
    """Turn BGR into RGB, or RGB into BGR.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (H, W, 3) uint8, contiguous.

    Raises:
        ValueError: If it is no 8-bit colour image.
    """
    check_rgb(image)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
