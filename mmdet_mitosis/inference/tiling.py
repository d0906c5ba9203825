"""Windows of a slide with a halo, so that each object is seen whole by the one that counts it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmdet_mitosis.evaluation.functional import merge_windows
from mmdet_mitosis.inference.tissue import tissue_in

MIN_SIDE = 32
"""Side of the smallest window that the detectors take, px."""


@dataclass(frozen=True)
class Tiles:
    """Windows of one size, whose cores share the slide out among them.

    All in px of the model's resolution. A detection belongs to the window whose core has its
    centre. From there to a border of the window that is not the slide's it is at least the halo.

    Attributes:
        width: Of the slide.
        height: Of the slide.
        halo: Least distance of a core from the inner borders of its window.
        windows_xyxy: (N, 4) integers, row by row. They lie on the slide; only one that is narrower
            or lower than 32 px is exceeded by its windows.
        cores_xyxy: (N, 4) integers: x1 <= x < x2 and y1 <= y < y2 are the window's own.
        n_left_out: Windows without tissue in their core, which are not among these.
    """

    width: int
    height: int
    halo: int
    windows_xyxy: np.ndarray
    cores_xyxy: np.ndarray
    n_left_out: int

    def __len__(self) -> int:
        """Give the number of windows."""
        return len(self.windows_xyxy)

    @property
    def area_px(self) -> int:
        """Area of the cores: what is looked at, px²."""
        sides = self.cores_xyxy[:, 2:] - self.cores_xyxy[:, :2]
        return int(sides.prod(axis=1).sum())


def plan_tiles(
    width: int, height: int, window: int, halo: int, tissue: np.ndarray | None = None
) -> Tiles:
    """Cover a slide with as few windows of a size as the halo allows, evenly spaced.

    Args:
        width: Of the slide, px of the model's resolution.
        height: Of the slide, px of the model's resolution.
        window: Side of a window, px. All windows have one size: along an axis on which the slide is
            shorter that is its length, but at least 32 px.
        halo: How far a window sees beyond its core, px: no less than what a detection reaches from
            its centre.
        tissue: (h, w) bool over the whole slide; a window without tissue in its core is left out.

    Returns:
        The windows, row by row.

    Raises:
        ValueError: If a length is out of range, or the halo leaves no core.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a slide must have at least 1 x 1 px, got {width} x {height}")
    if window < MIN_SIDE or halo < 0 or window <= 2 * halo:
        raise ValueError(
            f"a window of {window} px with a halo of {halo} px has no core; expected at least "
            f"{MIN_SIDE} px, and more than twice the halo"
        )
    columns, rows = _place(width, window, halo), _place(height, window, halo)
    y, x = (index.ravel() for index in np.indices((len(rows), len(columns))))
    # Columns of _place: origin, end, and the core's.
    windows, cores = (
        np.stack([columns[x, i], rows[y, i], columns[x, i + 1], rows[y, i + 1]], axis=1)
        for i in (0, 2)
    )
    keep = np.ones(len(x), bool) if tissue is None else tissue_in(tissue, cores, width, height)
    n_left_out = int((~keep).sum())
    return Tiles(width, height, halo, windows[keep], cores[keep], n_left_out)


def _place(length: int, window: int, halo: int) -> np.ndarray:
    """Place windows along one axis: origin, end, first of the core, end of the core, (n, 4)."""
    if length <= window:
        return np.array([[0, max(length, MIN_SIDE), 0, length]])
    n = -(-(length - 2 * halo) // (window - 2 * halo))
    origins = np.arange(n) * (length - window) // (n - 1)
    middles = (origins[1:] + origins[:-1] + window) // 2
    cuts = np.concatenate([[0], middles, [length]])
    return np.stack([origins, origins + window, cuts[:-1], cuts[1:]], axis=1)


def keep_owned(core_xyxy: np.ndarray, centers_xy: np.ndarray) -> np.ndarray:
    """Tell which detections of a window lie in its core.

    Args:
        core_xyxy: The core x1, y1, x2, y2, or one for each detection, (N, 4).
        centers_xy: (N, 2), px of the slide at the model's resolution.

    Returns:
        (N,) bool: each point of the slide is in one core.
    """
    core, centers = np.asarray(core_xyxy), np.asarray(centers_xy, float).reshape(-1, 2)
    return ((centers >= core[..., :2]) & (centers < core[..., 2:])).all(axis=-1)


def merge_tiles(
    centers_xy: np.ndarray,
    scores: np.ndarray,
    bboxes_xyxy: np.ndarray,
    tile_index: np.ndarray,
    tiles: Tiles,
    radius: float,
) -> np.ndarray:
    """Choose among the detections of all windows one for each object.

    A window's detection counts if it lies in its core or no further than half the radius beyond
    (and than the halo, which should not be less); of those, the surest first, every other one
    within the radius is dropped, as ``merge_windows`` does. By cores alone an object near their
    border could be lost or doubled, for no two windows place it alike. Thus it is not: where two
    windows have it within the radius of each other, one of them has it within half the radius of
    its core, and if both have, they count as one.

    What lies further out is the neighbour's to judge, also where it finds nothing: all of the slide
    but for these bands is looked at once.

    Args:
        centers_xy: (N, 2), px of the slide at the model's resolution.
        scores: (N,).
        bboxes_xyxy: (N, 4), px as the centres.
        tile_index: Row of the windows that each comes from, (N,).
        tiles: The windows.
        radius: Detections at most this far apart are one object, px.

    Returns:
        (K,) indices of the detections that stay, by descending score. The same set for any order.

    Raises:
        ValueError: If the arrays do not belong together.
    """
    index = np.asarray(tile_index, int).reshape(-1)
    if len(index) and (index.min() < 0 or index.max() >= len(tiles)):
        raise ValueError(
            f"tile_index runs from {index.min()} to {index.max()}, but there are {len(tiles)} tiles"
        )
    centers = np.asarray(centers_xy, float).reshape(-1, 2)
    bboxes, scores = np.asarray(bboxes_xyxy, float).reshape(-1, 4), np.asarray(scores, float)
    if not len(centers) == len(scores) == len(bboxes) == len(index):
        raise ValueError(
            f"{len(centers)} centres, {len(scores)} scores, {len(bboxes)} boxes and {len(index)} "
            "tiles do not belong together"
        )
    band = min(radius / 2, tiles.halo)
    near = np.flatnonzero(keep_owned(_grown(tiles, band)[index], centers))
    # One window, the slide, cuts nothing: this merges by the radius alone.
    frame = np.array([[0, 0, tiles.width, tiles.height]])
    none = np.zeros(len(near), int)
    return near[merge_windows(centers[near], scores[near], bboxes[near], none, frame, radius)]


def _grown(tiles: Tiles, band: float) -> np.ndarray:
    """Widen the cores by a band, and without end where they reach the slide's border."""
    grown = tiles.cores_xyxy + np.array([-band, -band, band, band], float)
    size = (tiles.width, tiles.height)
    grown[:, :2][tiles.cores_xyxy[:, :2] <= 0] = -np.inf
    grown[:, 2:][tiles.cores_xyxy[:, 2:] >= size] = np.inf
    return grown
