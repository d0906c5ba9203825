"""Detectors side by side: figures, differences, and what is written."""

import csv
import io
import json
from pathlib import Path

import pytest

from mmdet_mitosis.evaluation.comparison import (
    Contender,
    compare_detectors,
    comparison_csv,
    comparison_markdown,
    format_comparison,
)
from mmdet_mitosis.evaluation.results import Threshold, load_target, read_results
from mmdet_mitosis.evaluation.scoring import compare_f_scores, f_score_interval, score_fields
from tests.evaluation.fields import coco, write
from tests.evaluation.result_files import write_coco, write_tupac

MITOSES = {i: [(100, 100), (300, 300)] for i in range(1, 9)}
"""Fields of four cases."""
ALL = {i: [(100, 100, 0.9), (300, 300, 0.8)] for i in MITOSES}
SOME = {i: [(100, 100, 0.9), (500, 500, 0.6), (300, 300, 0.2)] for i in MITOSES}


@pytest.fixture
def target(tmp_path: Path):
    return load_target(write(tmp_path / "test.json", coco(MITOSES)))


def contender(target, folder: Path, name: str, points: dict, threshold: float, **costs):
    (folder / name).mkdir()
    results = read_results(write_coco(folder / name, points), target)
    return Contender(name, results, Threshold(threshold, "val.json (validation)"), costs)


@pytest.fixture
def pair(tmp_path, target) -> list[Contender]:
    return [
        contender(target, tmp_path, "ours", ALL, 0.5, seconds_per_mm2=0.25),
        contender(target, tmp_path, "theirs", SOME, 0.5, n_parameters=43_000_000),
    ]


def test_each_detector_is_scored_at_its_own_threshold(tmp_path, target, pair) -> None:
    pair.append(contender(target, tmp_path, "low", SOME, 0.1))
    rows = compare_detectors(target, pair)["detectors"]
    counts = [(row["tp"], row["fp"], row["fn"]) for row in rows]
    assert counts == [(16, 0, 0), (8, 8, 8), (16, 8, 0)]
    assert [row["f_score"] for row in rows] == pytest.approx([1, 0.5, 0.8])
    assert [row["precision"] for row in rows] == pytest.approx([1, 0.5, 2 / 3])
    assert [row["recall"] for row in rows] == pytest.approx([1, 0.5, 1])
    assert [row["threshold"] for row in rows] == [0.5, 0.5, 0.1]
    # Half of all at precision 1, the rest at 2/3
    assert [row["ap"] for row in rows] == pytest.approx([1, 0.5 + 0.5 * 2 / 3, 0.5 + 0.5 * 2 / 3])


def test_differences_are_own_less_first_and_paired(tmp_path, target) -> None:
    uneven = {i: found if i > 4 else [] for i, found in ALL.items()}
    two = [
        contender(target, tmp_path, "a", uneven, 0.5),
        contender(target, tmp_path, "b", ALL, 0.5),
    ]
    first, second = compare_detectors(target, two)["detectors"]
    assert first["difference"] is None
    scores = [score_fields(target.fields, one.results.detections, 0.5) for one in two]
    expected, _ = compare_f_scores(scores[1], scores[0])
    assert second["difference"] == {
        "to": "a",
        "f_score": pytest.approx(1 - 2 / 3),
        "low": expected.low,
        "high": expected.high,
        "p_value": expected.p_value,
    }
    low, high, _ = f_score_interval(scores[0])
    assert first["interval"] == {"low": low, "high": high, "level": 0.95}
    assert low < high


def test_the_comparison_says_what_it_is_of(target, pair) -> None:
    found = compare_detectors(target, pair, 6.0, "greedy")
    assert (found["split"], found["ground_truth"]) == ("test", str(target.path))
    assert (found["method"], found["radius_um"]) == ("greedy", 6.0)
    assert (found["n_fields"], found["n_mitoses"], found["resampled"]) == (8, 16, "case")
    assert json.loads(json.dumps(found)) == found


