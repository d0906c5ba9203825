"""The same seed twice, and arithmetic at the ends of float32."""

import itertools
import random
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from mmdet_mitosis.engine.checkpoints import find_checkpoint, read_checkpoint
from mmdet_mitosis.evaluation.functional import (
    MATCH_METHODS,
    free_response,
    judge_points,
    match_points,
    merge_windows,
    threshold_curve,
)
from mmdet_mitosis.geometry.shapes import SHAPES, clip_to_field, synthetic_polygon
from mmdet_mitosis.geometry.windows import clip_object, field_windows, polygons_bbox
from mmdet_mitosis.json_file import load_json
from mmdet_mitosis.models.consensus import merge_views
from mmdet_mitosis.stain import NORMALIZERS, ColorFit, StainFit
from mmdet_mitosis.stain.augment import jitter, restain
from mmdet_mitosis.stain.torch_batch import TorchNormalizer
from tests.stress.judging import Judge, finite, generator
from tests.tools.commands import CONFIG, options, succeed
from tests.tools.test_resume import losses, same

F32 = np.finfo(np.float32)
LARGEST = float(F32.max)
PLAIN = (0.0, 0.5, 1.0, 3.0, 64.0, 511.5, 512.0)
ENDS = (float(F32.smallest_subnormal), float(F32.tiny), float(F32.eps), 2.0**24, 1e19, LARGEST)
N_CASES = 3000
SIDE = 512
ELSEWHERE = (
    "ann_file",
    "image_root",
    "checkpoint",
    "threshold_from",
    "train_hours",
    "seconds_per_mm2",
)
"""Entries of a test's scores that name places and times."""


def extreme(rng: random.Random, signed: bool = True) -> float:
    """Draw a number that float32 has: a plain one, one at its ends, or a neighbour of either."""
    value = rng.choice(PLAIN if rng.random() < 0.5 else ENDS)
    if rng.random() < 0.3:
        value = float(np.nextafter(np.float32(value), np.float32(rng.choice((0.0, LARGEST)))))
    return -value if signed and rng.random() < 0.3 else value


def array(rng: random.Random, *shape: int, signed: bool = True) -> np.ndarray:
    """Draw so many of them."""
    return np.array([extreme(rng, signed) for _ in range(int(np.prod(shape)))]).reshape(shape)


def try_all(name: str, case: Callable[[random.Random], None], n_cases: int = N_CASES) -> None:
    """Run cases; a warning of NumPy's, as of an overflow, is a fault."""
    judge = Judge(name)
    for number in range(n_cases):
        with warnings.catch_warnings(), np.errstate(invalid="raise", divide="raise"):
            warnings.simplefilter("error")
            judge.put(number, partial(case, generator(name, number)))
    assert judge.finish() == n_cases
    assert judge.ends["read"] > n_cases / 4, "hardly anything was computed"


def match(rng: random.Random) -> None:
    gt, pred = (array(rng, rng.randrange(6), 2) for _ in range(2))
    if len(gt) and rng.random() < 0.7:
        pred = np.concatenate([pred, gt[rng.choices(range(len(gt)), k=2)]])
    scores, radius = array(rng, len(pred)), extreme(rng, signed=False)
    method = rng.choice(MATCH_METHODS)
    pairs = match_points(gt, pred, radius, scores, method)
    distances = np.hypot(*(gt[pairs[:, 0]] - pred[pairs[:, 1]]).T)
    assert (distances <= radius * (1 + 1e-12)).all()
    assert all(len(set(column)) == len(pairs) for column in pairs.T.tolist())
    near = np.hypot(*np.moveaxis(gt[:, None] - pred[None], -1, 0)) < radius * (1 - 1e-12)
    near[pairs[:, 0]] = False
    near[:, pairs[:, 1]] = False
    assert not near.any(), "two that are free and near were not paired"
    counts = judge_points(gt, pred, radius, scores, method).counts
    assert finite(counts.f_score, counts.precision, counts.recall)


def merge(rng: random.Random) -> None:
    n = rng.randrange(1, 8)
    centers, scores = array(rng, n, 2), array(rng, n)
    boxes = np.sort(array(rng, n, 2, 2), axis=1).reshape(n, 4)
    windows = field_windows(SIDE, SIDE, 256, 0.5)
    index = np.array([rng.randrange(len(windows)) for _ in range(n)])
    radius = extreme(rng, signed=False)
    kept = merge_windows(centers, scores, boxes, index, windows, radius)
    assert len(set(kept.tolist())) == len(kept) <= n
    apart = [np.hypot(*(centers[a] - centers[b])) for a, b in itertools.combinations(kept, 2)]
    assert all(distance > radius * (1 - 1e-12) for distance in apart)
    surest, means = merge_views(centers, scores, index % 3, 3, radius)
    assert len(set(surest.tolist())) == len(surest) and finite(*means.tolist())


def curve(rng: random.Random) -> None:
    n = rng.randrange(8)
    hits = np.array([rng.random() < 0.5 for _ in range(n)], dtype=bool)
    found = threshold_curve(array(rng, n), hits, int(hits.sum()) + rng.randrange(2))
    recall = found.threshold_for_recall(rng.choice((0.5, 0.95, 1.0)))
    assert finite(found.best_threshold(), found.average_precision, found.best_f_score, *recall)
    assert 0 <= found.average_precision <= 1 and 0 <= found.best_f_score <= 1
    froc = free_response(found, abs(extreme(rng)))
    assert 0 <= froc.mean_recall <= 1


