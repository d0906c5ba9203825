"""The rules of others beside the project's, on the same cases, with what makes them differ."""

from itertools import count

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmdet_mitosis.evaluation.functional import (
    MATCH_METHODS,
    Counts,
    count_matches,
    match_points,
    threshold_curve,
)
from tests.evaluation.slow import (
    RADIUS,
    as_set,
    random_case,
    slow_midog,
    slow_tiatoolbox,
)

DISAGREEMENTS = {
    # Hungarian first and radius afterwards would pair crosswise and keep nothing.
    "gate first": ([(0, 0), (100, 0)], [(29, 0), (-60, 0)], [0.9, 0.8], "111 111 111 111"),
    # Telophase: two nuclei of one label, both found.
    "second hit": ([(0, 0)], [(12, 0), (-12, 0)], [0.9, 0.8], "110 110 100 110"),
    # One prediction cannot find two mitoses.
    "one for two": ([(-10, 0), (10, 0)], [(0, 0)], [0.9], "101 101 101 101"),
    # The surest takes the mitosis that is the only one in reach of the other.
    "greed": ([(0, 0), (25, 0)], [(20, 0), (50, 0)], [0.9, 0.8], "200 111 101 200"),
    # The first mitosis takes the prediction that is the only one in reach of the second.
    "list order": ([(0, 0), (25, 0)], [(20, 0), (-25, 0)], [0.8, 0.9], "200 200 200 111"),
}
"""Ground truth, predictions, scores, and TP FP FN under each of MATCH_METHODS."""


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_the_methods_differ_where_and_as_it_is_said(name: str) -> None:
    gt, pred, scores, expected = DISAGREEMENTS[name]
    found = [count_matches(gt, pred, RADIUS, scores, method) for method in MATCH_METHODS]
    assert " ".join(f"{c.tp}{c.fp}{c.fn}" for c in found) == expected


def test_tiatoolbox_loses_pairs_where_its_assignment_leaves_the_radius_and_only_there() -> None:
    # Its f1_detection assigns by the least distance of all pairs (pair_coordinates) and drops what
    # is too far afterwards: a far pair in the sum can make it give up a near one.
    fewer = 0
    for seed in range(400):
        gt, pred, _ = random_case(seed, side=140.0)
        pairs, cut = slow_tiatoolbox(gt, pred)
        optimal = match_points(gt, pred, RADIUS)
        assert len(pairs) <= len(optimal), seed
        if not cut:
            assert pairs == as_set(optimal), seed
        fewer += len(pairs) < len(optimal)
    assert fewer > 10


def test_tiatoolbox_keeps_nothing_of_the_crosswise_case() -> None:
    gt, pred, *_ = DISAGREEMENTS["gate first"]
    assert slow_tiatoolbox(gt, pred) == (set(), True)
    assert count_matches(gt, pred, RADIUS).tp == 1


def test_midog_finds_fewer_only_where_a_mitosis_takes_from_a_later_one() -> None:
    # In evalutils' score_detection each mitosis, as listed, takes its nearest free prediction.
    # Where all mitoses have a nearest prediction of their own, that is the optimum.
    fewer = same = 0
    for seed in range(400):
        gt, pred, _ = random_case(seed)
        counts = {m: count_matches(gt, pred, RADIUS, method=m) for m in ("optimal", "midog")}
        n_pairs = len(slow_midog(gt, pred))
        assert counts["midog"] == Counts(n_pairs, len(pred) - n_pairs, len(gt) - n_pairs), seed
        assert counts["midog"].tp <= counts["optimal"].tp
        if len(gt) and len(pred):
            nearest = np.hypot(*(gt[:, None] - pred[None]).T).T.argmin(axis=1)
            if len(set(nearest.tolist())) == len(gt):
                assert as_set(match_points(gt, pred, RADIUS)) == slow_midog(gt, pred), seed
                same += 1
        fewer += counts["midog"].tp < counts["optimal"].tp
    assert fewer
    assert same > 50


