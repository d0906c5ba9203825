"""The Dockerfile: what it copies is there and let through, and it sets up as the Makefile does."""

import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LINES = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE)).splitlines()
SOURCES = [
    source
    for line in LINES
    if line.startswith("COPY ")
    for source in shlex.split(line.removeprefix("COPY "))[:-1]
]


def ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a file out, by its last line that fits."""
    result = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").removeprefix("**/")
            parts = [path, *map(str, Path(path).parents)]
            names = Path(path).parts if "**/" in line else parts
            if any(fnmatch(name, pattern) for name in names if name != "."):
                result = not line.startswith("!")
    return result


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_copied_is_there_and_let_through(source) -> None:
    assert (ROOT / source).exists() and not ignored(source)


def test_no_data_weights_or_history_reach_the_image() -> None:
    for path in (".git/config", ".venv/bin/python", "data/a.png", "work_dirs/best.pth", "demo/x"):
        assert ignored(path)
    assert ignored("mmdet_mitosis/__pycache__/cli.pyc") and not ignored("mmdet_mitosis/cli.py")
    tracked = subprocess.run(
        ["git", "ls-files", "mmdet_mitosis", "configs", "data_prep", "tools"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    assert all(not ignored(path) for path in tracked)


def test_setting_up_needs_only_what_is_copied_before() -> None:
    """setup.py reads the version and the long description."""
    before = DOCKERFILE[: DOCKERFILE.index("make setup")]
    for needed in ("README.md", "LICENSE", "constraints.txt", "mmdet_mitosis/__init__.py"):
        assert needed in before
    (words,) = [line for line in LINES if "make setup" in line]
    assert words == 'RUN make setup EXTRAS="$EXTRAS"'
    said = subprocess.run(
        ["make", "--dry-run", "--always-make", "setup", "EXTRAS=lite"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert '-c constraints.txt -e ".[lite]"' in said and "opencv-python-headless" in said


def test_it_runs_as_a_user_and_names_no_host() -> None:
    assert LINES.index("USER mitosis") > max(
        i for i, line in enumerate(LINES) if line.startswith(("RUN ", "COPY "))
    )
    assert "://" not in DOCKERFILE
    entry = [line for line in LINES if line.startswith(("ENTRYPOINT", "CMD"))]
    assert entry == ['ENTRYPOINT ["/app/.venv/bin/python"]', 'CMD ["tools/infer.py", "--help"]']
    assert (ROOT / "tools" / "infer.py").is_file()
