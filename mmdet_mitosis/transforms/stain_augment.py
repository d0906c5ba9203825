"""Stain augmentation as a step of a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmdet.registry import TRANSFORMS

from mmdet_mitosis.stain.augment import HED_STAINS, DensityMap, jitter, restain
from mmdet_mitosis.stain.bank import StainBank
from mmdet_mitosis.stain.base import MIN_TISSUE_PIXELS
from mmdet_mitosis.transforms.field_fits import FieldFits
from mmdet_mitosis.transforms.stain_normalize import build_normalizer, swap_channels

MODES = ("hed", "macenko", "bank")


@TRANSFORMS.register_module()
class StainAugment(BaseTransform):
    """Change a window's stains at random.

    The amount of each stain is multiplied by a number of 1 - sigma to 1 + sigma, and one of -shift
    to shift is added, in optical density. White stays white, and the shift fades out with tissue.
    The stains are, by mode,

    - ``hed``: hematoxylin, eosin and DAB of Ruifrok and Johnston, the same for all images;
    - ``macenko``: the two of the image's own field, found as in ``StainNormalize``;
    - ``bank``: those too, exchanged for a pair drawn from a bank of other scanners.

    Where a field has too little tissue, ``macenko`` and ``bank`` leave its windows as they are.

    This belongs after ``StainNormalize``, which would take part of it away again: then ``hed`` and
    ``macenko`` vary the target's stains. ``bank`` is made to take the place of normalisation in
    training: with both, the target's stains are exchanged for those of the bank. After a
    normalisation that knows no stains only ``hed`` works.

    Required Keys:

    - img (np.uint8, (h, w, 3), BGR)
    - img_path (optional: the field; without it the stains of the image itself are taken; not for
      ``hed``)
    - stain_fit (optional: a dictionary of ``StainFit``, taken instead of an estimate, or None for a
      field that is to stay as it is; not for ``hed``)

    Modified Keys:

    - img (np.uint8, (h, w, 3), BGR)

    Args:
        mode: ``hed``, ``macenko`` or ``bank``.
        sigma: Most that a factor differs from 1; in [0, 1). As published for ``hed``: 0.05 (light)
            or 0.2 (strong).
        shift: Most that is added, in optical density.
        prob: Share of windows that are changed.
        bank: For ``bank``: a json file of ``mmdet_mitosis.stain.bank.StainBank``.
        min_tissue: Fewest stained pixels of a field for an estimate.
        options: More arguments of ``MacenkoNormalizer``; with those of ``StainNormalize``, what is
            kept on disk serves both.

    Raises:
        FileNotFoundError: If the bank is not there.
        ValueError: If an argument is out of its range, or the bank holds no fits.
    """

    def __init__(
        self,
        mode: str = "hed",
        sigma: float = 0.05,
        shift: float = 0.05,
        prob: float = 1.0,
        bank: str | None = None,
        min_tissue: int = MIN_TISSUE_PIXELS,
        **options: Any,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"unknown stain mode {mode!r}; choose one of {', '.join(MODES)}")
        if not (0 <= sigma < 1 and 0 <= shift < np.inf and 0 <= prob <= 1):
            raise ValueError(
                "sigma must be in [0, 1), shift not negative and prob in [0, 1], got "
                f"{sigma}, {shift} and {prob}"
            )
        if (bank is None) is (mode == "bank"):
            raise ValueError(f"a bank is for the mode bank, which needs one; got {bank} for {mode}")
        self.mode, self.sigma, self.shift, self.prob = mode, sigma, shift, prob
        self.bank, self.min_tissue, self.options = bank, min_tissue, options
        self._targets = None if bank is None else StainBank.load(bank)
        self._n_stains = 3 if mode == "hed" else 2
        self.fits = FieldFits(build_normalizer("macenko", min_tissue=min_tissue, **options))

    def transform(self, results: dict) -> dict:
        """Change the window's stains.

        Args:
            results: With the required keys.

        Returns:
            The same dictionary.

        Raises:
            FileNotFoundError: If the field is not there.
            ValueError: If ``img`` is no 8-bit BGR image, ``stain_fit`` no stain fit, or the field
                cannot be read.
        """
        if not self._random_choice():
            return results
        rgb = swap_channels(results["img"])
        change = self._change(results, rgb)
        if change is not None:
            results["img"] = swap_channels(change.apply(rgb))
        return results

    def _change(self, results: dict, rgb: np.ndarray) -> DensityMap | None:
        """Draw a change; None for a field with too little tissue."""
        factor, shift = self._random_amounts()
        if self.mode == "hed":
            return jitter(HED_STAINS, factor, shift)
        index = self._random_index()
        try:
            fit = self.fits.find(results, rgb)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__}(mode={self.mode!r}): {error}") from error
        if fit is None:
            return None
        target = fit if self._targets is None else self._targets.fits[index]
        return restain(fit, target, factor, shift)

    @cache_randomness
    def _random_choice(self) -> bool:
        """Draw whether the window is changed."""
        return bool(np.random.random() < self.prob)

    @cache_randomness
    def _random_amounts(self) -> tuple[np.ndarray, np.ndarray]:
        """Draw the factor and the shift of each stain."""
        factor = np.random.uniform(1 - self.sigma, 1 + self.sigma, self._n_stains)
        return factor, np.random.uniform(-self.shift, self.shift, self._n_stains)

    @cache_randomness
    def _random_index(self) -> int | None:
        """Draw an entry of the bank, if there is one."""
        if self._targets is None:
            return None
        return int(np.random.choice(len(self._targets), p=self._targets.probabilities))

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return (
            f"{type(self).__name__}(mode={self.mode!r}, sigma={self.sigma}, shift={self.shift}, "
            f"prob={self.prob}, bank={self.bank!r}, min_tissue={self.min_tissue}{options})"
        )
