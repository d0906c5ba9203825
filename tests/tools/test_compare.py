"""tools/compare.py, run as a user runs it."""

import csv
import json
import runpy
import sys
from pathlib import Path

import pytest

from mmdet_mitosis.evaluation.detections import save_detections
from mmdet_mitosis.evaluation.report import summarize
from mmdet_mitosis.evaluation.truth import load_fields
from mmdet_mitosis.fileio import write_json_atomic
from tests.evaluation.fields import coco, found, write
from tests.evaluation.result_files import (
    MITOSES,
    POINTS,
    ground_truth,
    write_coco,
    write_midog,
    write_tupac,
)
from tests.evaluation.test_tiles import fields_json, tiles_json
from tests.tools.commands import ROOT, end_here


@pytest.fixture
def end(capsys):
    """Run the command in this process; give its status, and what it printed and said."""
    return lambda *words: end_here("compare", words, capsys)


def work_folder(folder: Path, ann_file: Path, points: dict, threshold: float, **more) -> Path:
    """What tools/test.py leaves, made by what it calls."""
    fields = load_fields(ann_file)
    detections = {image_id: found(*rows) for image_id, rows in points.items()}
    summary = summarize("test", fields, detections, threshold, "val.json (validation)", 7.5)
    folder.mkdir(parents=True)
    write_json_atomic(folder / "test_scores.json", summary | {"ann_file": str(ann_file)} | more)
    save_detections(folder / "test_detections.json", detections)
    return folder


@pytest.fixture
def works(tmp_path) -> tuple[Path, Path]:
    """Two detectors on the same split."""
    gt = ground_truth(tmp_path)
    fewer = {1: POINTS[1][:1], 2: POINTS[2]}
    return (
        work_folder(tmp_path / "maskrcnn", gt, POINTS, 0.5, n_parameters=43_000_000),
        work_folder(tmp_path / "two_stage", gt, fewer, 0.3, n_parameters=None),
    )


def figures(out: str) -> dict[str, tuple]:
    rows = json.loads(out)["detectors"]
    return {row["name"]: (row["threshold"], row["tp"], row["fp"], row["fn"]) for row in rows}


EXPECTED = {"maskrcnn": (0.5, 1, 2, 2), "two_stage": (0.3, 2, 0, 1)}


