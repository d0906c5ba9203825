"""What is in a work folder is read back, or one sentence says why not."""

import json
from pathlib import Path

import pytest

from mmdet_mitosis.report.scored_run import load_run
from tests.report.runs import CONFIG, make_run


def test_all_parts_are_read(tmp_path: Path) -> None:
    run = load_run(make_run(tmp_path))
    assert [field.image_id for field in run.fields] == [1, 2, 3, 4]
    assert {i: len(found) for i, found in run.detections.items()} == {1: 3, 2: 1, 3: 3}
    assert run.image_root == tmp_path / "images"
    assert run.config_text == CONFIG
    assert len(run.training.loss) == 5
    assert run.n_unlabelled == 0


def test_config_that_is_not_there_and_one_outside_the_folder(tmp_path: Path) -> None:
    work = make_run(tmp_path, config="../secret.py")
    (tmp_path / "secret.py").write_text("password = 1")
    assert load_run(work).config_text is None


def test_moved_data_are_found_where_one_says(tmp_path: Path) -> None:
    work = make_run(tmp_path)
    (tmp_path / "annotations.json").rename(tmp_path / "moved.json")
    with pytest.raises(FileNotFoundError, match=r"no such annotation file.*--ann-file"):
        load_run(work)
    run = load_run(work, ann_file=tmp_path / "moved.json", image_root=tmp_path / "elsewhere")
    assert len(run.fields) == 4
    assert run.image_root == tmp_path / "elsewhere"


def test_folder_without_scores_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        load_run(tmp_path, "val")
    assert str(caught.value) == (
        f"no val_scores.json in {tmp_path}: python tools/test.py CONFIG CHECKPOINT "
        f"--work-dir {tmp_path} writes it"
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"threshold": "x"}, "threshold must be a number, got 'x'"),
        ({"threshold": float("nan")}, "threshold must be a number, got nan"),
        ({"radius_um": True}, "radius_um must be a number, got True"),
        ({"method": "best"}, "method must be one of optimal, greedy, paper, midog, got 'best'"),
        ({"config": None}, "config must be a text, got None"),
        ({"config": "x" * 5000}, "config must be a text, got 'xxx"),
        ({"f_score": 10**400}, "f_score must be a number, got 1000"),
        ({"n_mitoses": 6}, "has 4 fields and 5 mitoses"),
        ({"n_fields": 3}, "it is another file, or it has changed"),
    ],
)
def test_scores_that_cannot_be(tmp_path: Path, change: dict, said: str) -> None:
    work = make_run(tmp_path, **change)
    with pytest.raises(ValueError) as caught:
        load_run(work)
    assert said in str(caught.value)
    assert str(work / "test_scores.json") in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"f_score": 1}', "\N{LATIN SMALL LETTER E}"])
def test_damaged_scores(tmp_path: Path, text: str) -> None:
    (tmp_path / "test_scores.json").write_text(text)
    with pytest.raises(ValueError, match=str(tmp_path / "test_scores.json")):
        load_run(tmp_path)


def test_scores_of_an_older_version_say_to_test_again(tmp_path: Path) -> None:
    work = make_run(tmp_path)
    scores = json.loads((work / "test_scores.json").read_text())
    for key in ("ann_file", "checkpoint"):
        del scores[key]
    (work / "test_scores.json").write_text(json.dumps(scores))
    with pytest.raises(ValueError, match=r"lacks ann_file, checkpoint: run tools/test.py again"):
        load_run(work)
