"""A few hundred spoilt inputs; ``make stress`` tries a hundred thousand."""

import random
import shutil
from pathlib import Path

import pytest

from tests.stress import stress_fuzz_checkpoints as checkpoints
from tests.stress import stress_fuzz_coco as coco
from tests.stress import stress_fuzz_folders as folders
from tests.stress import stress_fuzz_images as images
from tests.stress import stress_fuzz_labels as labels
from tests.stress.judging import HAS_PROC, Judge

READERS = {**coco.READERS, **labels.READERS, **folders.READERS}


@pytest.mark.parametrize("reader", READERS)
def test_spoilt_text(tmp_path: Path, reader: str) -> None:
    assert READERS[reader][0](tmp_path, 12).finish() == 12


@pytest.mark.parametrize("reader", ["checkpoints", "weights"])
def test_spoilt_checkpoints(tmp_path: Path, reader: str) -> None:
    assert checkpoints.READERS[reader][0](tmp_path, 40).finish() == 40


@pytest.mark.parametrize("reader", images.READERS)
@pytest.mark.filterwarnings("ignore")
def test_spoilt_images(tmp_path: Path, reader: str) -> None:
    cases = images.random_cases(15, reader)
    assert images.judge_images(tmp_path, cases, reader).finish() == 15
    shutil.rmtree(tmp_path)


def raising(error: BaseException):
    """Make a reader that fails in a way."""

    def read() -> None:
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "named", "kind"),
    [
        (raising(KeyError("a")), "", "KeyError"),
        (raising(ValueError("a.json is wrong")), "b.json", "does not name the file"),
        (raising(ValueError("x" * 2000)), "", "says too much"),
        (raising(ValueError("Unable to allocate 28 GiB")), "", "ran out of memory"),
        pytest.param(
            lambda: bytearray(5 << 28),
            "",
            "took too much memory",
            marks=pytest.mark.skipif(not HAS_PROC, reason="memory is looked at on Linux"),
        ),
    ],
)
def test_what_must_not_happen_is_a_fault(read, named: str, kind: str) -> None:
    judge = Judge("reader", memory=True)
    judge.put("1", read, named)
    assert any(kind in fault for fault in judge.faults)
    with pytest.raises(AssertionError, match="reader: 1 kinds of fault"):
        judge.finish()


def test_cases_are_repeated_by_their_seed() -> None:
    texts = [coco.spoil_json(random.Random(7), coco.fields_json())[0] for _ in range(2)]
    assert texts[0] == texts[1]