def test_work_folders_are_compared(monkeypatch, capsys, works) -> None:
    words = ["compare.py", *map(str, works), "--json"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(ROOT / "tools" / "compare.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert figures(printed) == EXPECTED
    first, second = json.loads(printed)["detectors"]
    assert first["threshold_from"] == "val.json (validation)"
    assert first["n_parameters"] == 43_000_000
    assert "n_parameters" not in second
    assert second["difference"]["to"] == "maskrcnn"
    assert second["difference"]["f_score"] == pytest.approx(4 / 5 - 2 / 6)
    assert first["notes"] == []


def test_a_table_is_printed(end, works) -> None:
    status, out, err = end(*works)
    assert (status, err) == (0, "")
    for part in ("| maskrcnn ", "| two_stage ", "less maskrcnn", "43,000,000", "+0.467"):
        assert part in out


@pytest.mark.parametrize("suffix", ["md", "json", "csv"])
def test_out_goes_by_its_suffix(end, works, tmp_path, suffix: str) -> None:
    out = tmp_path / f"comparison.{suffix}"
    _, printed, _ = end(*works, "--json", "--out", out)
    text = out.read_text()
    if suffix == "json":
        assert json.loads(text) == json.loads(printed)
    elif suffix == "csv":
        assert [row["name"] for row in csv.DictReader(text.splitlines())] == list(EXPECTED)
    else:
        assert text.startswith("| detector ")
    assert end(*works, "--out", out)[1].endswith(f"comparison: {out}\n")


def test_any_results_are_compared(end, works, tmp_path) -> None:
    gt = tmp_path / "test.json"
    words = ("--detector", "points", write_tupac(tmp_path, scores=False))
    words += ("--detector", "midog", write_midog(tmp_path))
    words += ("--detector", "coco", write_coco(tmp_path), 0.65)
    _, out, _ = end("--gt", gt, *words, "--json")
    expected = {"points": (1.0, 2, 2, 1), "midog": (0.6, 1, 2, 2), "coco": (0.65, 1, 1, 2)}
    assert figures(out) == expected
    _, out, _ = end(works[0], *words, "--json")
    assert figures(out) == {"maskrcnn": EXPECTED["maskrcnn"], **expected}


def test_thresholds_are_chosen_on_the_validation_split(end, works, tmp_path) -> None:
    folder = tmp_path / "val"
    folder.mkdir()
    val = write(folder / "val.json", coco({7: [(400, 300)]}))
    val_found = write_coco(folder, {7: [(400, 300, 0.7), (50, 50, 0.66)]})
    both = ("--detector", "a", write_coco(tmp_path), val_found)
    both += ("--detector", "b", write_midog(tmp_path), val_found)
    words = ("--gt", tmp_path / "test.json", "--choose-on", val, *both, "--json")
    assert figures(end(*words)[1]) == {name: (pytest.approx(0.68), 1, 1, 2) for name in ("a", "b")}


def test_other_ground_truths_are_refused(end, works, tmp_path) -> None:
    other = write(tmp_path / "other.json", coco({**MITOSES, 3: [(7, 7)]}))
    third = work_folder(tmp_path / "third", other, POINTS, 0.5)
    status, out, err = end(*works, third)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"{third / 'test_scores.json'} is of {other}, not of {tmp_path / 'test.json'}" in err
    status, _, err = end(*works, "--gt", other)
    assert status == 2 and "maskrcnn/test_scores.json is of" in err
    # The same content in another place is the same ground truth.
    copy = write(tmp_path / "copy.json", coco(MITOSES))
    fourth = work_folder(tmp_path / "fourth", copy, POINTS, 0.5)
    assert end(*works, fourth)[0] == 0


def test_the_ground_truth_may_have_moved(end, works, tmp_path) -> None:
    moved = (tmp_path / "test.json").rename(tmp_path / "moved.json")
    status, _, err = end(*works)
    assert status == 2 and err.endswith("test.json, which is not there: give --gt\n")
    assert figures(end(*works, "--gt", moved, "--json")[1]) == EXPECTED


def test_folders_of_one_name_go_by_their_paths(end, works, tmp_path) -> None:
    again = work_folder(tmp_path / "b" / "maskrcnn", tmp_path / "test.json", POINTS, 0.3)
    assert list(figures(end(works[0], again, "--json")[1])) == [str(works[0]), str(again)]
    status, _, err = end(works[0], works[0])
    assert status == 2 and "names must differ" in err


def test_ground_truth_of_tiles(end, tmp_path) -> None:
    value = fields_json()
    ann_file = write(tmp_path / "test.json", tiles_json(value, 256, 0.6))
    x, y = value["annotations"][0]["centroid"]
    works = [
        work_folder(tmp_path / name, ann_file, {1: [(x + shift, y, 0.9)]}, 0.5)
        for name, shift in (("a", 0), ("b", 100))
    ]
    _, out, _ = end(*works, "--json")
    assert figures(out) == {"a": (0.5, 1, 0, 17), "b": (0.5, 0, 1, 18)}


def test_files_that_do_not_belong_together_are_told(end, works, tmp_path) -> None:
    assert "different counts" not in end(*works)[1]
    save_detections(works[1] / "test_detections.json", {1: found(*POINTS[1])})
    out = end(*works)[1]
    said = "two_stage: test_scores.json and test_detections.json give different counts"
    assert said in out and "maskrcnn: test_scores" not in out


def without(path: Path, *keys: str) -> None:
    value = json.loads(path.read_text())
    write(path, {key: v for key, v in value.items() if key not in keys})


def test_what_is_missing_in_a_work_folder(end, works, tmp_path) -> None:
    scores, detections = works[1] / "test_scores.json", works[1] / "test_detections.json"
    assert "no such file" in end(*works, "--split", "val")[2]
    without(scores, "ann_file")
    assert end(*works)[0] == 0  # the first one names it
    assert "two_stage/test_scores.json names no ground truth" in end(works[1], works[0])[2]
    without(scores, "threshold")
    assert "has no threshold; tools/test.py writes it" in end(*works)[2]
    detections.unlink()
    assert f"no such file: {detections}; tools/test.py writes it: run it again" in end(*works)[2]
    write(scores, "[1]")
    assert f"{scores} is no object" in end(*works)[2]
    write(scores, '{"threshold": 0.')
    status, _, err = end(*works)
    assert (status, err.count("\n")) == (2, 1)
    assert f"{scores} is no json" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give at least two detectors"),
        (("a",), "give at least two detectors"),
        (("--detector", "a", "b", "--detector", "c", "d"), "needs the ground truth: --gt"),
        (("--gt", "g", "--detector", "a", "--detector", "b", "c"), "NAME RESULTS [THRESHOLD]"),
        (("a", "b", "--choose-on", "v"), "--choose-on is for --detector"),
        (("a", "b", "--out", "c.txt"), "--out must end in .md, .csv, .json, got c.txt"),
        (("a", "b", "--radius-um", "inf"), "must be a finite number, got inf"),
    ],
)
def test_wrong_options_are_named(end, words: tuple, said: str) -> None:
    status, _, err = end(*words)
    assert status == 2 and said in err


def test_wrong_thresholds_are_named(end, works, tmp_path) -> None:
    words = (works[0], "--detector", "theirs", write_coco(tmp_path))
    assert "no threshold for theirs: --detector NAME RESULTS THRESHOLD" in end(*words)[2]
    assert (
        "the threshold of theirs must be a finite number, got val.json"
        in end(*words, "val.json")[2]
    )
    points = (works[0], "--detector", "p", write_tupac(tmp_path, scores=False), 0.5)
    assert "has no scores, so that every detection counts: leave 0.5 out" in end(*points)[2]
