"""Which pixels of an image are tissue, and which of them an estimate is made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

MIN_LIGHT = 10
"""A pixel whose brightest channel is under this grey level is padding or pen, not tissue."""
ENOUGH_TISSUE = 2**14
"""With fewer tissue pixels than this in the subsample, the whole image is searched for them."""
GUIDE_VALUES = 4096
"""Values from which a percentile is guessed before it is found."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Pixels drawn from an image.

    Attributes:
        tissue: (T, 3) uint8; stained pixels.
        lit: (L, 3) uint8; pixels that are neither padding nor pen: tissue and background.
        n_tissue: Stained pixels of the whole image; where that is larger than the subsample, as
            far as the subsample tells.
        n_lit: The same of lit pixels.
    """

    tissue: np.ndarray
    lit: np.ndarray
    n_tissue: int
    n_lit: int

    @property
    def tissue_share(self) -> float:
        """Share of tissue among what is lit."""
        return self.n_tissue / max(1, self.n_lit)


def draw(rgb: np.ndarray, brightest_tissue: int, max_pixels: int, seed: int) -> Sample:
    """Draw pixels of an image.

    Args:
        rgb: (H, W, 3) uint8.
        brightest_tissue: Grey level over which a pixel's brightest channel makes it background.
        max_pixels: Pixels to draw: all of a smaller image, else one at random of each of as many
            equal stretches.
        seed: Seed.

    Returns:
        The pixels.
    """
    rng = np.random.default_rng(seed)
    pixels = rgb.reshape(-1, 3)
    drawn = pixels
    if len(pixels) > max_pixels:
        drawn = np.take(pixels, subsample(len(pixels), max_pixels, rng), axis=0)
    brightest = _brightest(drawn)
    is_lit = brightest >= MIN_LIGHT
    is_tissue = is_lit & (brightest <= brightest_tissue)
    scale = len(pixels) / max(1, len(drawn))
    tissue, n_tissue = _only(drawn, is_tissue), np.count_nonzero(is_tissue) * scale
    if scale > 1 and len(tissue) < ENOUGH_TISSUE:
        brightest = _brightest(pixels)
        places = np.flatnonzero((brightest >= MIN_LIGHT) & (brightest <= brightest_tissue))
        n_tissue = len(places)
        tissue = pixels[places[subsample(len(places), max_pixels, rng)]]
    n_lit = np.count_nonzero(is_lit) * scale
    return Sample(tissue, _only(drawn, is_lit), round(n_tissue), round(n_lit))


def pool(samples: Iterable[Sample], max_pixels: int, seed: int) -> Sample:
    """Put the samples of several fields together.

    Args:
        samples: The samples, at least one.
        max_pixels: Most pixels of either kind to keep.
        seed: Seed of which.

    Returns:
        One sample, which counts the pixels of all fields.
    """
    drawn = list(samples)
    rng = np.random.default_rng(seed)
    kept = []
    for group in ([s.tissue for s in drawn], [s.lit for s in drawn]):
        pixels = np.concatenate(group)
        kept.append(pixels[subsample(len(pixels), max_pixels, rng)])
    return Sample(*kept, sum(s.n_tissue for s in drawn), sum(s.n_lit for s in drawn))


def subsample(count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Choose pixels: all, or one at random of each of as many equal stretches as are wanted.

    Args:
        count: Pixels there are.
        most: Pixels wanted at most.
        rng: What draws.

    Returns:
        Their indices, ascending int64.
    """
    if count <= most:
        return np.arange(count)
    return ((np.arange(most) + rng.random(most)) * (count / most)).astype(np.int64)


def percentile(values: np.ndarray, level: float) -> float:
    """Give a percentile by Hazen's definition, which is MATLAB's.

    Args:
        values: (N,) float, at least one.
        level: Percent, 0 to 100.

    Returns:
        The same as ``np.percentile(values, level, method="hazen")``; of many values, and near
        either end, several times as fast, for only the values beyond a guess are sorted.
    """
    guide = np.sort(values[:: max(1, len(values) // GUIDE_VALUES)])
    beyond = min(1.0, max(2 * min(level, 100 - level) / 100, 0.02))
    place = round(beyond * (len(guide) - 1))
    if level < 50:
        ends, offset = np.sort(values[values <= guide[place]]), 0
    else:
        ends = np.sort(values[values >= guide[-1 - place]])
        offset = len(values) - len(ends)
    rank = np.clip(len(values) * level / 100 - 0.5, 0, len(values) - 1) - offset
    low = int(np.floor(rank))
    if not 0 <= low <= rank <= len(ends) - 1:
        return float(np.percentile(values, level, method="hazen"))
    high = min(low + 1, len(ends) - 1)
    return float(ends[low] + (rank - low) * (ends[high] - ends[low]))


def _only(pixels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Pick some pixels; without a copy if that is all of them."""
    return pixels if kept.all() else np.compress(kept, pixels, axis=0)


def _brightest(pixels: np.ndarray) -> np.ndarray:
    """Give the brightest channel of each pixel."""
    return np.maximum(np.maximum(pixels[:, 0], pixels[:, 1]), pixels[:, 2])
