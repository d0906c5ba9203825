"""Painted slides of dark spots, and a detector that finds spots without a network."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.draw import disk

from mmdet_mitosis.evaluation.windows import WindowDetections

RADIUS = 8


def paint(spots_xy, width: int, height: int) -> np.ndarray:
    """Pink with dark spots of 8 px, (height, width, 3) uint8."""
    image = np.full((height, width, 3), (225, 170, 200), np.uint8)
    for x, y in spots_xy:
        rows, columns = disk((y, x), RADIUS + 0.5, shape=(height, width))
        image[rows, columns] = (60, 30, 90)
    return image


def random_spots(n: int, width: int, height: int, seed: int = 0, apart: int = 40) -> np.ndarray:
    """Places whose spots lie inside, no nearer than ``apart`` to each other, (N, 2) int."""
    rng = np.random.default_rng(seed)
    kept: list = []
    while len(kept) < n:
        point = rng.integers(12, (width - 12, height - 12))
        if all(np.hypot(*(point - other)) >= apart for other in kept):
            kept.append(point)
    return np.array(kept)


class SpotDetector:
    """Finds what is dark; the larger the piece of a spot that it sees, the surer it is."""

    mpp, threshold, threshold_from, normalizer = 0.25, 0.5, "the test", None
    merge_radius_um = 6.25

    def __init__(self, window_size=256, batch_size=4, workers=2, stop_after=None, parallel=1):
        self.window_size, self.batch_size, self.workers = window_size, batch_size, workers
        self.parallel, self.stop_after, self.n_seen = parallel, stop_after, 0
        self.record = {"config": "spots", "checkpoint": "none", "checkpoint_sha256": "0" * 64}
        self.record |= {"config_sha256": "0" * 64, "versions": {}}

    def prepare(self, window_rgb, fit):
        assert fit is None
        return window_rgb

    def detect(self, prepared, windows_xyxy):
        if self.stop_after is not None and self.n_seen >= self.stop_after:
            raise KeyboardInterrupt
        self.n_seen += len(prepared)
        return [self._found(*pair) for pair in zip(prepared, windows_xyxy, strict=True)]

    def _found(self, rgb, window):
        labels, n = ndimage.label(rgb[..., 0] < 140)
        boxes = [
            (s[1].start, s[0].start, s[1].stop, s[0].stop) for s in ndimage.find_objects(labels)
        ]
        boxes = np.array(boxes, float).reshape(-1, 4)
        sizes = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(1, n + 1))
        boxes += np.tile(window[:2], 2)
        return WindowDetections(
            image_id=0,
            window_xyxy=tuple(window),
            centers_xy=(boxes[:, :2] + boxes[:, 2:]) / 2,
            bboxes_xyxy=boxes,
            scores=np.clip(np.asarray(sizes, float).reshape(-1) / 230, 0, 1),
            polygons=[[box[[0, 1, 2, 1, 2, 3]]] for box in boxes],
        )


def same_places(found, spots_xy, within: float = 2.0) -> bool:
    """Each spot is found once, and nothing else."""
    if len(found) != len(spots_xy):
        return False
    if not len(found):
        return True
    gaps = np.hypot(*(found.centers_xy[:, None] - (np.asarray(spots_xy) + 0.5)[None]).T)
    return bool((gaps.min(axis=0) <= within).all() and (gaps.min(axis=1) <= within).all())


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path
