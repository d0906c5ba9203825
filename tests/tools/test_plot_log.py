"""tools/plot_log.py: the curves of several trainings, resumed ones joined."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdet_mitosis.report.run_curves import distinct_names, draw_curves, encode, read_runs
from mmdet_mitosis.report.training_log import read_training_log
from tests.report.runs import train_lines, write_log
from tests.tools.commands import end_here


@pytest.fixture
def folders(tmp_path):
    """Two trainings; the second was stopped at 14 and resumed from 8."""
    first, second = tmp_path / "a" / "first", tmp_path / "second"
    write_log(first / "20260101_000000", train_lines(20, 4, {8: 0.5, 16: 0.75, 20: 0.7}))
    write_log(second / "20260101_000000", train_lines(14, 2, {8: 0.25}))
    write_log(second / "20260102_000000", train_lines(24, 4, {16: 0.5, 24: 0.625}, start=8))
    return [first, second]


def test_each_training_has_its_own_curve_of_all_its_runs(folders):
    left, right = draw_curves(read_runs(folders)).axes
    steps = [[4, 8, 12, 16, 20], [2, 4, 6, 8, 10, 12, 16, 20, 24]]
    for line, expected in zip(left.lines, steps, strict=True):
        points = [[s, 2 - s / 100] for s in expected]
        np.testing.assert_allclose(line.get_xydata(), points)
    curves = [line.get_xydata().tolist() for line in right.lines if line.get_marker() == "o"]
    assert curves == [[[8, 0.5], [16, 0.75], [20, 0.7]], [[8, 0.25], [16, 0.5], [24, 0.625]]]
    stars = [line.get_xydata().tolist() for line in right.lines if line.get_marker() == "*"]
    assert stars == [[[16, 0.75]], [[24, 0.625]]]
    # The same training has the same colour on both sides, another one another.
    colors = [line.get_color() for line in left.lines]
    assert [line.get_color() for line in right.lines[::2]] == colors and len(set(colors)) == 2
    assert left.get_xlim() == right.get_xlim() and right.get_ylim()[1] >= 1


def test_the_legend_names_each_training_with_its_best_score(folders):
    figure = draw_curves(read_runs(folders, ["cost $5", "x" * 80]))
    first, second = (text.get_text() for text in figure.legends[0].get_texts())
    assert first == r"cost \$5 (best F 0.750)"
    assert second == f"…{'x' * 47} (best F 0.625)"
    assert encode(figure, ".png")[:8] == b"\x89PNG\r\n\x1a\n"


def test_more_trainings_than_colours_are_told_apart(tmp_path):
    folders = [tmp_path / f"run{k:02}" for k in range(12)]
    for folder in folders:
        write_log(folder / "20260101_000000", train_lines(8, 4, {8: 0.5}))
    left, _ = draw_curves(read_runs(folders)).axes
    assert len({(line.get_color(), line.get_linestyle()) for line in left.lines}) == 12


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/w/a", "/w/b"], ["a", "b"]),
        (["/w/a/x", "/w/b/x", "/w/c"], ["a/x", "b/x", "c"]),
        (["/w/1/a/x", "/w/2/a/x"], ["1/a/x", "2/a/x"]),
        (["/x", "/w/x"], ["//x", "w/x"]),
    ],
)
def test_names_are_as_much_of_the_paths_as_tells_them_apart(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names


def test_one_run_of_a_training_can_be_named(folders):
    (run,) = read_runs([folders[1] / "20260101_000000"])
    assert run.log.loss[:, 0].tolist() == [2, 4, 6, 8, 10, 12, 14]
    assert (run.best, run.log.n_runs) == ((8, 0.25), 1)


def test_losses_that_are_not_finite_are_left_out(tmp_path):
    write_log(
        tmp_path / "20260101_000000",
        ['{"loss": 2, "step": 1}', '{"loss": NaN, "step": 2}', '{"loss": 1, "step": 3}'],
    )
    (run,) = read_runs([tmp_path])
    left, right = draw_curves([run]).axes
    assert left.lines[0].get_xydata().tolist() == [[1, 2], [3, 1]]
    assert run.best is None and right.texts[0].get_text() == "no validation yet"


def test_the_command_draws_and_says_what_it_read(folders, tmp_path, capsys):
    with next((folders[0] / "20260101_000000").rglob("scalars.json")).open("a") as log:
        log.write('\n{"loss": 1.2, "st')
    for suffix in ("png", "svg", "pdf"):
        out = tmp_path / "new" / f"curves.{suffix}"
        status, said, _ = end_here("plot_log", [*folders, "--out", out], capsys)
        assert status == 0 and out.stat().st_size > 1000
        assert said.splitlines() == [
            "first: 5 losses, 3 validations, best F-score 0.750 at iteration 16, "
            "1 line of its log cannot be read",
            "second: 9 losses, 3 validations, best F-score 0.625 at iteration 24, 2 runs joined",
            f"curves: {out}",
        ]
    with Image.open(tmp_path / "new" / "curves.png") as picture:
        assert picture.width > 1000


def test_a_real_training_has_its_validations_where_they_were(work):
    (path,) = work.glob("*/vis_data/scalars.json")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    scores = [(r["step"], r["mitosis/f_score"]) for r in records if "mitosis/f_score" in r]
    # As written for TensorBoard, which draws ``step``; MMEngine's default is the epoch, here 0.
    assert [step for step, _ in scores] == [2, 4]
    assert read_training_log(work).f_score.tolist() == [list(score) for score in scores]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{first}", "{root}/none"], "no such work folder: .*/none"),
        (["{first}", "{root}"], "holds no log of a training: no <time>/vis_data/scalars.json"),
        (["{first}", "{first}/../first"], "first is named twice"),
        (["{first}", "{second}", "--names", "a"], "1 names for 2 work folders"),
        (["{first}", "{second}", "--names", "a", "a"], "two work folders have the same name: a, a"),
        (["{first}", "--out", "curves.gif"], "--out must end in .png, .svg, .pdf, got curves.gif"),
        (["{first}", "--out", "{root}/file/curves.png"], "file is no folder"),
    ],
)
def test_a_mistake_is_said_in_one_sentence(folders, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    places = {"first": folders[0], "second": folders[1], "root": tmp_path}
    status, _, error = end_here("plot_log", [word.format(**places) for word in words], capsys)
    assert status == 2 and re.search(rf"plot_log\.py: error: [^\n]*{said}[^\n]*\n$", error)
    assert sorted(tmp_path.rglob("*")) == before
