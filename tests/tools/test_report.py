"""tools/report.py: a page from a work folder, and one sentence for a mistake."""

import re
from pathlib import Path

import pytest

from tests.report.runs import make_run
from tests.tools.commands import end_here


@pytest.fixture
def end(capsys):
    """Run the command in this process; give its status and all that it said."""

    def run(*words):
        status, out, err = end_here("report", words, capsys)
        return status, out + err

    return run


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return make_run(tmp_path, detections={}, images=False, log=False)


def test_page_in_the_work_folder(end, work: Path) -> None:
    page = work / "test_report.html"
    assert end(work) == (0, f"report: {page}\n")
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_page_elsewhere_of_data_that_were_moved(end, work: Path, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").rename(tmp_path / "moved.json")
    page = tmp_path / "new" / "page.html"
    words = ("--ann-file", tmp_path / "moved.json", "--image-root", tmp_path)
    assert end(work, "--out", page, *words) == (0, f"report: {page}\n")
    assert page.is_file()


@pytest.mark.parametrize(
    ("break_it", "words", "said"),
    [
        (lambda work: None, ("--split", "val"), "no val_scores.json in .*tools/test.py"),
        (
            lambda work: (work / "test_scores.json").write_text("{"),
            (),
            "test_scores.json is no json",
        ),
        (lambda work: (work / "test_detections.json").unlink(), (), "no test_detections.json"),
        (
            lambda work: (work / "test_detections.json").write_text(
                '[{"image_id": 77, "score": 1, "bbox": [1, 1, 2, 2], "point": [2, 2]}]'
            ),
            (),
            "record 1 is of image 77, which .*annotations.json does not have",
        ),
        (lambda work: None, ("--ann-file", "none.json"), "no such annotation file: none.json"),
        (lambda work: None, ("--out", "page.pdf"), "--out must end in .html, got page.pdf"),
    ],
)
def test_a_mistake_is_said_in_one_sentence(end, work: Path, break_it, words, said: str) -> None:
    break_it(work)
    status, text = end(work, *words)
    assert status == 2
    assert re.search(said, text), text
    assert text.splitlines()[-1].startswith("report.py: error: ")
    assert not list(work.glob("*.html"))


def test_folder_that_is_not_there(end, tmp_path: Path) -> None:
    assert end(tmp_path / "none") == (2, f"report.py: error: no such folder: {tmp_path}/none\n")
