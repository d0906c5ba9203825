"""Macenko's stain normalisation.

Source: M. Macenko et al., A method for normalizing histology slides for quantitative analysis,
ISBI 2009. The default target is the one of the MATLAB script that made it widely used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

REFERENCE_STAINS = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
REFERENCE_MAXIMA = (1.9705, 1.0308)
MIN_TISSUE_PIXELS = 500
"""Fewest stained pixels from which stains are estimated."""
MAX_PIXELS = 2**20
"""Pixels used for an estimate; an image of up to 1024 x 1024 is used whole."""
MIN_LIGHT = 10
"""A pixel whose brightest channel is under this grey level is padding or pen, not tissue."""
MIN_TISSUE_SHARE = 0.05
"""Share of tissue under which more background no longer lowers the maxima."""
MIN_DENSITY_STD = (0.02, 0.1)
"""Least spread of tissue's optical density along its second and first principal axis. Real fields
have 0.06 and 0.25 or more; JPEG noise on one colour has under 0.01 and 0.03."""
MIN_STAIN_ANGLE_DEG = 2.0
"""Least angle between two stains; real hematoxylin and eosin are 13° or more apart."""
MIN_CONCENTRATION = 0.05
"""Least maximum of a stain that is there at all; real fields have 0.7 or more."""
BLOCK = 32768
"""Pixels normalised at a time, so that they stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class StainFit:
    """The stains of one image, field or slide.

    Args:
        stain_matrix: (3, 2) float; optical density of R, G, B for hematoxylin and eosin, in columns
            of unit length.
        max_concentrations: (2,) float; their 99th percentiles.
        n_tissue: Stained pixels that the image shows.

    Raises:
        ValueError: If a shape is wrong, a value is not finite, the stains are parallel, or a
            maximum is not positive.
    """

    stain_matrix: np.ndarray
    max_concentrations: np.ndarray
    n_tissue: int = 0

    def __post_init__(self) -> None:
        matrix = np.array(self.stain_matrix, dtype=float)
        maxima = np.array(self.max_concentrations, dtype=float)
        if matrix.shape != (3, 2) or maxima.shape != (2,):
            raise ValueError(
                f"a stain fit has shapes (3, 2) and (2,), got {matrix.shape} and {maxima.shape}"
            )
        if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix, tol=1e-3) < 2:
            raise ValueError(f"a stain fit needs two different stains, got {matrix.tolist()}")
        if not (np.isfinite(maxima).all() and (maxima > 0).all()):
            raise ValueError(f"a stain fit needs positive maxima, got {maxima.tolist()}")
        object.__setattr__(self, "stain_matrix", matrix)
        object.__setattr__(self, "max_concentrations", maxima)

    def to_dict(self) -> dict[str, Any]:
        """Give the fit as lists and numbers.

        Returns:
            A dictionary for json.
        """
        return {
            "stain_matrix": self.stain_matrix.tolist(),
            "max_concentrations": self.max_concentrations.tolist(),
            "n_tissue": int(self.n_tissue),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StainFit:
        """Make a fit of what :meth:`to_dict` gave.

        Args:
            data: The dictionary.

        Returns:
            The fit.

        Raises:
            ValueError: If an entry is missing, of the wrong shape, or no stain.
        """
        needed = ("stain_matrix", "max_concentrations")
        if not isinstance(data, Mapping) or not all(key in data for key in needed):
            got = sorted(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(f"a stain fit has the entries {', '.join(needed)}; got {got}")
        try:
            return cls(*(data[key] for key in needed), n_tissue=int(data.get("n_tissue", 0)))
        except TypeError as error:
            raise ValueError(f"a stain fit holds numbers, got {dict(data)}") from error


class MacenkoNormalizer:
    """Bring the hematoxylin and eosin of an image to those of a target.

    Until :meth:`fit` the target is the published reference of the MATLAB script.

    Args:
        io: Transmitted light, grey level.
        alpha: Percentile of the angles taken as extreme stains, from either side.
        beta: Optical density that a tissue pixel has in every channel.
        min_tissue: Fewest tissue pixels for an estimate.
        max_pixels: Pixels used for an estimate: a seeded subsample of a larger image.
        seed: Seed of that subsample.
    """

    def __init__(
        self,
        io: float = 240,
        alpha: float = 1,
        beta: float = 0.15,
        min_tissue: int = MIN_TISSUE_PIXELS,
        max_pixels: int = MAX_PIXELS,
        seed: int = 0,
    ) -> None:
        self.io, self.alpha, self.beta = io, alpha, beta
        self.min_tissue, self.max_pixels, self.seed = min_tissue, max_pixels, seed
        self.target = StainFit(np.array(REFERENCE_STAINS), np.array(REFERENCE_MAXIMA))
        # Optical density of each grey level; the 1 keeps black finite.
        self._density = -np.log((np.arange(256) + 1.0) / io)

    @property
    def stain_matrix_(self) -> np.ndarray:
        """Stains of the target, (3, 2)."""
        return self.target.stain_matrix

    def fit(self, target_rgb: np.ndarray) -> MacenkoNormalizer:
        """Take the target's stains from an image.

        Args:
            target_rgb: (H, W, 3) uint8.

        Returns:
            The normaliser itself.

        Raises:
            ValueError: If the image has too little tissue or only one colour, or is no RGB image.
        """
        fit = self.estimate(target_rgb)
        if fit is None:
            raise ValueError(
                "cannot estimate the target's stains: it needs tissue in two colours, "
                f"at least {self.min_tissue} pixels of it"
            )
        self.target = fit
        return self

    def estimate(self, rgb: np.ndarray) -> StainFit | None:
        """Estimate the stains of an image.

        Args:
            rgb: (H, W, 3) uint8; best a whole field.

        Returns:
            The stains; None where too few pixels are tissue or they do not differ in two stains.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        _check(rgb)
        brightest = np.maximum(np.maximum(rgb[..., 0], rgb[..., 1]), rgb[..., 2]).ravel()
        lit = brightest >= MIN_LIGHT
        tissue = np.flatnonzero(lit & (self._density >= self.beta)[brightest])
        if len(tissue) < max(2, self.min_tissue):
            return None
        rng = np.random.default_rng(self.seed)
        pixels = rgb.reshape(-1, 3)
        used = tissue[_subsample(len(tissue), self.max_pixels, rng)]
        stains = self._stains(self._density[pixels[used]])
        used = _subsample(len(pixels), self.max_pixels, rng)
        used = used[lit[used]]
        if stains is None or not len(used):
            return None
        density = self._density[pixels[used]]
        # The 99th percentile of all pixels, as published, unless nearly all is background.
        share = len(tissue) / np.count_nonzero(lit)
        level = 100 - min(1.0, share / MIN_TISSUE_SHARE)
        amounts = density @ np.linalg.pinv(stains).T
        maxima = np.percentile(amounts, level, axis=0, method="hazen")
        if np.any(maxima < MIN_CONCENTRATION):
            return None
        return StainFit(stains, maxima, len(tissue))

    def concentrations(self, rgb: np.ndarray, fit: StainFit | None = None) -> np.ndarray:
        """Split an image into its stains, by least squares.

        Args:
            rgb: (H, W, 3) uint8.
            fit: Its stains; estimated on the image itself if None, and where they cannot be, those
                of the target.

        Returns:
            Hematoxylin and eosin of each pixel, (H, W, 2) float32, in optical density.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        _check(rgb)
        fit = fit or self.estimate(rgb) or self.target
        unmix = np.linalg.pinv(fit.stain_matrix).T.astype(np.float32)
        return self._density.astype(np.float32)[rgb] @ unmix

    def normalize(self, rgb: np.ndarray, fit: StainFit | None = None) -> np.ndarray:
        """Give an image the target's stains.

        Args:
            rgb: (H, W, 3) uint8.
            fit: Its stains, as estimated on its whole field; estimated on the image itself if
                None.

        Returns:
            (H, W, 3) uint8; a copy of the image where its stains cannot be estimated.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        _check(rgb)
        fit = fit or self.estimate(rgb)
        return rgb.copy() if fit is None else self._remix(rgb, fit, [0, 1])

    def separate(
        self, rgb: np.ndarray, fit: StainFit | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Show each stain alone, in the target's colours.

        Args:
            rgb: (H, W, 3) uint8.
            fit: Its stains; as for :meth:`concentrations`.

        Returns:
            Hematoxylin and eosin, each (H, W, 3) uint8.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        _check(rgb)
        fit = fit or self.estimate(rgb) or self.target
        return self._remix(rgb, fit, [0]), self._remix(rgb, fit, [1])

    def _stains(self, tissue: np.ndarray) -> np.ndarray | None:
        """Find the two extreme directions of tissue's density, (N, 3), as (3, 2); None if one."""
        variances, axes = np.linalg.eigh(np.cov(tissue, rowvar=False))
        if np.any(np.sqrt(np.maximum(variances[1:], 0)) < MIN_DENSITY_STD):
            return None
        plane = axes[:, 1:]
        plane = plane * np.where(tissue.mean(axis=0) @ plane < 0, -1, 1)  # eigh's sign is free
        second, first = (tissue @ plane).T
        # MATLAB's prctile is Hazen's definition.
        extremes = np.percentile(
            np.arctan2(first, second), [self.alpha, 100 - self.alpha], method="hazen"
        )
        if extremes[1] - extremes[0] < np.radians(MIN_STAIN_ANGLE_DEG):
            return None
        stains = plane @ np.array([np.cos(extremes), np.sin(extremes)])
        # Hematoxylin, which absorbs more red, comes first.
        return stains if stains[0, 0] > stains[0, 1] else stains[:, ::-1]

    def _remix(self, rgb: np.ndarray, fit: StainFit, stains: list[int]) -> np.ndarray:
        """Unmix, scale and mix the named stains again, by one (3, 3) matrix of densities."""
        scale = self.target.max_concentrations / fit.max_concentrations
        unmix = np.linalg.pinv(fit.stain_matrix)
        mix = (self.target.stain_matrix * scale)[:, stains] @ unmix[stains]
        density, mix = self._density.astype(np.float32), -mix.T.astype(np.float32)
        brightest = np.float32(np.log(255.5 / self.io))
        pixels = rgb.reshape(-1, 3)
        out = np.empty_like(pixels)
        for start in range(0, len(pixels), BLOCK):
            block = density[pixels[start : start + BLOCK]] @ mix
            np.minimum(block, brightest, out=block)
            np.exp(block, out=block)
            block *= np.float32(self.io)
            out[start : start + BLOCK] = block
        return out.reshape(rgb.shape)


def _subsample(count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Give all indices under ``count``, or one at random of each of ``most`` equal stretches."""
    if count <= most:
        return np.arange(count)
    return ((np.arange(most) + rng.random(most)) * (count / most)).astype(np.int64)


def _check(rgb: np.ndarray) -> None:
    """Refuse what is no 8-bit RGB image."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"expected RGB uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
