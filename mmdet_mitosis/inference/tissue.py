"""Where there is tissue on a slide, so that glass is not looked at."""

from __future__ import annotations

import numpy as np
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import label
from skimage.morphology import isotropic_closing, isotropic_dilation

from mmdet_mitosis.inference.slides import Slide

MASK_MPP = 16.0
"""Resolution that tissue is looked for at, µm a pixel."""
WHOLE_MM2 = 5.0
"""An image up to this size is a field that somebody chose: all of it is looked at."""
MIN_CHROMA, MAX_CHROMA = 0.04, 0.08
"""Limits of the threshold: glass stays under the first, pale stroma is over the second; between
them Otsu's method decides."""
SMOOTH_UM = 10.0
CLOSE_UM = 60.0
"""Clefts up to twice this wide belong to the tissue around them."""
HOLE_MM2 = 0.25
"""Glass up to this size in tissue belongs to it."""
SPECK_MM2 = 0.01
"""What is smaller is dirt: about 70 x 70 µm, which smoothing widens."""
MARGIN_UM = 100.0
"""The mask goes this far beyond the tissue."""
GLASS_LEVEL, GLASS_CAST = 200, 15
"""Glass is brighter than the first in each channel, and its channels are no further apart."""
BLACK_LEVEL, DARK_LEVEL, DARK_CAST = 60, 110, 25
"""Black is under the first in each channel, or under the second and grey to within the third."""
GREENER = 25
"""Ink, and no stain of H&E, is greener than red by this."""


def slide_tissue(slide: Slide) -> np.ndarray | None:
    """Find the tissue of a slide.

    Args:
        slide: The open slide.

    Returns:
        (h, w) bool over the whole slide, a pixel about 16 µm; None for a field of up to 5 mm²,
        all of which is looked at.

    Raises:
        ValueError: If the slide cannot be read.
    """
    if slide.width * slide.height * slide.mpp**2 <= WHOLE_MM2 * 1e6:
        return None
    return tissue_mask(slide.read(0, 0, *slide.size_at(MASK_MPP), MASK_MPP), MASK_MPP)


def tissue_mask(thumbnail_rgb: np.ndarray, mpp: float) -> np.ndarray:
    """Tell tissue from glass, black borders and ink by its colour.

    Its chroma, the range of its optical density over the channels, is above Otsu's threshold, which
    is kept between 0.04 and 0.08: so of a picture of glass alone nothing is tissue, and of one of
    tissue alone everything. Small holes are filled, specks dropped, and a margin is added. Red ink
    looks like eosin, and stays.

    Args:
        thumbnail_rgb: The slide in small, (h, w, 3) uint8.
        mpp: Size of its pixels, µm.

    Returns:
        (h, w) bool.

    Raises:
        ValueError: If it is no 8-bit RGB image, or ``mpp`` is not positive.

    Source:
        N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9, 1979.
    """
    rgb = thumbnail_rgb
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"expected (h, w, 3) uint8, got {rgb.shape} {rgb.dtype}")
    if not mpp > 0:
        raise ValueError(f"mpp must be positive, got {mpp}")
    is_ink = _is_ink(rgb)
    # Without ink before it is smoothed: its rim would be tissue.
    chroma = gaussian(np.where(is_ink, 0, _chroma(rgb)), SMOOTH_UM / mpp)
    threshold = MIN_CHROMA
    if chroma.max() > MIN_CHROMA:
        threshold = np.clip(threshold_otsu(chroma), MIN_CHROMA, MAX_CHROMA)
    mask = _closed((chroma > threshold) & ~is_ink, CLOSE_UM / mpp)
    mask = _without_small(mask, SPECK_MM2 * 1e6 / mpp**2)
    if not mask.any():
        return mask
    mask = ~_without_small(~mask, HOLE_MM2 * 1e6 / mpp**2)
    return isotropic_dilation(mask, MARGIN_UM / mpp)


def tissue_share(rgb: np.ndarray) -> float:
    """Give the share of an image's pixels that are stained.

    Args:
        rgb: (h, w, 3) uint8.

    Returns:
        That of the pixels whose chroma is over 0.08, 0 to 1.
    """
    return float((_chroma(rgb) > MAX_CHROMA).mean())


def tissue_in(
    mask: np.ndarray, windows_xyxy: np.ndarray, width: float, height: float
) -> np.ndarray:
    """Tell which windows touch tissue.

    Args:
        mask: (h, w) bool over the whole slide.
        windows_xyxy: (N, 4), px of any resolution.
        width: Of the slide at that resolution, px.
        height: Of the slide at that resolution, px.

    Returns:
        (N,) bool. A pixel of the mask that a window touches by its edge counts.
    """
    rows, columns = mask.shape
    windows = np.asarray(windows_xyxy, float).reshape(-1, 4)
    scale = np.array([columns / width, rows / height])
    first = np.floor(windows[:, :2] * scale).astype(int).clip(0, (columns, rows))
    stop = np.ceil(windows[:, 2:] * scale).astype(int).clip(0, (columns, rows))
    sums = np.zeros((rows + 1, columns + 1), np.int64)
    sums[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    (x1, y1), (x2, y2) = first.T, stop.T
    return sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1] > 0


def _chroma(rgb: np.ndarray) -> np.ndarray:
    """Give the range of a pixel's optical density over the channels, (h, w); of glass it is 0."""
    least = rgb.min(axis=2)
    brightest = np.median(rgb[least >= np.percentile(least, 99)], axis=0)
    glass = np.ones(3)
    if brightest.min() >= GLASS_LEVEL and np.ptp(brightest) <= GLASS_CAST:
        glass = (brightest + 1) / (brightest + 1).mean()
    density = -np.log((rgb + np.float32(1)) / glass.astype(np.float32))
    return np.ptp(density, axis=2)


def _is_ink(rgb: np.ndarray) -> np.ndarray:
    """Find black, and ink of a colour that H&E has not, (h, w) bool."""
    most, least = rgb.max(axis=2), rgb.min(axis=2)
    is_grey = most - least < DARK_CAST
    is_black = (most < BLACK_LEVEL) | ((most < DARK_LEVEL) & is_grey)
    return is_black | (rgb[..., 1].astype(int) - rgb[..., 0] > GREENER)


def _closed(mask: np.ndarray, radius_px: float) -> np.ndarray:
    """Close clefts, with room around for the rim that closing adds on its way."""
    if not mask.any():
        return mask
    room = int(radius_px) + 2
    return isotropic_closing(np.pad(mask, room), radius_px)[room:-room, room:-room]


def _without_small(mask: np.ndarray, min_px: float) -> np.ndarray:
    """Drop the connected parts of a mask that are smaller than so many pixels."""
    parts = label(mask, connectivity=1)
    is_kept = np.bincount(parts.ravel()) >= min_px
    is_kept[0] = False
    return is_kept[parts]
