"""Results of slides, made up."""

import numpy as np

from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.inference.records import SlideResult

MODEL = {
    "config": "configs/maskrcnn_r101_tupac.py",
    "checkpoint": "best.pth",
    "checkpoint_sha256": "ab" * 32,
    "versions": {"mmdet": "3.3.0"},
}


def make_result(centers=(), scores=(), polygons=None, **changes):
    """Make a slide of 4000 x 3000 px, 0.75 mm², with boxes of 40 x 30 px."""
    centers = np.asarray(centers, float).reshape(-1, 2)
    half = np.array([20, 15])
    detections = FieldDetections(
        centers,
        scores if isinstance(scores, np.ndarray) else np.array(scores, float),
        np.concatenate([centers - half, centers + half], axis=1),
        polygons or [[] for _ in centers],
    )
    values = {
        "name": "slide-1",
        "file_name": "cases/slide-1.svs",
        "case": "case-1",
        "width": 4000,
        "height": 3000,
        "mpp": 0.25,
        "detections": detections,
        "threshold": 0.5,
        "threshold_from": "validation split",
        "tissue_mm2": 0.6,
        "model": MODEL,
        "seconds": 12.5,
    }
    return SlideResult(**values | changes)
