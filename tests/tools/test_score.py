"""tools/score.py, run as a user runs it."""

import json
import re
from pathlib import Path

import pytest

from tests.evaluation.fields import coco, write
from tests.evaluation.result_files import (
    MITOSES,
    POINTS,
    WRITERS,
    ground_truth,
    write_coco,
    write_midog,
    write_tupac,
)
from tests.tools.commands import end_here, run

FLAT = ["f_score", "precision", "recall", "tp", "fp", "fn"]
FLAT += ["threshold", "method", "radius_um", "n_fields"]


@pytest.fixture
def end(capsys):
    """Run the command in this process; give its status, and what it printed and said."""
    return lambda *words: end_here("score", words, capsys)


@pytest.fixture
def gt(tmp_path: Path) -> Path:
    return ground_truth(tmp_path)


def val_split(tmp_path: Path) -> tuple[Path, Path]:
    """A validation split; 0.68 parts its hits from its false alarms."""
    folder = tmp_path / "val"
    folder.mkdir()
    points = {7: [(400, 300, 0.9), (50, 50, 0.66)], 8: [(100, 100, 0.7)]}
    mitoses = {7: [(400, 300)], 8: [(100, 100)]}
    return write(folder / "val.json", coco(mitoses)), write_coco(folder, points)


def test_json_is_one_object_on_stdout_and_nothing_else(tmp_path, gt) -> None:
    done = run("tools/score.py", gt, write_coco(tmp_path), "--threshold", 0.5, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(FLAT) <= set(figures)
    assert (figures["tp"], figures["fp"], figures["fn"]) == (1, 2, 2)
    assert figures["precision"] == pytest.approx(1 / 3)
    assert figures["recall"] == pytest.approx(1 / 3)
    assert figures["f_score"] == pytest.approx(1 / 3)
    assert (figures["threshold"], figures["threshold_from"]) == (0.5, "--threshold")
    assert (figures["method"], figures["radius_um"], figures["n_fields"]) == ("optimal", 7.5, 3)


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_figures(end, tmp_path, gt, form: str) -> None:
    status, out, _ = end(gt, WRITERS[form](tmp_path), "--threshold", 0.4, "--json")
    figures = json.loads(out)
    assert status == 0
    assert (figures["tp"], figures["fp"], figures["fn"]) == (2, 2, 1)
    assert figures["f_score"] == pytest.approx(4 / 7)
    assert figures["ap"] == pytest.approx(1 / 3 + 0.5 / 3)


def test_the_table_is_that_of_a_test(end, tmp_path, gt) -> None:
    status, out, err = end(gt, write_coco(tmp_path, {1: POINTS[1]}), "--threshold", 0.5)
    assert (status, err) == (0, "")
    assert re.search(r"\| case 01 +\| +2 \| +3 \| +1 \| +1 \| +2 \|", out)
    assert "threshold 0.500 from --threshold; optimal matching within 7.5 µm" in out
    assert "2 of 3 images have no detection; their 1 mitoses count as missed" in out
    assert "0 of the 1 false positives are labelled look-alikes" in out


def test_the_threshold_is_chosen_on_the_validation_split(end, tmp_path, gt) -> None:
    val_gt, val_found = val_split(tmp_path)
    words = (gt, write_coco(tmp_path), "--choose-on", val_gt, val_found)
    figures = json.loads(end(*words, "--json")[1])
    assert figures["threshold"] == pytest.approx(0.68)
    assert figures["threshold_from"] == f"{val_gt} (validation)"
    assert (figures["tp"], figures["fp"], figures["fn"]) == (1, 1, 2)
    status, out, err = end(gt, write_coco(tmp_path), "--choose-on", gt, write_coco(tmp_path))
    assert (status, out) == (2, "")
    assert "3 images in common" in err


def test_an_oracle_has_its_own_name(end, tmp_path, gt) -> None:
    words = (gt, write_coco(tmp_path), "--oracle")
    figures = json.loads(end(*words, "--json")[1])
    assert "f_score" not in json.dumps(figures).replace("oracle_f_score", "")
    assert figures["oracle_f_score"] == pytest.approx(4 / 7)
    assert (figures["tp"], figures["fp"], figures["fn"]) == (2, 2, 1)
    assert figures["threshold_from"].startswith("oracle")
    status, out, _ = end(*words)
    assert status == 0
    assert "ORACLE: the threshold was tuned on test itself" in out
    assert out.endswith("oracle_f_score 0.571\n")


def test_without_a_threshold_the_ways_to_one_are_named(end, tmp_path, gt) -> None:
    status, out, err = end(gt, write_coco(tmp_path), "--json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("score.py: error: no threshold for ")
    for option in ("--threshold", "--choose-on", "--oracle"):
        assert option in err


def test_a_submission_may_decide_for_itself(end, tmp_path, gt) -> None:
    status, out, _ = end(gt, write_tupac(tmp_path, scores=False))
    assert status == 0
    assert "threshold 1.000 from the submission itself, which has no confidences" in out
    figures = json.loads(end(gt, write_midog(tmp_path), "--json")[1])
    assert (figures["threshold"], figures["tp"], figures["fp"]) == (0.6, 1, 2)
    assert figures["threshold_from"] == "the names in the submission"
    out = end(gt, write_tupac(tmp_path, scores=False), "--threshold", 0.5)[1]
    assert "threshold 1.000 from the submission itself, which has no confidences" in out
    for option in (("--oracle",), ("--choose-on", gt, gt)):
        status, _, err = end(gt, write_tupac(tmp_path, scores=False), *option)
        assert status == 2
        assert f"has no scores, so that every detection counts: leave {option[0]} out" in err


def test_method_and_radius_reach_the_figures(end, tmp_path, gt) -> None:
    twice = write_coco(tmp_path, {1: [(100, 100, 0.9), (100, 128, 0.8), (300, 129, 0.7)]})
    fp = {}
    for method, radius in (("optimal", 7.5), ("paper", 7.5), ("paper", 6.5), ("midog", 7.5)):
        words = ("--threshold", 0, "--method", method, "--radius-um", radius, "--json")
        figures = json.loads(end(gt, twice, *words)[1])
        assert (figures["method"], figures["radius_um"]) == (method, radius)
        fp[method, radius] = figures["fp"]
    assert list(fp.values()) == [1, 0, 2, 1]


def test_a_plain_coco_json_needs_mpp(end, tmp_path) -> None:
    value = coco(MITOSES)
    for image in value["images"]:
        del image["mpp"], image["case"], image["scanner"]
    path, found = write(tmp_path / "gt.json", value), write_coco(tmp_path)
    status, _, err = end(path, found, "--threshold", 0.5)
    assert (status, err.count("\n")) == (2, 1)
    assert "source/01.tif has no mpp" in err and "--mpp" in err
    figures = json.loads(end(path, found, "--threshold", 0.5, "--mpp", 0.25, "--json")[1])
    assert (figures["tp"], figures["fp"], figures["fn"]) == (1, 2, 2)
    assert list(figures["cases"]) == ["01", "02", "03"]
    # The hit is 10 px off: 2.5 µm above, 10 µm here
    figures = json.loads(end(path, found, "--threshold", 0.5, "--mpp", 1.0, "--json")[1])
    assert (figures["tp"], figures["fp"], figures["fn"]) == (0, 3, 3)


def test_out_holds_what_json_prints(end, tmp_path, gt) -> None:
    found, out = write_coco(tmp_path), tmp_path / "new" / "figures.json"
    for words in (("--threshold", 0.5), ("--oracle",)):
        _, printed, _ = end(gt, found, *words, "--json", "--out", out)
        assert json.loads(out.read_text()) == json.loads(printed)
        assert end(gt, found, *words, "--out", out)[1].endswith(f"figures: {out}\n")
    assert [path.name for path in out.parent.iterdir()] == ["figures.json"]


def test_a_mistake_writes_nothing(end, tmp_path, gt) -> None:
    records = json.loads(write_coco(tmp_path).read_text())
    records[1]["score"] = float("nan")
    found, out = write(tmp_path / "bad.json", records), tmp_path / "figures.json"
    status, printed, err = end(gt, found, "--threshold", 0.5, "--json", "--out", out)
    assert (status, printed, err.count("\n")) == (2, "", 1)
    assert f"{found}, record 2: score is nan" in err
    assert not out.exists()
    write(tmp_path / "file", "")
    status, _, err = end(gt, found, "--threshold", 0.5, "--out", tmp_path / "file" / "a.json")
    assert status == 2 and "file is no folder" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--threshold", "nan"), "must be a finite number, got nan"),
        (("--threshold", "high"), "must be a finite number, got high"),
        (("--threshold", "0.5", "--oracle"), "not allowed with"),
        (("--oracle", "--radius-um", "0"), "must be positive, got 0"),
        (("--oracle", "--mpp", "-1"), "must be positive, got -1"),
        (("--oracle", "--method", "magic"), "invalid choice: 'magic'"),
        (("--oracle", "--out", "a.txt"), "--out must end in .json, got a.txt"),
        (("--choose-on", "val.json"), "expected 2 arguments"),
    ],
)
def test_wrong_options_are_named(end, gt, words: tuple, said: str) -> None:
    status, _, err = end(gt, gt, *words)
    assert status == 2 and said in err