def test_method_and_radius_are_those_that_are_asked_for(tmp_path, target) -> None:
    twice = {i: [(100, 100, 0.9), (100, 128, 0.8)] for i in MITOSES}
    one = [contender(target, tmp_path, "a", twice, 0.5)]
    counts = {
        (method, radius): compare_detectors(target, one, radius, method)["detectors"][0]["fp"]
        for method, radius in (("optimal", 7.5), ("paper", 7.5), ("paper", 6.9))
    }
    assert counts == {("optimal", 7.5): 8, ("paper", 7.5): 0, ("paper", 6.9): 8}


def test_names_must_differ(target, pair) -> None:
    with pytest.raises(ValueError, match="cannot compare ours, ours: names must differ"):
        compare_detectors(target, [pair[0], pair[0]])
    with pytest.raises(ValueError, match="cannot compare no detectors"):
        compare_detectors(target, [])


def cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_the_text_has_figures_thresholds_and_differences(target, pair) -> None:
    text = format_comparison(compare_detectors(target, pair))
    header, ours, theirs, differences, difference = cells(text)
    assert header[:8] == [
        *("detector", "threshold", "TP", "FP", "FN", "precision", "recall", "F-score"),
    ]
    assert header[8:] == ["95 % interval", "AP", "parameters", "s per mm²"]
    assert ours[:8] == ["ours", "0.500", "16", "0", "0", "1.000", "1.000", "1.000"]
    assert ours[9:] == ["1.000", "-", "0.250"]
    assert theirs[9:] == ["0.833", "43,000,000", "-"]
    assert differences[0] == "less ours"
    assert difference[:2] == ["theirs", "-0.500"]
    assert "8 fields, 16 mitoses; optimal matching within 7.5 µm" in text
    assert "theirs: threshold from val.json (validation)" in text


def test_costs_that_nobody_knows_have_no_column(tmp_path, target) -> None:
    two = [contender(target, tmp_path, name, ALL, 0.5) for name in "ab"]
    comparison = compare_detectors(target, two)
    assert cells(format_comparison(comparison))[0][-1] == "AP"
    assert "n_parameters" not in comparison_csv(comparison)


def test_without_scores_there_is_no_ap(tmp_path, target, pair) -> None:
    results = read_results(write_tupac(tmp_path, ALL, scores=False), target)
    pair.append(Contender("points", results, Threshold(1.0, "none")))
    comparison = compare_detectors(target, pair)
    assert comparison["detectors"][2]["ap"] is None
    assert cells(format_comparison(comparison))[3][9] == "-"
    assert comparison["detectors"][2]["f_score"] == 1


def test_notes_of_the_results_are_kept(tmp_path, target) -> None:
    few = {1: ALL[1]}
    two = [contender(target, tmp_path, name, few, 0.5) for name in "ab"]
    comparison = compare_detectors(target, two)
    note = "7 of 8 images have no detection; their 14 mitoses count as missed"
    assert comparison["detectors"][0]["notes"] == [note]
    assert f"b: {note}" in format_comparison(comparison)


def test_markdown_has_the_same_cells(tmp_path, target, pair) -> None:
    comparison = compare_detectors(target, pair)
    rows = cells(comparison_markdown(comparison))
    rules = [rows[1], rows[5]]
    assert all(set("".join(rule)) == set("-:") for rule in rules)
    assert [row for row in rows if row not in rules] == cells(format_comparison(comparison))
    piped = [contender(target, tmp_path, "a|b", ALL, 0.5)]
    assert "a\\|b" in comparison_markdown(compare_detectors(target, piped))


def test_csv_has_full_numbers(target, pair) -> None:
    comparison = compare_detectors(target, pair)
    first, second = csv.DictReader(io.StringIO(comparison_csv(comparison)))
    rows = comparison["detectors"]
    for line, row in ((first, rows[0]), (second, rows[1])):
        for key in ("threshold", "tp", "fp", "fn", "precision", "recall", "f_score", "ap"):
            assert float(line[key]) == row[key]
        assert float(line["f_score_low"]) == row["interval"]["low"]
        assert line["threshold_from"] == "val.json (validation)"
    assert (first["n_parameters"], second["n_parameters"]) == ("", "43000000")
    assert (first["difference"], first["difference_to"], first["p_value"]) == ("", "", "")
    assert second["difference_to"] == "ours"
    assert float(second["difference"]) == -0.5
    assert float(second["p_value"]) == rows[1]["difference"]["p_value"]
