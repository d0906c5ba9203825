"""The threshold that is chosen for a recall, and its way into the checkpoint."""

from types import SimpleNamespace

import numpy as np
import pytest

from mmdet_mitosis.engine.threshold_hook import KEY, ThresholdHook
from mmdet_mitosis.evaluation import centroid_fscore
from mmdet_mitosis.evaluation.functional import threshold_curve
from tests.evaluation.test_centroid_fscore import LEFT, build, counts, evaluate, sample
from tests.evaluation.test_curve import curve_of, random_split, recount


def test_it_is_the_highest_of_all_thresholds_that_reach_the_recall() -> None:
    n_reached = 0
    for seed in range(60):
        fields = random_split(seed)
        curve = curve_of(fields)
        scores = sorted({s for field in fields for s in field[2]}, reverse=True)
        for asked in (0.2, 0.5, 0.75, 1.0):
            recalls = [recount(fields, score).recall for score in scores]
            threshold, recall = curve.threshold_for_recall(asked)
            goal = min(asked, max(recalls, default=0))
            # Without predictions there is nothing to choose.
            expected = next((s for s, r in zip(scores, recalls, strict=True) if r >= goal), 0.5)
            kept = {s for s in scores if s >= threshold}
            assert kept == {s for s in scores if s >= expected}, (seed, asked)
            assert recall == pytest.approx(recount(fields, threshold).recall)
            n_reached += recall >= asked
    assert 20 < n_reached < 220


def test_it_lies_between_the_last_score_let_in_and_the_next() -> None:
    curve = threshold_curve([0.9, 0.5, 0.3, 0.2], [True, True, False, True], 4)
    assert curve.threshold_for_recall(0.5) == pytest.approx((0.4, 0.5))
    assert curve.threshold_for_recall(0.51) == pytest.approx((0.1, 0.75))
    assert curve.threshold_for_recall(0.25) == pytest.approx((0.7, 0.25))


def test_out_of_reach_it_is_the_highest_threshold_of_the_highest_recall() -> None:
    curve = threshold_curve([0.9, 0.5, 0.3, 0.2], [True, True, False, False], 4)
    assert curve.threshold_for_recall(0.95) == pytest.approx((0.4, 0.5))


def test_recall_is_reached_exactly() -> None:
    curve = threshold_curve(np.linspace(1, 0.1, 20), [True] * 20, 20)
    assert curve.threshold_for_recall(0.95)[1] == 0.95


def test_without_predictions_or_mitoses_there_is_a_threshold_all_the_same() -> None:
    assert threshold_curve([], [], 3).threshold_for_recall(0.9) == (0.5, 0.0)
    assert threshold_curve([0.6, 0.2], [False, False], 0).threshold_for_recall(0.9)[1] == 0


@pytest.mark.parametrize("asked", [0, -0.5, 1.01, 95, float("nan")])
def test_what_is_no_recall_is_refused(tmp_path, asked: float) -> None:
    with pytest.raises(ValueError, match="over 0 and at most 1, got"):
        threshold_curve([0.5], [True], 1).threshold_for_recall(asked)
    with pytest.raises(ValueError, match="over 0 and at most 1, got"):
        build(tmp_path, min_recall=asked)


MITOSES = {1: [(100, 100), (200, 200), (300, 300), (400, 400)]}
SEEN = sample(
    LEFT,
    *((100, 100, 0.9), (200, 200, 0.8), (300, 300, 0.2)),
    *((100, 300, 0.5), (200, 400, 0.4), (300, 100, 0.3), (400, 100, 0.35), (50, 400, 0.45)),
)
"""Three of four mitoses, the third below five false alarms."""


@pytest.fixture
def said(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(centroid_fscore, "print_log", lambda text, *_, **__: lines.append(text))
    return lines


def test_the_metric_goes_below_its_best_f_score_for_the_recall(tmp_path, said) -> None:
    metrics = evaluate(build(tmp_path, MITOSES, threshold="choose"), SEEN)
    assert counts(metrics) == (2, 0, 2) and metrics["threshold"] == pytest.approx(0.65)
    assert "recall" not in said[-1]
    metrics = evaluate(build(tmp_path, MITOSES, threshold="choose", min_recall=0.75), SEEN)
    assert counts(metrics) == (3, 5, 1) and metrics["threshold"] == pytest.approx(0.1)
    assert metrics["precision"] == 3 / 8 and metrics["ap"] > 0.5
    assert "for recall >= 0.75, it is 0.750" in said[-1]


def test_the_metric_says_that_a_recall_is_out_of_reach(tmp_path, said) -> None:
    metrics = evaluate(build(tmp_path, MITOSES, threshold="choose", min_recall=0.95), SEEN)
    assert counts(metrics) == (3, 5, 1) and metrics["threshold"] == pytest.approx(0.1)
    assert "recall 0.95 is out of reach, the highest is 0.750" in said[-1]


def test_the_metric_does_not_go_above_its_best_f_score(tmp_path, said) -> None:
    metrics = evaluate(build(tmp_path, MITOSES, threshold="choose", min_recall=0.25), SEEN)
    assert counts(metrics) == (2, 0, 2) and metrics["threshold"] == pytest.approx(0.65)
    assert "for recall >= 0.25, it is 0.500" in said[-1]


def test_a_threshold_that_is_given_stays_whatever_the_recall(tmp_path, said) -> None:
    metrics = evaluate(build(tmp_path, MITOSES, threshold=0.85, min_recall=0.95), SEEN)
    assert counts(metrics) == (1, 0, 3) and metrics["threshold"] == 0.85
    assert "given" in said[-1] and "recall" not in said[-1]


@pytest.mark.parametrize(("asked", "reached"), [(None, None), (0.75, 0.75), (0.95, 0.75)])
def test_the_checkpoint_tells_what_recall_was_asked_for_and_reached(
    tmp_path, asked, reached
) -> None:
    metric = build(tmp_path, MITOSES, threshold="choose", min_recall=asked)
    metrics = {f"mitosis/{name}": value for name, value in evaluate(metric, SEEN).items()}
    hook, checkpoint = ThresholdHook(), {}
    evaluator = SimpleNamespace(metrics=[metric])
    runner = SimpleNamespace(val_loop=SimpleNamespace(evaluator=evaluator))
    hook.after_val_epoch(runner, metrics)
    hook.before_save_checkpoint(runner, checkpoint)
    record = checkpoint[KEY]
    assert record["threshold"] == metrics["mitosis/threshold"]
    assert (record.get("min_recall"), record.get("recall")) == (asked, reached)
    assert {"f_score", "chosen_on", "radius_um"} <= set(record)
