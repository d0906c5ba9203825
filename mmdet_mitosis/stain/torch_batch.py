"""Stain normalisation of batches on their device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mmdet_mitosis.stain.base import StainNormalizer
from mmdet_mitosis.stain.fits import Fit
from mmdet_mitosis.stain.macenko import MacenkoNormalizer
from mmdet_mitosis.stain.sampling import Sample
from mmdet_mitosis.stain.separator import StainSeparator
from mmdet_mitosis.stain.torch_color import lab_to_rgb, on, remix, rgb_to_lab
from mmdet_mitosis.stain.torch_estimate import draw, estimate_macenko

CHANNEL_ORDERS = ("rgb", "bgr")
CPU_PIXELS, GPU_PIXELS = 2**17, 2**21
"""Pixels whose densities or colours are held at a time: few enough for a processor's cache, and
enough to keep a GPU busy in some 100 MB."""


class TorchNormalizer:
    """Normalise batches of images where they are, as a normaliser would one by one.

    The results are those of the normaliser to within 1 grey level, on any device and also under
    autocast. Arithmetic is in single precision.

    Args:
        normalizer: The method with its target; both are read at every call.
        channel_order: ``rgb``, or ``bgr`` as in MMDetection.

    Raises:
        ValueError: If the order is another.
    """

    def __init__(self, normalizer: StainNormalizer, channel_order: str = "rgb") -> None:
        if channel_order not in CHANNEL_ORDERS:
            raise ValueError(
                f"unknown channel order {channel_order!r}; choose one of "
                f"{', '.join(CHANNEL_ORDERS)}"
            )
        self.normalizer, self.channel_order = normalizer, channel_order

    @torch.no_grad()
    def estimate(self, batch: Tensor) -> list[Fit | None]:
        """Estimate the stains, or colours, of each image.

        Pixels are drawn on the device. Macenko's method also runs there; for another, those that
        were drawn go to the CPU, and NumPy estimates.

        Args:
            batch: (N, 3, H, W), grey levels 0 to 255; uint8, or float that is rounded for this.

        Returns:
            A fit an image; None where too few pixels are tissue or they are too much alike.

        Raises:
            ValueError: If it is no such batch.
        """
        _check_batch(batch)
        return [self._estimate(image) for image in batch]

    @torch.no_grad()
    def normalize(self, batch: Tensor, fits: Sequence[Fit | None]) -> Tensor:
        """Give each image the target's stains, or colours.

        Args:
            batch: (N, 3, H, W), grey levels 0 to 255; uint8 or float.
            fits: One an image, best as estimated on its whole field; None leaves the image as it
                is.

        Returns:
            (N, 3, H, W), a new tensor of the same type, device and memory format. Float grey
            levels stay as computed: where two stains are changed they are half a level brighter on
            average than uint8 ones, which are cut to whole numbers.

        Raises:
            ValueError: If it is no such batch, or there are not as many fits, or of another kind.
        """
        _check_batch(batch)
        self._check_fits(batch, fits)
        out = batch.clone()
        kept = [i for i, fit in enumerate(fits) if fit is not None]
        height, width = batch.shape[2:]
        at_once = CPU_PIXELS if batch.device.type == "cpu" else GPU_PIXELS
        images, rows = (max(1, at_once // max(1, n)) for n in (height * width, width))
        for start in range(0, len(kept), images):
            group = kept[start : start + images]
            recolor = self._recoloring([fits[i] for i in group], batch.device)
            for top in range(0, height, rows):
                levels = self._to_rgb(batch[:, :, top : top + rows][group])
                levels = self._to_rgb(recolor(levels).clamp_(0, 255))
                if not batch.is_floating_point() and not self._has_stains:
                    levels = levels.round()
                out[:, :, top : top + rows][group] = levels.to(batch.dtype)
        return out

    @property
    def _has_stains(self) -> bool:
        return isinstance(self.normalizer, StainSeparator)

    def _estimate(self, image: Tensor) -> Fit | None:
        """Estimate from one image, (3, H, W)."""
        normalizer = self.normalizer
        if image.is_floating_point():
            image = image.round().clamp(0, 255).to(torch.uint8)
        planes = self._to_rgb(image[None])[0].reshape(3, -1)
        sample = draw(planes, normalizer.brightest_tissue, normalizer.max_pixels, normalizer.seed)
        if type(normalizer) is MacenkoNormalizer:
            return estimate_macenko(normalizer, sample)
        tissue, lit = (pixels.contiguous().cpu().numpy() for pixels in (sample.tissue, sample.lit))
        return normalizer.estimate_sample(Sample(tissue, lit, sample.n_tissue, sample.n_lit))

    def _recoloring(self, fits: list[Fit], device: torch.device) -> Callable[[Tensor], Tensor]:
        """Give what turns levels of images with these fits, (N, 3, H, W) RGB, into the target's."""
        normalizer = self.normalizer
        if self._has_stains:
            mixes = on(device, np.array([normalizer.mix_matrix(fit) for fit in fits]))
            return lambda levels: remix(levels, mixes, normalizer.io)
        gains = np.array([normalizer.target.std_lab / fit.std_lab for fit in fits])
        offsets = normalizer.target.mean_lab - gains * [fit.mean_lab for fit in fits]
        gain, offset = (on(device, values[..., None, None]) for values in (gains, offsets))
        return lambda levels: lab_to_rgb(rgb_to_lab(levels).mul_(gain).add_(offset))

    def _to_rgb(self, levels: Tensor) -> Tensor:
        """Turn the order of a batch's channels into RGB, or back."""
        return levels.flip(1) if self.channel_order == "bgr" else levels

    def _check_fits(self, batch: Tensor, fits: Sequence[Fit | None]) -> None:
        """Refuse fits that are not those of a batch."""
        if len(fits) != len(batch):
            raise ValueError(
                f"expected a fit, or None, for each of {len(batch)} images, got {len(fits)}"
            )
        expected = self.normalizer.fit_type
        for i, fit in enumerate(fits):
            if fit is not None and not isinstance(fit, expected):
                raise ValueError(
                    f"{self.normalizer.method} needs a {expected.__name__} for image {i}, got "
                    f"{type(fit).__name__}"
                )


def _check_batch(batch: Tensor) -> None:
    """Refuse what is no batch of RGB images."""
    if (
        batch.ndim != 4
        or batch.shape[1] != 3
        or not (batch.dtype == torch.uint8 or batch.is_floating_point())
    ):
        raise ValueError(
            f"expected uint8 or float (N, 3, H, W), got {batch.dtype} {tuple(batch.shape)}"
        )
