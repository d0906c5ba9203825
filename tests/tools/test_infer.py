"""tools/infer.py from a checkpoint to files, as a user runs it."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from mmdet_mitosis.inference.inputs import Input
from tests.tools.commands import ROOT, end_here, load, run, succeed

FILES = {
    "detections.csv",
    "detections.geojson",
    "detections.json",
    "detections_images.json",
    "heat.png",
    "mitotic-figures.json",
    "overlay.png",
    "summary.json",
}


@pytest.fixture(scope="module")
def slides(data: Path, tmp_path_factory) -> Path:
    """Two fields, and a file that is none."""
    folder = tmp_path_factory.mktemp("slides")
    fields = sorted(p for p in (data.parent / "archive").rglob("*.tif*"))[:2]
    for number, path in enumerate(fields):
        shutil.copy(path, folder / f"{number}{path.suffix}")
    (folder / "bad.svs").write_text("no slide")
    return folder


def test_fields_become_counts_and_the_bad_one_is_named(slides, work, tmp_path) -> None:
    out = tmp_path / "out"
    words = ("tools/infer.py", slides, "--checkpoint", work, "--out", out, "--mpp", 0.25)
    words = (*words, "--device", "cpu", "--threshold", 0.01)
    done = run(*words)
    assert done.returncode == 1, done.stderr[-2000:]
    assert "2 of 3 slides are done" in done.stdout
    assert "bad.svs" in done.stdout.splitlines()[-1] and "Traceback" not in done.stderr
    for name in ("0", "1"):
        assert {p.name for p in (out / name).iterdir()} == FILES
        summary = json.loads((out / name / "summary.json").read_text())
        with (out / name / "detections.csv").open() as file:
            assert len(list(csv.DictReader(file))) == summary["n_mitoses"]
    both = json.loads((out / "summary.json").read_text())
    assert [slide["slide"] for slide in both["slides"]] == ["0", "1"]
    assert [case["case"] for case in both["cases"]] == ["0", "1"]
    assert list(both["failed"]) == [str(slides / "bad.svs")]
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.parent.name in "01"}
    (slides / "bad.svs").unlink()
    assert "2 of 2 slides are done" in succeed(*words)
    assert before == {p: p.stat().st_mtime_ns for p in before}


def test_another_precision_is_another_result_and_is_told(slides, work, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    words = [slides / "0.tif", "--checkpoint", work, "--out", out, "--mpp", 0.25, "--device", "cpu"]
    words += ["--threshold", 0.01, "--formats", "csv"]
    for more, precision in (([], "float32"), (["--amp", "--channels-last"], "bfloat16")):
        status, said, _ = end_here("infer", [*words, *more], capsys)
        assert status == 0 and "1 of 1 slides are done" in said
        summary = json.loads((out / "0" / "summary.json").read_text())
        assert summary["model"]["precision"] == precision


class Done:
    """Slides of which some failed and some are with other processes."""

    def __init__(self, failed, waiting):
        self.failed, self.waiting, self.inputs = failed, waiting, [1, 2]

    def summaries(self):
        return []

    def failures(self):
        return dict.fromkeys(self.failed, "no slide")

    def unfinished(self):
        return [Input(Path(name), name, name) for name in self.waiting]


@pytest.mark.parametrize(
    ("failed", "waiting", "alone", "status"),
    [
        ([], [], True, 0),
        (["a"], [], True, 1),
        (["a"], ["b"], True, 1),
        (["a"], ["b"], False, 0),  # the launcher would end the process that has b
        (["a"], [], False, 1),
    ],
)
def test_of_several_processes_the_last_one_says_that_slides_failed(
    tmp_path, capsys, failed, waiting, alone, status
) -> None:
    report = load("infer").report
    assert report(Done(failed, waiting), tmp_path, alone) == status
    assert ("failed: a" in capsys.readouterr().out) is (status == 1)
    assert json.loads((tmp_path / "summary.json").read_text())["unfinished"] == waiting


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint", "none.pth"], "no such checkpoint: none.pth"),
        (["--checkpoint", str(ROOT / "README.md")], "README.md as a checkpoint"),
        (["--launcher", "pytorch", "--checkpoint", "x"], "start with torchrun"),
        (["--mpp", "0", "--checkpoint", "x"], "--mpp must be positive, got 0.0"),
        (["--formats", "xml", "--checkpoint", "x"], "invalid choice: 'xml'"),
    ],
)
def test_a_mistake_is_one_sentence(slides, tmp_path, words, message, capsys, monkeypatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    status, _, said = end_here("infer", [slides, "--out", tmp_path / "out", *words], capsys)
    assert status == 2
    assert message in said.splitlines()[-1]
