"""Peaks of probability maps."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import label
from scipy.spatial import cKDTree
from torch import Tensor

KERNEL_REACH = 3
"""A Gaussian is cut at so many deviations."""


def smooth_maps(maps: Tensor, sigma: float) -> Tensor:
    """Smooth maps by a Gaussian, the border repeated.

    A mitosis is drawn as a disc, so a good map has a flat top: its middle is the highest point of
    the smoothed map.

    Args:
        maps: (B, H, W), floats.
        sigma: Deviation, px; 0 changes nothing.

    Returns:
        (B, H, W).
    """
    if sigma == 0:
        return maps
    reach = max(1, round(KERNEL_REACH * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=maps.dtype, device=maps.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    x = F.pad(maps[:, None], (reach,) * 4, mode="replicate")
    x = F.conv2d(F.conv2d(x, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return x[:, 0]


def find_peaks(
    maps: Tensor, min_distance: int, threshold: float = 0.0, max_peaks: int | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Find the pixels that none within a distance exceeds.

    Distances are the larger of those in x and in y. Neighbouring pixels that tie are one peak, at
    the pixel next to their middle; of peaks that tie at a distance the first in reading order
    stays.

    Args:
        maps: (B, H, W), floats.
        min_distance: Peaks are further apart than this, px; at least 1.
        threshold: Lowest value of a peak.
        max_peaks: Most peaks of a map, the highest; None: all.

    Returns:
        For each map the peaks by descending value: (N, 2) positions, x first, in px, where the
        middle of the first pixel is (0.5, 0.5); and (N,) values.

    Raises:
        ValueError: If the distance is less than 1 px.
    """
    if min_distance < 1:
        raise ValueError(f"min_distance must be at least 1 px, got {min_distance}")
    side = 2 * min_distance + 1
    highest = F.max_pool2d(maps[:, None], (side, 1), 1, (min_distance, 0))
    highest = F.max_pool2d(highest, (1, side), 1, (0, min_distance))[:, 0]
    # Neighbours that are both highest are equal, so a connected part is of one value.
    is_peak = ((maps >= threshold) & (maps == highest)).cpu().numpy()
    found = []
    for values, mask in zip(maps, is_peak, strict=True):
        rows_cols = _middles(mask)
        rows, cols = torch.as_tensor(rows_cols.T, device=maps.device)
        scores = values[rows, cols]
        keep = _apart(rows_cols, scores.double().cpu().numpy(), min_distance)
        keep = torch.as_tensor(keep[:max_peaks], device=maps.device)
        xy = torch.stack([cols, rows], dim=1)[keep].to(maps.dtype) + 0.5
        found.append((xy, scores[keep]))
    return found


def _middles(mask: np.ndarray) -> np.ndarray:
    """Give the pixel next to the middle of each connected part of (H, W): (N, 2) row, column."""
    rows_cols = np.argwhere(mask)
    parts = label(mask, structure=np.ones((3, 3)))[0][mask] - 1
    sums = [np.bincount(parts, weights=positions) for positions in rows_cols.T]
    middles = np.stack(sums, axis=1) / np.bincount(parts)[:, None]
    distances = ((rows_cols - middles[parts]) ** 2).sum(axis=1)
    # The sort is stable, and argwhere goes in reading order.
    order = np.lexsort((distances, parts))
    nearest = np.unique(parts[order], return_index=True)[1]
    return rows_cols[order[nearest]]


def _apart(rows_cols: np.ndarray, scores: np.ndarray, min_distance: int) -> np.ndarray:
    """Choose by descending score those with none chosen within the distance: (K,) indices."""
    order = np.lexsort((rows_cols[:, 1], rows_cols[:, 0], -scores))
    if not len(order):
        return order
    near = cKDTree(rows_cols).query_ball_point(rows_cols, min_distance, p=np.inf)
    free = np.ones(len(order), dtype=bool)
    chosen = []
    for i in order:
        if free[i]:
            chosen.append(i)
            free[near[i]] = False
    return np.array(chosen, dtype=int)
