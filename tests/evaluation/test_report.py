"""What is printed and kept of a test."""

import json

import pytest

from mmdet_mitosis.evaluation.report import HEADER, format_summary, summarize
from tests.evaluation.fields import found, truth

APERIO, LEICA = "Aperio", "Leica"
FIELDS = [
    truth(1, (100, 100), (300, 100), case="27", scanner=APERIO),
    truth(2, (200, 200), case="27", scanner=APERIO),
    truth(3, (500, 500), (50, 50), case="30", scanner=LEICA),
]
DETECTIONS = {
    1: found((100, 90, 0.9), (100, 110, 0.8), (700, 500, 0.3)),  # a hit twice; one below
    2: found((600, 400, 0.7)),
    3: found((500, 500, 0.95), (60, 50, 0.6), (400, 100, 0.55)),
}


def summary(fields=FIELDS, detections=DETECTIONS, method: str = "optimal") -> dict:
    return summarize("test", fields, detections, 0.5, "val.json (validation)", 7.5, method)


def counts(figures: dict) -> tuple[int, int, int]:
    return figures["tp"], figures["fp"], figures["fn"]


def rows(text: str) -> dict[str, list[str]]:
    """Lines of the table by their first column."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if row}


def test_figures_are_those_counted_by_hand() -> None:
    figures = summary()
    assert counts(figures) == (3, 3, 2)
    assert (figures["n_fields"], figures["n_mitoses"]) == (3, 5)
    assert figures["precision"] == pytest.approx(3 / 6)
    assert figures["recall"] == pytest.approx(3 / 5)
    assert figures["f_score"] == pytest.approx(6 / 11)
    assert (figures["threshold"], figures["radius_um"], figures["method"]) == (0.5, 7.5, "optimal")


def test_each_case_and_scanner_has_its_figures() -> None:
    figures = summary()
    assert {name: counts(case) for name, case in figures["cases"].items()} == {
        "27": (1, 2, 2),
        "30": (2, 1, 0),
    }
    assert {name: counts(group) for name, group in figures["scanners"].items()} == {
        APERIO: (1, 2, 2),
        LEICA: (2, 1, 0),
    }
    assert figures["cases"]["27"]["n_fields"] == 2
    assert figures["cases"]["30"]["f_score"] == pytest.approx(4 / 5)


def test_methods_stand_side_by_side_and_the_headline_is_the_one_asked_for() -> None:
    figures = summary()
    assert counts(figures["by_method"]["optimal"]) == (3, 3, 2)
    assert counts(figures["by_method"]["greedy"]) == (3, 3, 2)
    assert counts(figures["by_method"]["paper"]) == (3, 2, 2)  # the second hit is nothing
    assert counts(figures["by_method"]["midog"]) == (3, 3, 2)
    assert list(figures["by_method"]) == ["optimal", "greedy", "paper", "midog"]
    assert counts(summary(method="paper")) == (3, 2, 2)
    assert counts(summary(method="paper")["cases"]["27"]) == (1, 1, 2)


def test_oracle_is_the_best_over_all_thresholds() -> None:
    # By descending score: hit, hit, twice, false, hit: the best is F = 6/10 with five predictions
    # against 4/7 with two.
    figures = summary()
    assert figures["oracle_f_score"] == pytest.approx(6 / 10)
    assert figures["ap"] == pytest.approx(1 / 5 + 1 / 5 + 3 / 5 / 5)


def test_froc_and_counts_are_kept() -> None:
    figures = summary()
    # On 0.09 mm² one false alarm is 11 per mm²: the two surest are hits.
    assert figures["froc"]["recall_at_fp_per_mm2"] == dict.fromkeys(
        ("0.125", "0.25", "0.5", "1", "2", "4", "8"), pytest.approx(2 / 5)
    )
    assert figures["froc"]["mean_recall"] == pytest.approx(2 / 5)
    assert figures["counts"]["cases"]["30"]["n_predicted"] == 3
    assert figures["counts"]["agreement"]["bias"] == pytest.approx(((3 - 3) + (3 - 2)) / 2)
    assert summary([], {})["froc"] is None


def test_the_interval_says_what_was_resampled() -> None:
    interval = summary()["interval"]
    assert (interval["level"], interval["resampled"]) == (0.95, "case")
    assert interval["low"] <= 6 / 11 <= interval["high"]
    assert summary(FIELDS[:2])["interval"]["resampled"] == "field"


def test_figures_go_into_json_and_back() -> None:
    assert json.loads(json.dumps(summary())) == summary()
    json.dumps(summary([], {}))


def test_the_table_has_every_case_scanner_and_the_split() -> None:
    table = rows(format_summary(summary()))
    assert table[""] == HEADER[1:]
    assert table["case 27"] == ["2", "3", "1", "2", "2", "0.333", "0.333", "0.333"]
    assert table["case 30"] == ["1", "2", "2", "1", "0", "0.667", "1.000", "0.800"]
    assert table[LEICA] == table["case 30"]
    assert table["test"] == ["3", "5", "3", "3", "2", "0.500", "0.600", "0.545"]


def test_one_scanner_is_no_line_of_its_own() -> None:
    assert APERIO not in rows(format_summary(summary(FIELDS[:2])))


def test_the_text_says_where_the_threshold_is_from_and_what_the_paper_counts() -> None:
    text = format_summary(summary())
    assert "threshold 0.500 from val.json (validation)" in text
    assert "optimal matching within 7.5 µm" in text
    assert "(bootstrap by case)" in text
    assert "paper's rule (a second hit counts as nothing): F 0.600, precision 0.600" in text
    assert "greedy matching" not in text  # no line where it says the same


def test_greedy_has_a_line_where_it_differs() -> None:
    # The surest is nearer to the right mitosis, and the left one is out of the other's reach.
    fields = [truth(1, (100, 100), (125, 100))]
    detections = {1: found((120, 100, 0.9), (150, 100, 0.8))}
    text = format_summary(summary(fields, detections))
    assert rows(text)["test"][2:5] == ["2", "0", "0"]
    assert "greedy matching: F 0.500" in text


def test_nothing_at_all_is_still_a_table() -> None:
    assert rows(format_summary(summary([], {})))["test"][-1] == "0.000"
    assert rows(format_summary(summary(FIELDS, {})))["test"][:5] == ["3", "5", "0", "0", "5"]
