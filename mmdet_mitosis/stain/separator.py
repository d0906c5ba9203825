"""What the methods share that take an image for two stains."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from mmdet_mitosis.stain.base import StainNormalizer, check_rgb
from mmdet_mitosis.stain.density import densities, remix
from mmdet_mitosis.stain.fits import StainFit
from mmdet_mitosis.stain.sampling import Sample, percentile

REFERENCE_STAINS = ((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581))
REFERENCE_MAXIMA = (1.9705, 1.0308)
BLOCK = 2**14
"""Pixels summed in single precision."""
MIN_TISSUE_SHARE = 0.05
"""Share of tissue under which more background no longer lowers the maxima."""
MIN_DENSITY_STD = (0.02, 0.1)
"""Least spread of tissue's optical density along its second and first principal axis. Real fields
have 0.06 and 0.25 or more; JPEG noise on one colour has under 0.01 and 0.03."""
MIN_STAIN_ANGLE_DEG = 2.0
"""Least angle between the lines of two stains; real hematoxylin and eosin are 13° or more apart."""
MIN_CONCENTRATION = 0.05
"""Least maximum of a stain that is there at all; real fields have 0.7 or more."""


class StainSeparator(StainNormalizer):
    """Bring the hematoxylin and eosin of an image to those of a target.

    Until :meth:`fit` the target is the published reference of Macenko's MATLAB script. Arguments as
    of :class:`StainNormalizer`.
    """

    fit_type = StainFit

    def __init__(self, **arguments: float) -> None:
        super().__init__(**arguments)
        self.target = StainFit(np.array(REFERENCE_STAINS), np.array(REFERENCE_MAXIMA))

    @property
    def stain_matrix_(self) -> np.ndarray:
        """Stains of the target, (3, 2): hematoxylin and eosin in columns."""
        return self.target.stain_matrix

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
        check_rgb(rgb)
        fit = fit or self.estimate(rgb) or self.target
        unmix = np.linalg.pinv(fit.stain_matrix).astype(np.float32)
        amounts = unmix @ densities(rgb, self.io)
        return np.ascontiguousarray(amounts.T).reshape(*rgb.shape[:2], 2)

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
        check_rgb(rgb)
        fit = fit or self.estimate(rgb) or self.target
        return self._remix(rgb, fit, [0]), self._remix(rgb, fit, [1])

    def mix_matrix(self, fit: StainFit, stains: list[int] | None = None) -> np.ndarray:
        """Give the matrix that unmixes the stains of a fit, scales them and mixes the target's.

        Args:
            fit: The stains of an image.
            stains: Those that are mixed again; both if None.

        Returns:
            (3, 3) float64; turns the density of R, G, B into the new one.
        """
        kept = [0, 1] if stains is None else stains
        scale = self.target.max_concentrations / fit.max_concentrations
        unmix = np.linalg.pinv(fit.stain_matrix)
        return (self.target.stain_matrix * scale)[:, kept] @ unmix[kept]

    @abstractmethod
    def _stains(self, tissue: np.ndarray) -> np.ndarray | None:
        """Find the stains of tissue's density, (3, N) float32, as (3, 2); None if there is one."""

    def _estimate(self, sample: Sample) -> StainFit | None:
        stains = self._stains(densities(sample.tissue, self.io))
        if stains is None or not len(sample.lit):
            return None
        amounts = np.linalg.pinv(stains).astype(np.float32) @ densities(sample.lit, self.io)
        level = maxima_percentile(sample)
        maxima = np.array([percentile(amount, level) for amount in amounts])
        return fit_of(stains, maxima, sample.n_tissue)

    def _apply(self, rgb: np.ndarray, fit: StainFit) -> np.ndarray:
        return remix(rgb, self.mix_matrix(fit), self.io)

    def _remix(self, rgb: np.ndarray, fit: StainFit, stains: list[int]) -> np.ndarray:
        return remix(rgb, self.mix_matrix(fit, stains), self.io)


def maxima_percentile(sample: Sample) -> float:
    """Give the percentile of all lit pixels that is the maximum of a stain.

    Args:
        sample: The pixels.

    Returns:
        99, as published; more where nearly all is background.
    """
    return 100 - min(1.0, sample.tissue_share / MIN_TISSUE_SHARE)


def fit_of(stains: np.ndarray, maxima: np.ndarray, n_tissue: int) -> StainFit | None:
    """Give the fit of the stains that were found.

    Args:
        stains: (3, 2), in columns of unit length.
        maxima: (2,); their maxima, in optical density.
        n_tissue: Stained pixels of the image.

    Returns:
        The fit; None where hardly anything is stained by one of the two.
    """
    if np.any(maxima < MIN_CONCENTRATION):
        return None
    return StainFit(stains, maxima, n_tissue)


def principal_plane(tissue: np.ndarray) -> np.ndarray | None:
    """Find the plane that tissue's density spreads in.

    Args:
        tissue: (3, N) float32; optical density of R, G, B; at least two pixels.

    Returns:
        (3, 2) as of :func:`plane_of`.
    """
    mean = tissue.mean(axis=1, dtype=float)
    return plane_of(mean, _covariance(tissue - mean[:, None].astype(np.float32)))


def plane_of(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray | None:
    """Find the plane of a density's greatest spread.

    Args:
        mean: (3,) float64; mean density of R, G, B.
        covariance: (3, 3) float64.

    Returns:
        (3, 2) float64: its two axes, the wider one last, turned towards the tissue; None where the
        density has not the spread of two stains.
    """
    variances, axes = np.linalg.eigh(covariance)
    if np.any(np.sqrt(np.maximum(variances[1:], 0)) < MIN_DENSITY_STD):
        return None
    plane = axes[:, 1:]
    return plane * np.where(mean @ plane < 0, -1, 1)  # eigh's sign is free


def hematoxylin_first(stains: np.ndarray) -> np.ndarray | None:
    """Put the stain first that absorbs more red.

    Args:
        stains: (3, 2) in columns of unit length.

    Returns:
        The same or in the other order; None where the two are one, or each the other's opposite, or
        one absorbs no colour at all.
    """
    angle = np.degrees(np.arccos(min(1, abs(stains[:, 0] @ stains[:, 1]))))
    if not (angle >= MIN_STAIN_ANGLE_DEG and stains.max(axis=0).min() > 0):
        return None
    return stains if stains[0, 0] > stains[0, 1] else stains[:, ::-1]


def _covariance(centred: np.ndarray) -> np.ndarray:
    """Give the covariance of (3, N) float32 values of mean 0; sums of blocks are float64."""
    total = np.zeros((3, 3))
    for start in range(0, centred.shape[1], BLOCK):
        rows = centred[:, start : start + BLOCK]
        # Six products of vectors: of matrices this thin, they take a fifth of the time.
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
            total[i, j] += np.dot(rows[i], rows[j])
    return (total + np.triu(total, 1).T) / (centred.shape[1] - 1)
