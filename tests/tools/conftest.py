"""A tiny data set, and a detector trained on it for a few steps, once for all tests."""

from pathlib import Path

import pytest

from tests.tools.commands import CONFIG, options, succeed

CASES = ("01", "21", "27")
"""One each of the paper's training, validation and test cases."""


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared fields of 256 px."""
    root = tmp_path_factory.mktemp("tools")
    archive = root / "archive"
    size = ("--size", 256, "--fields-per-case", 1)
    succeed("data_prep/synthesize.py", "--out", archive, *size, "--cases", *CASES)
    succeed("data_prep/prepare.py", "tupac16", archive, "--out", root / "data")
    return root / "data"


@pytest.fixture(scope="session")
def work(data: Path) -> Path:
    """Work folder of a finished training."""
    folder = data.parent / "work"
    succeed(
        *("tools/train.py", CONFIG, "--work-dir", folder, "--cfg-options", *options(data)),
    )
    return folder
