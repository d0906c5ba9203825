"""The curves of a training, from the logs of all its runs."""

from pathlib import Path

import numpy as np
import pytest

from mmdet_mitosis.report.training_log import read_training_log, validated_at
from tests.report.runs import train_lines, write_log


def steps(points: np.ndarray) -> list[int]:
    return points[:, 0].astype(int).tolist()


def test_one_run(tmp_path: Path) -> None:
    write_log(tmp_path / "20260101_000000", train_lines(20, 4, {8: 0.5, 16: 0.75, 20: 0.7}))
    log = read_training_log(tmp_path)
    np.testing.assert_allclose(log.loss, [[s, 2 - s / 100] for s in (4, 8, 12, 16, 20)])
    np.testing.assert_allclose(log.f_score, [[8, 0.5], [16, 0.75], [20, 0.7]])
    assert (log.n_runs, log.n_bad_lines) == (1, 0)


def test_validation_between_two_log_lines_has_its_own_iteration(tmp_path: Path) -> None:
    # Logged every 5 iterations, validated every 8, and at the end, 20.
    write_log(tmp_path / "20260101_000000", train_lines(20, 5, {8: 0.1, 16: 0.2, 20: 0.3}))
    assert steps(read_training_log(tmp_path).f_score) == [8, 16, 20]


def test_validations_with_no_log_line_between_them(tmp_path: Path) -> None:
    write_log(tmp_path / "20260101_000000", train_lines(20, 50, {8: 0.1, 16: 0.2, 20: 0.3}))
    log = read_training_log(tmp_path)
    assert steps(log.f_score) == [8, 16, 20]
    assert not len(log.loss)


def test_resumed_run_replaces_what_it_repeats(tmp_path: Path) -> None:
    # Stopped at 14, resumed from the checkpoint of 8.
    write_log(tmp_path / "20260101_000000", train_lines(14, 2, {8: 0.5}))
    again = train_lines(20, 4, {16: 0.6, 20: 0.7}, start=8)
    write_log(tmp_path / "20260102_000000", [line | {"loss": 9} for line in again if "lr" in line])
    log = read_training_log(tmp_path)
    assert steps(log.loss) == [2, 4, 6, 8, 10, 12, 16, 20]
    assert log.loss[5:, 1].tolist() == [9, 9, 9]
    assert steps(log.f_score) == [8]
    assert log.n_runs == 2


def test_run_begun_anew_replaces_all(tmp_path: Path) -> None:
    write_log(tmp_path / "20260101_000000", train_lines(20, 4, {8: 0.5, 16: 0.75}))
    write_log(tmp_path / "20260102_000000", train_lines(8, 4, {8: 0.2}))
    log = read_training_log(tmp_path)
    assert steps(log.loss) == [4, 8]
    np.testing.assert_allclose(log.f_score, [[8, 0.2]])


def test_without_the_config_a_validation_is_at_the_last_log_line(tmp_path: Path) -> None:
    write_log(tmp_path / "20260101_000000", train_lines(20, 5, {8: 0.1, 16: 0.2}), config=None)
    assert steps(read_training_log(tmp_path).f_score) == [5, 15]


def test_damaged_lines_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = train_lines(8, 4, {8: 0.5})
    bad = ['{"loss": 1.2, "st', "[1]", '{"loss": "x", "step": 5}', '{"loss": 1}', "3"]
    write_log(tmp_path / "20260101_000000", [*lines, *bad])
    log = read_training_log(tmp_path)
    assert (len(log.loss), len(log.f_score)) == (2, 1)
    assert log.n_bad_lines == len(bad)


def test_loss_that_is_not_finite_is_nan(tmp_path: Path) -> None:
    write_log(
        tmp_path / "20260101_000000",
        ['{"loss": NaN, "step": 4}', '{"loss": Infinity, "step": 8}', '{"loss": 1, "step": 12}'],
    )
    assert np.isnan(read_training_log(tmp_path).loss[:, 1]).tolist() == [True, True, False]


def test_no_log(tmp_path: Path) -> None:
    (tmp_path / "20260101_000000").mkdir()
    log = read_training_log(tmp_path)
    assert log.loss.shape == log.f_score.shape == (0, 2)
    assert log.n_runs == 0


@pytest.mark.parametrize(
    ("last", "schedule", "expected"),
    [
        (75, {"val_interval": 75, "max_iters": 300}, 75),
        (60, {"val_interval": 75, "max_iters": 300}, 75),
        (76, {"val_interval": 75, "max_iters": 300}, 150),
        (290, {"val_interval": 200, "max_iters": 310}, 310),
        (60, {"val_interval": 1, "max_epochs": 12}, 60),
        (60, {}, 60),
    ],
)
def test_iteration_of_a_validation(last: float, schedule: dict, expected: float) -> None:
    assert validated_at(last, schedule) == expected