def cut(rng: random.Random) -> None:
    polygons = [array(rng, rng.randrange(3, 7), 2) for _ in range(rng.randrange(1, 3))]
    window = (0, 0, SIDE, SIDE)
    parts, visible = clip_object([polygon.ravel().tolist() for polygon in polygons], window)
    assert finite(*parts, visible) and 0 <= visible <= 1
    assert all(-1e-6 <= value <= SIDE + 1e-6 for part in parts for value in part)
    if parts:
        assert finite(*polygons_bbox(parts))


def draw(rng: random.Random) -> None:
    centroid, mpp = (extreme(rng), extreme(rng)), abs(extreme(rng))
    _, outline = synthetic_polygon(centroid, mpp, "01", rng.choice(SHAPES))
    assert np.isfinite(outline).all()
    parts = clip_to_field([outline], SIDE, SIDE)
    assert finite(*parts) and all(0 <= value <= SIDE for part in parts for value in part)


def picture(rng: random.Random, side: int = 24) -> np.ndarray:
    """Paint pixels of all kinds, black and white ones too."""
    levels = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (side, side, 3))
    levels[:4], levels[4:8] = 0, 255
    return levels.astype(np.uint8)


def stain_fit(rng: random.Random) -> StainFit:
    """Draw stains at the ends of what is taken for some."""
    stains = array(rng, 3, 2, signed=rng.random() < 0.3)
    stains[[0, 1, 0, 1], [0, 1, 1, 0]] = [rng.uniform(*ends) for ends in ((0.1, 10), (0, 0.1)) * 2]
    return StainFit(np.clip(stains, -10, 10), np.clip(array(rng, 2, signed=False), 1e-3, 1000))


def recolor(rng: random.Random) -> None:
    rgb, method = picture(rng), rng.choice(sorted(NORMALIZERS))
    if method == "reinhard":
        fits = [
            ColorFit(
                np.clip(array(rng, 3), -200, 200), np.clip(array(rng, 3, signed=False), 1e-3, 200)
            )
            for _ in range(2)
        ]
    else:
        fits = [stain_fit(rng) for _ in range(2)]
    normalizer = NORMALIZERS[method].from_dict({"method": method, "target": fits[0].to_dict()})
    made = normalizer.normalize(rgb, fits[1])
    assert made.dtype == np.uint8 and made.shape == rgb.shape
    batch = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    of_torch = TorchNormalizer(normalizer).normalize(batch, fits[1:])
    apart = (of_torch[0].permute(1, 2, 0).int() - torch.from_numpy(made).int()).abs()
    gain = (fits[0].std_lab / fits[1].std_lab).max() if method == "reinhard" else 1
    # Fits as far out as these cost single precision a digit; a hundredfold stretch makes noise.
    assert apart.max() <= 3 or gain > 100, f"{method}: {apart.max()} levels apart"


def augment(rng: random.Random) -> None:
    rgb, first, second = picture(rng), stain_fit(rng), stain_fit(rng)
    factor, shift = array(rng, 2, signed=False).clip(0, 2), array(rng, 2).clip(-5, 5)
    for change in (
        jitter(first.stain_matrix, factor, shift),
        restain(first, second, factor, shift),
    ):
        made = change.apply(rgb)
        assert made.dtype == np.uint8
        assert (made[4:8] == 255).all(), "white did not stay white"


@pytest.mark.parametrize("case", [match, merge, curve, cut, draw, recolor, augment])
def test_no_number_is_lost(case: Callable[[random.Random], None]) -> None:
    try_all(case.__name__, case)


def chain(root: Path, seed: int) -> Path:
    """Paint an archive, prepare, train, test; give the work folder."""
    words = ["--size", 256, "--fields-per-case", 1, "--cases", "01", "21", "27", "--seed", seed]
    succeed("data_prep/synthesize.py", "--out", root / "archive", *words)
    succeed("data_prep/prepare.py", "tupac16", root / "archive", "--out", root / "data")
    settings = [*options(root / "data"), f"randomness.seed={seed}"]
    settings.append("train_dataloader.num_workers=2")
    words = [CONFIG, "--work-dir", root / "work", "--cfg-options", *settings]
    succeed("tools/train.py", *words, "default_hooks.logger.interval=1")
    succeed("tools/test.py", CONFIG, root / "work", *words[1:])
    return root / "work"


def content(folder: Path, pattern: str) -> dict[str, bytes]:
    """Read files by their places in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob(pattern)}


def figures(work: Path) -> dict:
    """Read what a test said, without what takes another time or lies in another place."""
    scores = load_json(work / "test_scores.json", "the scores of a test")
    return {key: value for key, value in scores.items() if key not in ELSEWHERE}


def test_a_seed_gives_the_same_twice(tmp_path: Path) -> None:
    """Data to the last byte, losses and weights to the last bit, detections and figures."""
    seeds = {"a": 3, "b": 3, "c": 4}
    first, second, other = (chain(tmp_path / name, seed) for name, seed in seeds.items())
    for folder, pattern, n_files in (("archive", "*.tif", 3), ("data", "annotations/*.json", 3)):
        one, same_again, another = (
            content(work.parent / folder, pattern) for work in (first, second, other)
        )
        assert one == same_again != another
        assert len(one) == n_files
    assert losses(first) == losses(second) != losses(other)
    weights = [
        read_checkpoint(find_checkpoint(work))["state_dict"] for work in (first, second, other)
    ]
    assert same(weights[0], weights[1]) and not same(weights[0], weights[2])
    found = [(work / "test_detections.json").read_bytes() for work in (first, second, other)]
    assert found[0] == found[1] != found[2]
    assert figures(first) == figures(second) and "f_score" in figures(first)
    print("\nthe same seed twice: data, losses, weights, detections and figures are the same")
