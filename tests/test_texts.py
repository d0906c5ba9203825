"""Texts of others: no name commands a terminal, starts a formula, or becomes HTML."""

import csv
import io
import json
import logging
import re

import pytest

from data_prep.summary import format_table, print_some
from mmdet_mitosis.cli import guard_logs, printable, run_main
from mmdet_mitosis.evaluation.comparison import (
    comparison_csv,
    comparison_markdown,
    format_comparison,
)
from mmdet_mitosis.evaluation.report import format_summary
from mmdet_mitosis.texts import cell, json_line, markdown

CLEAR, TITLE, C1, TURN, HALF = "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\u202egnp.exe", "\udcff"
BREAKS = "two\nlines\r\u2028\u2029\x85\x0b"
ALL = f"{CLEAR}{TITLE}{C1}{TURN}{HALF}{BREAKS}"
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "a;=1", "\uff1d1", "\n=1"]
FIGURES = dict.fromkeys(("precision", "recall", "f_score"), 0.5)
FIGURES |= dict.fromkeys(("n_fields", "n_mitoses", "tp", "fp", "fn"), 1) | {"n_look_alikes": None}


def is_plain(text: str) -> bool:
    """Tell whether a text has neither control characters, but for newlines, nor turns of it."""
    return all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.mark.parametrize("name", [CLEAR, TITLE, C1, TURN, HALF, BREAKS, ALL])
def test_every_form_is_one_plain_line(name: str) -> None:
    for safe in (printable, markdown, cell, json_line):
        assert is_plain(safe(name)) and "\n" not in safe(name)
    assert json.loads(json_line({name: [name]})) == {name: [name]}


@pytest.mark.parametrize("name", ["Gewebe-Äß-細胞.svs", "a b_c-1.tif", "مرض"])
def test_names_of_all_languages_stay_as_they_are(name: str) -> None:
    assert printable(name) == markdown(name) == cell(name) == name


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_starts_a_formula(name: str) -> None:
    for part in cell(name).split(";"):
        assert part[0] not in "=+-@\t\r\n\uff1d"


@pytest.mark.parametrize(
    "name",
    ["<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "a|b", "`x`", "&lt;", "*a*"],
)
def test_markdown_shows_what_it_was_given(name: str) -> None:
    """Without any escaped character nothing is left that means something."""
    bare = re.sub(r"\\.", "", markdown(name))
    assert not set(bare) & set("<>[]|`&*")


def test_error_does_not_command_the_terminal(capsys: pytest.CaptureFixture) -> None:
    def main() -> None:
        raise ValueError(f"no such slide: {ALL}")

    with pytest.raises(SystemExit):
        run_main(main, "tool.py")
    said = capsys.readouterr().err
    assert is_plain(said) and said.count("\n") == 1
    assert r"\x1b[2J" in said and r"\u202e" in said


def test_log_lines_do_not_command_the_terminal(capsys: pytest.CaptureFixture) -> None:
    before = logging.getLogRecordFactory()
    try:
        guard_logs()
        guard_logs()  # once is enough
        logger = logging.Logger("hostile")
        logger.addHandler(logging.StreamHandler())
        logger.warning("field %s\tof\n2 lines", ALL.replace("\n", ""))
        logger.warning("100 % of these fit no arguments", "one")
    finally:
        logging.setLogRecordFactory(before)
    said = capsys.readouterr().err
    assert is_plain(said.replace("\t", "")) and "\tof\n2 lines" in said
    assert "arguments" in said


def comparison() -> dict:
    """Give a comparison whose names are all hostile."""
    name = f"=<b>|{ALL}"
    row = {"name": name, "threshold": 0.5, "threshold_from": name, "notes": [name], "ap": None}
    row |= FIGURES | {"interval": {"low": 0.1, "high": 0.9}, "difference": None}
    second = {"to": name, "f_score": 0.0, "low": 0.0, "high": 0.1, "p_value": 1.0}
    head = {"split": name, "ground_truth": name, "method": "optimal", "resampled": "case"}
    rows = [row, {**row, "difference": second}]
    return {**head, "radius_um": 7.5, "n_fields": 1, "n_mitoses": 1, "detectors": rows}


def test_comparison_is_plain_in_every_form() -> None:
    found = comparison()
    assert is_plain(format_comparison(found))
    text = comparison_markdown(found)
    assert is_plain(text) and "<b>" not in text.replace("\\<", "")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) == (2 + 2) + (2 + 1)
    text = comparison_csv(found)
    assert is_plain(text)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"][:2] for row in rows] == ["'="] * 2
    assert rows[1]["difference_to"][:2] == rows[1]["threshold_from"][:2] == "'="


def test_tables_of_scores_and_of_what_was_prepared_are_plain(capsys) -> None:
    ratios = dict.fromkeys(("paper", "greedy", "optimal"), FIGURES)
    summary = FIGURES | {"cases": {ALL: FIGURES}, "scanners": {ALL: FIGURES, "b": FIGURES}}
    summary |= {"split": "test", "threshold": 0.5, "threshold_from": ALL, "method": "optimal"}
    summary |= {"interval": {"low": 0, "high": 1, "resampled": "case"}, "radius_um": 7.5}
    assert is_plain(format_summary(summary | {"by_method": ratios}))
    counted = {"cases": 1, "fields": 1, "mitoses": 1, "look_alikes": 0, "mm2": 0.1}
    assert is_plain(format_table({"train": {"scanners": {ALL: counted}}}, counted))
    print_some("left out", [f"{ALL}, line 3: no number"])
    said = capsys.readouterr().out
    assert is_plain(said) and said.count("\n") == 2
