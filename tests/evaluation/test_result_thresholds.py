"""Where a threshold is from, and what figures are called that were tuned on their own split."""

from pathlib import Path

import pytest

from mmdet_mitosis.evaluation.results import (
    Target,
    Threshold,
    as_oracle,
    check_scores,
    choose_on,
    format_results,
    load_target,
    read_results,
    score_results,
    tune,
)
from tests.evaluation.fields import coco, write
from tests.evaluation.result_files import (
    MITOSES,
    ground_truth,
    write_coco,
    write_tupac,
)

VAL = {7: [(400, 300)], 8: [(100, 100)]}
VAL_POINTS = {7: [(400, 300, 0.9), (50, 50, 0.66)], 8: [(100, 100, 0.7), (500, 500, 0.3)]}
"""Both mitoses score above both false ones: the middle of 0.7 and 0.66."""


def read(folder: Path, mitoses: dict, points: dict):
    """A split and the results on it."""
    folder.mkdir(exist_ok=True)
    target = load_target(write(folder / "gt.json", coco(mitoses)))
    return target, read_results(write_coco(folder, points), target)


@pytest.fixture
def test_split(tmp_path: Path):
    target = load_target(ground_truth(tmp_path))
    return target, read_results(write_coco(tmp_path), target)


def test_the_threshold_of_a_validation_split_is_between_what_it_parts(tmp_path, test_split) -> None:
    val, val_results = read(tmp_path / "val", VAL, VAL_POINTS)
    threshold = choose_on(val, val_results, test_split[0])
    assert threshold == Threshold(pytest.approx(0.68), f"{val.path} (validation)")
    summary = score_results(*test_split, threshold)
    assert (summary["tp"], summary["fp"], summary["fn"]) == (1, 1, 2)


def test_a_threshold_is_chosen_within_the_radius_that_is_scored(tmp_path, test_split) -> None:
    # 7.6 µm off: a false alarm within 7.5 µm, a hit within 8 µm.
    false = [(50 * i, 50, 0.5) for i in range(1, 4)]
    off = {7: [(400, 330.4, 0.9), *false], 8: [(100, 100, 0.4)]}
    val, val_results = read(tmp_path / "val", VAL, off)
    assert choose_on(val, val_results, test_split[0], 8.0).value == pytest.approx(0.7)
    assert choose_on(val, val_results, test_split[0]).value == pytest.approx(0.2)


def test_a_split_that_shares_an_image_with_what_is_scored_is_refused(tmp_path, test_split) -> None:
    target, results = test_split
    with pytest.raises(ValueError, match=r"3 images in common, as source/01.tif: a threshold"):
        choose_on(target, results, target)
    overlapping = {**VAL, 2: MITOSES[2]}
    val, val_results = read(tmp_path / "val", overlapping, VAL_POINTS)
    with pytest.raises(ValueError, match=r"1 images in common, as source/02.tif"):
        choose_on(val, val_results, target)
    # Another image by the same name, of another data set
    val, val_results = read(tmp_path / "val", {**VAL, 2: [(9, 9)]}, VAL_POINTS)
    assert not choose_on(val, val_results, target).oracle


def test_the_oracle_is_tuned_on_the_split_itself_and_says_so(test_split) -> None:
    target, results = test_split
    threshold = tune(target, results)
    # 0.9 hits; 0.7 and 0.6 are false, 0.4 hits: F = 2/4, 2/5, 2/6, 4/7
    assert (threshold.value, threshold.oracle) == (pytest.approx(0.2), True)
    assert threshold.origin == f"oracle: tuned on {target.path}, the split that is scored"
    summary = score_results(target, results, threshold)
    assert summary["f_score"] == summary["oracle_f_score"] == pytest.approx(4 / 7)


def keys(value: object) -> set[str]:
    """All keys at any depth."""
    if not isinstance(value, dict):
        return set()
    return set(value).union(*map(keys, value.values()))


def test_no_figure_of_an_oracle_is_called_f_score(test_split) -> None:
    threshold = tune(*test_split)
    summary = score_results(*test_split, threshold, method="paper")
    assert "f_score" in keys(summary)
    figures = as_oracle(summary)
    assert "f_score" not in keys(figures)
    assert "interval" not in figures
    assert figures["oracle_f_score"] == summary["f_score"]
    assert figures["oracle_interval"] == summary["interval"]
    assert figures["cases"]["01"]["oracle_f_score"] == summary["cases"]["01"]["f_score"]
    assert figures["by_method"]["midog"]["oracle_f_score"] > 0
    for name in ("tp", "fp", "fn", "threshold", "method", "radius_um", "n_fields"):
        assert figures[name] == summary[name]
    assert figures["threshold_from"].startswith("oracle")


def test_the_text_of_an_oracle_says_so_before_any_figure(test_split) -> None:
    threshold = tune(*test_split)
    text = format_results(score_results(*test_split, threshold), oracle=True)
    assert text.index("ORACLE") < text.index("F-score |")
    assert "test (oracle)" in text
    assert text.endswith("oracle_f_score 0.571")
    assert "ORACLE" not in format_results(score_results(*test_split, threshold), oracle=False)


def test_without_scores_there_is_nothing_to_choose(tmp_path, test_split) -> None:
    target = test_split[0]
    results = read_results(write_tupac(tmp_path, scores=False), target)
    for refused in (
        lambda: tune(target, results),
        lambda: choose_on(target, results, target),
        lambda: check_scores(results, "--threshold"),
    ):
        with pytest.raises(ValueError, match="has no scores, so that every detection counts"):
            refused()


def test_without_scores_there_is_no_curve(tmp_path, test_split) -> None:
    target = test_split[0]
    results = read_results(write_tupac(tmp_path, scores=False), target)
    summary = score_results(target, results, Threshold(1.0, "none"))
    assert (summary["tp"], summary["fp"], summary["fn"]) == (2, 2, 1)
    assert summary["ap"] is summary["froc"] is summary["oracle_f_score"] is None
    assert "2 " in format_results(summary, oracle=False)


def test_the_figures_say_what_they_are_of(tmp_path, test_split) -> None:
    target, results = test_split
    summary = score_results(target, results, Threshold(0.5, "--threshold"), 6.0, "greedy")
    assert isinstance(target, Target)
    assert summary["ground_truth"] == str(tmp_path / "test.json")
    assert summary["results"] == str(tmp_path / "found.json")
    assert (summary["format"], summary["split"]) == ("COCO results", "test")
    assert (summary["radius_um"], summary["method"]) == (6.0, "greedy")
    assert (summary["n_fields"], summary["n_mitoses"]) == (3, 3)
    assert (summary["n_detections"], summary["n_left_out"]) == (4, 0)
    assert summary["n_without_detections"] == 0
