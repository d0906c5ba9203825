"""How far darkness alone goes: a blob detector on the hematoxylin channel, tuned on validation.

python benchmarks/blob_detector.py DIR, where DIR is what ``data_prep/prepare.py`` wrote. Of all
combinations of channel, scales, score and area limits, validation chooses one and its threshold;
the test split is scored once, with those.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import gaussian_laplace, maximum_filter
from skimage.color import rgb2hed
from terminaltables import AsciiTable
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmdet_mitosis.cli import run_main
from mmdet_mitosis.datasets.fields import read_field
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.functional import score_order
from mmdet_mitosis.evaluation.scoring import (
    MERGE_RADIUS_UM,
    f_score_interval,
    score_fields,
    split_curve,
    total,
)
from mmdet_mitosis.evaluation.truth import FieldTruth, load_fields

CHANNELS = ("hematoxylin", "optical density")
SCALES_UM = {
    "0.7-1.4 µm": (0.7, 1.0, 1.4),
    "1.4-2.8 µm": (1.4, 2.0, 2.8),
    "0.7-2.8 µm": (0.7, 1.0, 1.4, 2.0, 2.8),
}
SCORES = ("response", "mean darkness", "peak darkness", "darkness x area")
MIN_AREAS_UM2 = (0.0, 6.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 23.0, 26.0)
MAX_AREAS_UM2 = (20.0, 23.0, 26.0, 30.0, 34.0, 38.0, 45.0, 52.0, 60.0, np.inf)
WORK_MPP = 0.5
MIN_RESPONSE = 0.05
DARK_LEVEL = 0.6  # of the way from the usual darkness to the darkest hundredth of a field


@dataclass(frozen=True)
class Blobs:
    """Blobs of one field: centres (N, 2) field px, scores (N, 4) as SCORES, areas (N,) µm²."""

    centers_xy: np.ndarray
    scores: np.ndarray
    areas_um2: np.ndarray


@dataclass(frozen=True)
class Settings:
    """What validation chooses, beside the threshold."""

    channel: str
    scales: str
    score: str
    min_area_um2: float
    max_area_um2: float


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="blob_detector.py", description=__doc__)
    parser.add_argument("data", type=Path, help="folder that prepare.py wrote")
    return parser.parse_args()


def main() -> None:
    root = parse_args().data
    splits = {
        split: load_fields(root / "annotations" / f"{split}.json") for split in ("val", "test")
    }
    blobs = {
        split: {f.image_id: all_blobs(root, f) for f in tqdm(fields, split, unit="field")}
        for split, fields in splits.items()
    }
    settings, threshold = tune(splits["val"], blobs["val"])
    print(
        f"chosen on validation: {settings.channel}, blobs of {settings.scales}, score "
        f"{settings.score}, area {settings.min_area_um2:g} to {settings.max_area_um2:g} µm²"
    )
    rows = [["split", "TP", "FP", "FN", "precision", "recall", "F-score", "95 %", "threshold"]]
    for split, fields in splits.items():
        found = {f.image_id: detections(blobs[split][f.image_id], settings) for f in fields}
        rows.append(table_row(split, fields, found, threshold))
    print(AsciiTable(rows).table)


def darkness(image_rgb: np.ndarray, channel: str) -> np.ndarray:
    """Measure how dark a field is, so that fields of any stain compare.

    Args:
        image_rgb: (H, W, 3) uint8.
        channel: ``hematoxylin`` (Ruifrok and Johnston, 2001) or ``optical density``.

    Returns:
        (H, W) float32, 0 at the field's median and 1 at its darkest hundredth.
    """
    if channel == "hematoxylin":
        dark = rgb2hed(image_rgb)[..., 0].astype(np.float32)
    else:
        dark = -np.log((image_rgb.astype(np.float32) + 1) / 256).sum(axis=-1)
    usual, darkest = np.percentile(dark, (50, 99))
    return ((dark - usual) / max(darkest - usual, 1e-6)).astype(np.float32)


def find_blobs(dark: np.ndarray, scales_um: tuple[float, ...]) -> Blobs:
    """Find the maxima of the scale-normalised Laplacian of Gaussian (Lindeberg, 1998).

    Args:
        dark: Darkness at ``WORK_MPP``, (H, W).
        scales_um: Deviations of the Gaussians, µm.

    Returns:
        The blobs, no two closer than the project's merge radius; centres in px of ``dark``.
    """
    sigmas = [scale / WORK_MPP for scale in scales_um]
    stack = np.stack([-gaussian_laplace(dark, sigma) * sigma**2 for sigma in sigmas])
    response = stack.max(axis=0)
    peaks = (response == maximum_filter(response, 5)) & (response > MIN_RESPONSE)
    rows, cols = np.nonzero(peaks)
    centers = np.stack([cols, rows], axis=1).astype(float)
    keep = _apart(centers, response[rows, cols], MERGE_RADIUS_UM / WORK_MPP)
    rows, cols = rows[keep], cols[keep]
    # What is dark within 5 µm of a blob: its area, and its darkness on the average.
    offsets = np.indices((21, 21)) - 10
    window = (np.hypot(*offsets) * WORK_MPP <= 5.0).astype(np.float32)
    is_dark = (dark > DARK_LEVEL).astype(np.float32)
    count = cv2.filter2D(is_dark, -1, window, borderType=cv2.BORDER_CONSTANT)[rows, cols]
    amount = cv2.filter2D(is_dark * dark, -1, window, borderType=cv2.BORDER_CONSTANT)[rows, cols]
    peak = maximum_filter(cv2.GaussianBlur(dark, (0, 0), 1.0), 9)[rows, cols]
    mean = amount / np.maximum(count, 1)
    scores = np.stack([response[rows, cols], mean, peak, amount], axis=1)
    return Blobs(centers[keep], np.clip(scores, 0, None), count * WORK_MPP**2)


def _apart(centers_xy: np.ndarray, scores: np.ndarray, radius: float) -> np.ndarray:
    """Keep the strongest of the blobs that lie within the radius of one another."""
    kept: list[int] = []
    for index in score_order(scores, centers_xy):
        offsets = centers_xy[kept] - centers_xy[index]
        if not kept or np.hypot(*offsets.T).min() > radius:
            kept.append(int(index))
    return np.array(kept, dtype=int)


def all_blobs(root: Path, field: FieldTruth) -> dict[tuple[str, str], Blobs]:
    """Find a field's blobs in each channel at each set of scales; centres in field px."""
    image = read_field(root / "images" / field.file_name)
    factor = field.mpp / WORK_MPP
    found = {}
    for channel in CHANNELS:
        dark = cv2.resize(
            darkness(image, channel), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
        )
        for name, scales_um in SCALES_UM.items():
            blobs = find_blobs(dark, scales_um)
            centers = (blobs.centers_xy + 0.5) / factor - 0.5
            found[channel, name] = Blobs(centers, blobs.scores, blobs.areas_um2)
    return found