def keypoint_evaluation(fields, max_detections: int) -> COCOeval:
    """Run COCO's keypoint evaluation: one keypoint, similar enough at the radius and nearer."""
    numbers = count(1)
    truth, found = [], []
    for image_id, (gt, pred, scores) in enumerate(fields, start=1):
        # exp(-d² / (2 area (2 sigma)²)) with sigma 1/2: at the radius it is exp(-1/2).
        base = {"image_id": image_id, "category_id": 1}
        for x, y in gt.tolist():
            mitosis = {"id": next(numbers), "keypoints": [x, y, 2], "num_keypoints": 1}
            shape = {"area": RADIUS**2, "bbox": [x, y, 1, 1], "iscrowd": 0}
            truth.append(base | mitosis | shape)
        for (x, y), score in zip(pred.tolist(), scores.tolist(), strict=True):
            found.append(base | {"keypoints": [x, y, 1], "score": score})
    coco = COCO()
    images = [{"id": i + 1} for i in range(len(fields))]
    coco.dataset = {"images": images, "annotations": truth, "categories": [{"id": 1}], "info": {}}
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(found), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.array([0.5])
    evaluation.params.iouThrs = np.array([np.exp(-0.5)])
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.params.maxDets = [max_detections]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


def coco_hits(evaluation: COCOeval) -> int:
    return sum(int((e["dtMatches"] > 0).sum()) for e in evaluation.evalImgs if e is not None)


def field(seed: int, side: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A crowded field with at least one mitosis and prediction; no two scores are equal."""
    rng = np.random.default_rng(seed)
    n_gt, n_pred = rng.integers(1, 9, 2)
    gt, pred = rng.uniform(0, side, (n_gt, 2)), rng.uniform(0, side, (n_pred, 2))
    return gt, pred, rng.random(n_pred)


def test_pycocotools_pairs_as_greedy() -> None:
    fields = [field(seed, side=80.0) for seed in range(60)]
    evaluation = keypoint_evaluation(fields, 100)
    n_below = 0
    for i, (gt, pred, scores) in enumerate(fields):
        record = evaluation.evalImgs[i]
        partner = {d: g for d, g in zip(record["dtIds"], record["dtMatches"][0], strict=True) if g}
        detections = {a["id"]: a for a in evaluation.cocoDt.loadAnns(record["dtIds"])}
        mitoses = {a["id"]: a for a in evaluation.cocoGt.loadAnns(record["gtIds"])}
        expected = {
            (*mitoses[int(g)]["keypoints"][:2], *detections[d]["keypoints"][:2])
            for d, g in partner.items()
        }
        pairs = match_points(gt, pred, RADIUS, scores, "greedy")
        assert {(*gt[g], *pred[p]) for g, p in pairs.tolist()} == expected, i
        n_below += len(pairs) < count_matches(gt, pred, RADIUS).tp
    assert n_below  # and so both find less than the optimum


def test_pycocotools_average_precision_is_that_of_101_recalls() -> None:
    # The project takes the area below the same envelope, step by step.
    fields = [field(seed, side=200.0) for seed in range(20)]
    evaluation = keypoint_evaluation(fields, 100)
    hits = []
    for gt, pred, scores in fields:
        is_hit = np.zeros(len(pred), bool)
        is_hit[match_points(gt, pred, RADIUS, scores, "greedy")[:, 1]] = True
        hits.append(is_hit)
    n_gt = sum(len(gt) for gt, *_ in fields)
    curve = threshold_curve(np.concatenate([f[2] for f in fields]), np.concatenate(hits), n_gt)
    sampled = [
        max(curve.precision[curve.recall >= recall], default=0.0)
        for recall in np.linspace(0, 1, 101)
    ]
    found = evaluation.eval["precision"].mean()
    assert found == pytest.approx(np.mean(sampled))
    assert found == pytest.approx(curve.average_precision, abs=0.01)
    assert found != pytest.approx(curve.average_precision, abs=1e-6)


def test_pycocotools_looks_at_20_detections_of_an_image_by_default() -> None:
    gt = np.stack([np.arange(25) * 100.0, np.zeros(25)], axis=1)
    fields = [(gt, gt + 3, np.linspace(0.9, 0.5, 25))]
    (default,) = COCOeval(iouType="keypoints").params.maxDets
    assert coco_hits(keypoint_evaluation(fields, default)) == default == 20
    assert coco_hits(keypoint_evaluation(fields, 100)) == count_matches(*fields[0][:2], RADIUS).tp
