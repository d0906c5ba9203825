"""The benchmark of scoring, and the numbers of its loops."""

import os

import pytest

from benchmarks import evaluation


def test_project_and_loops_agree_and_the_limits_hold(capsys) -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    evaluation.main(["--repeats", "1", "--loop-thresholds", "2"])
    text = capsys.readouterr().out
    assert "$ python benchmarks/evaluation.py --repeats 1 --loop-thresholds 2" in text
    assert "656 fields, 1552 mitoses, 100000 detections" in text
    assert text.rstrip().endswith("as the loop at each threshold: yes")
    if cores is not None:
        assert os.sched_getaffinity(0) == cores


def test_a_wrong_number_is_not_passed_over() -> None:
    with pytest.raises(AssertionError, match="ap"):
        evaluation.check_same({"ap": 0.8}, {"ap": 0.81})


def test_wrong_options_are_named(capsys) -> None:
    with pytest.raises(SystemExit):
        evaluation.main(["--repeats", "0"])
    assert "--repeats must be at least 1, got 0" in capsys.readouterr().err
