"""Macenko's stain normalisation.

Source: M. Macenko et al., A method for normalizing histology slides for quantitative analysis,
ISBI 2009. The default target is the one of the MATLAB script that made it widely used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REFERENCE_STAINS = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
REFERENCE_MAXIMA = (1.9705, 1.0308)
MIN_TISSUE_PIXELS = 500
MAX_PIXELS = 2**20


@dataclass(frozen=True)
class StainFit:
    """The stains of one image or slide.

    ``stain_matrix`` is (3, 2): optical density of R, G, B for hematoxylin and eosin, unit length;
    ``max_concentrations`` (2,): their 99th percentiles; ``n_tissue``: tissue pixels used.
    """

    stain_matrix: np.ndarray
    max_concentrations: np.ndarray
    n_tissue: int = 0

    def to_dict(self) -> dict:
        """Give the fit as lists and numbers.

        Returns:
            A dictionary for json.
        """
        return {
            "stain_matrix": self.stain_matrix.tolist(),
            "max_concentrations": self.max_concentrations.tolist(),
            "n_tissue": self.n_tissue,
        }

    @classmethod
    def from_dict(cls, data: dict) -> StainFit:
        """Make a fit of what :meth:`to_dict` gave.

        Args:
            data: The dictionary.

        Returns:
            The fit.

        Raises:
            ValueError: If an entry is missing or of the wrong shape.
        """
        try:
            matrix = np.array(data["stain_matrix"], dtype=float)
            maxima = np.array(data["max_concentrations"], dtype=float)
        except KeyError as error:
            raise ValueError(f"a stain fit needs {error}; got {sorted(data)}") from error
        if matrix.shape != (3, 2) or maxima.shape != (2,):
            raise ValueError(
                f"a stain fit has shapes (3, 2) and (2,), got {matrix.shape} and {maxima.shape}"
            )
        return cls(matrix, maxima, int(data.get("n_tissue", 0)))


class MacenkoNormalizer:
    """Bring the hematoxylin and eosin of an image to those of a target.

    Args:
        io: Transmitted light, grey level.
        alpha: Percentile of the angles taken as extreme stains, from either side.
        beta: Optical density below which a pixel is background, in any channel.
        min_tissue: Fewest tissue pixels for an estimate.
        max_pixels: Pixels used for an estimate; a seeded subsample of a larger image.
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
            ValueError: If the image has too little tissue, or is no RGB image.
        """
        fit = self.estimate(target_rgb)
        if fit is None:
            raise ValueError(
                f"the target shows too little tissue: {self.min_tissue} stained pixels are needed"
            )
        self.target = fit
        return self

    def estimate(self, rgb: np.ndarray) -> StainFit | None:
        """Estimate the stains of an image.

        Args:
            rgb: (H, W, 3) uint8.

        Returns:
            The stains; None where too few pixels are tissue, or all have one colour.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        _check(rgb)
        pixels = rgb.reshape(-1, 3)
        if len(pixels) > self.max_pixels:
            rng = np.random.default_rng(self.seed)
            pixels = pixels[np.sort(rng.integers(0, len(pixels), self.max_pixels))]
        density = self._density[pixels]
        tissue = density[np.all(density >= self.beta, axis=1)]
        if len(tissue) < max(3, self.min_tissue):
            return None
        values, vectors = np.linalg.eigh(np.cov(tissue, rowvar=False))
        if values[1] < 1e-9:
            return None
        plane = vectors[:, 1:] * np.where(vectors[:, 1:].sum(axis=0) < 0, -1, 1)
        angles = np.arctan2(*(tissue @ plane).T[::-1])
        extremes = np.percentile(angles, [self.alpha, 100 - self.alpha], method="hazen")
        stains = plane @ np.array([np.cos(extremes), np.sin(extremes)])
        if stains[0, 0] < stains[0, 1]:  # hematoxylin absorbs more red
            stains = stains[:, ::-1]
        if np.linalg.cond(stains) > 1e6:
            return None
        maxima = np.percentile(_solve(stains, density), 99, axis=1, method="hazen")
        if np.any(maxima <= 1e-6):
            return None
        return StainFit(np.ascontiguousarray(stains), maxima, len(tissue))

    def concentrations(self, rgb: np.ndarray, fit: StainFit) -> np.ndarray:
        """Split an image into its stains.

        Args:
            rgb: (H, W, 3) uint8.
            fit: The stains.

        Returns:
            Hematoxylin and eosin of each pixel, (2, H, W), by least squares.

        Raises:
            ValueError: If it is no 8-bit RGB image.
        """
        _check(rgb)
        return _solve(fit.stain_matrix, self._density[rgb.reshape(-1, 3)]).reshape(
            2, *rgb.shape[:2]
        )

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
        if fit is None:
            return rgb.copy()
        scale = self.target.max_concentrations / fit.max_concentrations
        # Density in, density out: unmix, scale and mix again in one 3×3 matrix.
        mix = (self.target.stain_matrix * scale) @ np.linalg.pinv(fit.stain_matrix)
        density = self._density.astype(np.float32)[rgb.reshape(-1, 3)]
        out = np.exp(density @ -mix.T.astype(np.float32))
        out *= np.float32(self.io)
        return np.minimum(out, 255, out=out).astype(np.uint8).reshape(rgb.shape)


def _solve(stains: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Least-squares concentrations, (2, N), of densities (N, 3)."""
    return np.linalg.pinv(stains) @ density.T


def _check(rgb: np.ndarray) -> None:
    """Refuse what is no 8-bit RGB image."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"expected RGB uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
