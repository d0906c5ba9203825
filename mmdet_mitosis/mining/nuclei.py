"""Nuclei of a field: what stains most with hematoxylin."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import cKDTree
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu

from mmdet_mitosis.stain import MacenkoNormalizer

WORK_MPP = 0.5
"""Nuclei are looked for in an image of about this resolution, µm a pixel."""
SIGMA_UM = 1.5
"""Smoothing, of the order of a nucleus' radius, so that chromatin clumps give one maximum."""
PEAK_UM = 2.0
"""A maximum is the highest point this far around."""
MIN_HEMATOXYLIN = 0.15
"""Smoothed optical density over which there is tissue; noise on glass stays under it."""


def find_nuclei(rgb: np.ndarray, mpp: float, spacing_um: float) -> np.ndarray:
    """Find nuclei as local maxima of hematoxylin, above Otsu's threshold in tissue.

    Args:
        rgb: The field, (H, W, 3) uint8.
        mpp: Size of its pixels, µm.
        spacing_um: Any two are further apart than this, µm; the darker one stays.

    Returns:
        (N, 2) points, px of the field, x first, row by row; none where nothing is stained.

    Raises:
        ValueError: If it is no 8-bit RGB image, or a length is not positive.
    """
    if not (mpp > 0 and spacing_um > 0):
        raise ValueError(f"mpp and spacing_um must be positive, got {mpp} and {spacing_um}")
    factor = max(1, round(WORK_MPP / mpp))
    height, width = (max(1, side // factor) for side in rgb.shape[:2])
    small = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)
    hematoxylin = np.ascontiguousarray(MacenkoNormalizer().concentrations(small)[..., 0])
    smooth = cv2.GaussianBlur(hematoxylin, (0, 0), SIGMA_UM / (mpp * factor))
    in_tissue = smooth[smooth > MIN_HEMATOXYLIN]
    if not len(in_tissue):
        return np.empty((0, 2))
    peaks_yx = peak_local_max(
        smooth,
        min_distance=max(1, round(PEAK_UM / (mpp * factor))),
        threshold_abs=float(threshold_otsu(in_tissue)),
        exclude_border=False,
    )
    order = np.lexsort((peaks_yx[:, 1], peaks_yx[:, 0], -smooth[tuple(peaks_yx.T)]))
    scale_xy = np.array([rgb.shape[1] / width, rgb.shape[0] / height])
    points = (peaks_yx[order][:, ::-1] + 0.5) * scale_xy
    points = points[_apart(points, spacing_um / mpp)]
    return points[np.lexsort((points[:, 0], points[:, 1]))]


def _apart(points: np.ndarray, spacing: float) -> np.ndarray:
    """Keep each point that no kept point before it has within the spacing, (N,) bool."""
    keep = np.ones(len(points), dtype=bool)
    if not len(points):
        return keep
    for i, others in enumerate(cKDTree(points).query_ball_point(points, spacing)):
        if keep[i]:
            keep[[j for j in others if j > i]] = False
    return keep
