"""docs/inference.md names options that are there, and every file, column and key."""

import re
from pathlib import Path

import pytest

from mmdet_mitosis.inference.exports import FORMATS
from mmdet_mitosis.inference.exports.csv_file import HEADER
from mmdet_mitosis.inference.hotspot import find_slide_hotspot
from mmdet_mitosis.inference.inputs import SUFFIXES
from mmdet_mitosis.inference.summary import summarize_slide
from mmdet_mitosis.models.views import VIEW_SETS
from tests.inference.slide_results import make_result
from tests.tools.commands import load

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "inference.md").read_text(encoding="utf-8")
PROSE = re.sub(r"(?ms)^```.*?^```", "", TEXT)
TICKED = set(re.findall(r"[\w.-]+", " ".join(re.findall(r"`([^`]+)`", PROSE))))
OF_OTHERS = {  # torchrun's, Slurm's, Docker's, pip's, prepare.py's, a benchmark's and test.py's
    *("--nproc_per_node", "--ntasks", "--gpus-per-task", "--tag", "--rm", "--gpus", "--user"),
    *("--volume", "--shm-size", "--build-arg", "--report", "--work-dir", "--no-deps", "--options"),
    *("--split", "--repeats"),
}


def options_of(name: str, capsys) -> set[str]:
    """List the options of a command."""
    with pytest.raises(SystemExit):
        load(name).parse_args(["--help"])
    return set(re.findall(r"--[a-z][\w-]+", capsys.readouterr().out))


def test_options_are_there(capsys) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", TEXT)) - OF_OTHERS
    assert named <= options_of("infer", capsys) | options_of("ensemble", capsys)
    assert {"--report", "--work-dir"} <= options_of("test", capsys)


def test_every_file_column_and_key_is_told() -> None:
    infer = load("infer")
    result = make_result(centers=[(100, 100)], scores=[0.9])
    keys = summarize_slide(result, find_slide_hotspot(result))
    told = {*HEADER, *infer.COLUMNS, *infer.PICTURES, *infer.PICTURES.values(), *FORMATS}
    told |= {one.file_name for one in FORMATS.values()} | set(keys["hotspot"])
    told |= set(keys) - {"slide", "file_name", "case", "limits"}
    assert told - TICKED == set()


def test_every_kind_of_file_and_set_of_views_is_told() -> None:
    words = {word.upper().rstrip(".,") for word in TEXT.split()}
    names = {"JPG": "JPEG", "TIF": "TIFF", "SVSLIDE": "SVS", "DCM": "DICOM"}
    kinds = {suffix[1:].upper() for suffix in SUFFIXES}
    assert {names.get(kind, kind) for kind in kinds} <= words
    assert set(VIEW_SETS) - {"one"} <= {word.strip("`").lower() for word in TEXT.split()}