def detections(blobs: dict[tuple[str, str], Blobs], settings: Settings) -> FieldDetections:
    """Take a field's blobs as detections, as the settings say."""
    found = blobs[settings.channel, settings.scales]
    areas, scores = found.areas_um2, found.scores[:, SCORES.index(settings.score)]
    keep = (areas >= settings.min_area_um2) & (areas <= settings.max_area_um2)
    order = score_order(scores[keep], found.centers_xy[keep])
    centers, scores = found.centers_xy[keep][order], scores[keep][order]
    boxes = np.concatenate([centers, centers], axis=1)
    return FieldDetections(centers, scores, boxes, [[] for _ in scores])


def tune(
    fields: list[FieldTruth], blobs: dict[int, dict[tuple[str, str], Blobs]]
) -> tuple[Settings, float]:
    """Choose the settings and the threshold of the highest F-score on validation."""
    product = itertools.product(CHANNELS, SCALES_UM, SCORES, MIN_AREAS_UM2, MAX_AREAS_UM2)
    grid = [Settings(*values) for values in product if values[3] < values[4]]
    best_f, best = -1.0, None
    for settings in tqdm(grid, "tune", unit="setting"):
        curve = split_curve(fields, {i: detections(b, settings) for i, b in blobs.items()})
        f_score = float(curve.f_score.max(initial=0.0))
        if f_score > best_f:
            best_f, best = f_score, (settings, curve.best_threshold())
    assert best is not None
    return best


def table_row(
    split: str, fields: list[FieldTruth], found: dict[int, FieldDetections], threshold: float
) -> list[str]:
    """Score a split and lay out its row of the table."""
    scores = score_fields(fields, found, threshold)
    counts = total(scores)
    low, high, _ = f_score_interval(scores)
    ratios = (counts.precision, counts.recall, counts.f_score)
    return [
        split,
        *map(str, (counts.tp, counts.fp, counts.fn)),
        *(f"{ratio:.3f}" for ratio in ratios),
        f"{low:.3f}-{high:.3f}",
        f"{threshold:.3f} (val)",
    ]


if __name__ == "__main__":
    run_main(main, "blob_detector.py")
