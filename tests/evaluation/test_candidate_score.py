"""CandidateScore: the refiner's figures, with stage 1's misses in them."""

import numpy as np
import pytest
from mmdet.registry import METRICS

from mmdet_mitosis.evaluation import CandidateScore


def slow(scores, labels, n_missed):
    """The highest F-score and the average precision, threshold by threshold."""
    n_gt = sum(labels) + n_missed
    points = []
    for threshold in sorted(set(scores), reverse=True):
        taken = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
        tp = sum(taken)
        points.append((threshold, tp / len(taken), tp / n_gt, 2 * tp / (len(taken) + n_gt)))
    area, before = 0.0, 0.0
    for k, (_, _, recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p, _, _ in points[k:])
        before = recall
    return area, max(points, key=lambda p: p[3])


def test_figures_are_those_of_every_threshold_tried():
    rng = np.random.default_rng(0)
    for n_missed in (0, 3, 40):
        labels = rng.random(60) < 0.4
        scores = np.round(np.clip(0.4 * labels + rng.random(60) * 0.6, 0, 1), 2)
        found = CandidateScore.calculate(scores, labels, n_missed)
        area, (threshold, precision, recall, f_score) = slow(
            scores.tolist(), labels.tolist(), n_missed
        )
        assert found["ap"] == pytest.approx(area)
        assert found["f_score"] == pytest.approx(f_score)
        assert found["precision"] == pytest.approx(precision)
        assert found["recall"] == pytest.approx(recall)
        # What the threshold lets in is what the figures are of.
        below = scores[scores < threshold]
        assert below.max(initial=0.0) < found["threshold"] <= threshold


def test_a_perfect_refiner_cannot_find_what_stage_1_missed():
    found = CandidateScore.calculate([0.9, 0.8, 0.1], [True, True, False], n_missed=2)
    assert (found["recall"], found["precision"], found["ap"]) == (0.5, 1.0, 0.5)
    assert found["f_score"] == pytest.approx(2 / 3)
    assert found["accuracy"] == 1.0
    alone = CandidateScore.calculate([0.9, 0.8, 0.1], [True, True, False])
    assert (alone["recall"], alone["ap"], alone["f_score"]) == (1.0, 1.0, 1.0)


def test_accuracy_is_at_a_half_and_cross_entropy_is_in_nats():
    scores, labels = [0.9, 0.5, 0.4, 0.2], [True, False, True, False]
    found = CandidateScore.calculate(scores, labels)
    assert found["accuracy"] == 0.5
    assert found["cross_entropy"] == pytest.approx(-np.log([0.9, 0.5, 0.4, 0.8]).mean())
    wrong = CandidateScore.calculate([0.0, 1.0], [True, False])["cross_entropy"]
    assert 10 < wrong < 20


def test_without_mitoses_or_candidates_there_is_nothing_but_zeros():
    assert CandidateScore.calculate([0.3, 0.2], [False, False])["f_score"] == 0.0
    empty = CandidateScore.calculate([], [], n_missed=3)
    assert empty.pop("threshold") == 0.5
    assert set(empty.values()) == {0.0}


def test_batches_are_put_together_with_the_misses_of_the_dataset(mmdet_scope):
    metric = METRICS.build({"type": "CandidateScore"})
    metric.dataset_meta = {"classes": ("other", "mitosis"), "n_missed": 1}
    metric.process({}, [{"pred_score": 0.9, "label": 1}, {"pred_score": 0.4, "label": 0}])
    metric.process({}, [{"pred_score": 0.7, "label": 1}])
    found = metric.evaluate(size=3)
    expected = CandidateScore.calculate([0.9, 0.4, 0.7], [True, False, True], 1)
    assert found == {f"candidate/{name}": value for name, value in expected.items()}
    assert found["candidate/recall"] == pytest.approx(2 / 3)


def test_a_dataset_that_does_not_count_misses_is_refused():
    for meta in (None, {"classes": ("mitosis",)}):
        metric = CandidateScore()
        metric.dataset_meta = meta
        with pytest.raises(ValueError, match="needs a CandidateDataset"):
            metric.compute_metrics([(0.5, 1)])
