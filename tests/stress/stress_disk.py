"""Full disks, folders that cannot be written to, and little memory: one sentence, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.painted_slide import write_slide
from tests.stress.disk import (
    Ended,
    drop_capabilities,
    faults,
    fill,
    limit_files,
    limit_memory,
    restore,
    run_forked,
    small_disk,
    snapshot,
)
from tests.tools.commands import CONFIG, options
from tests.tools.conftest import data, work  # noqa: F401 (fixtures)

FREE = (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
"""Kilobytes that a command finds free, until it succeeds."""
OF_CHECKPOINTS = (0, 64, 8192, 24576, 49152, 98304)
NOT_KEPT = "persistent_workers=False"
SPACE = r"[Nn]o space left|[Ff]ile too large|cannot (write|be written)|not enough (space|room)"


@dataclass(frozen=True)
class Case:
    """A command, the folder that it writes to, and what it finds there.

    ``words`` gives its words for a folder; ``earlier`` those of the run before, if there is one.
    """

    name: str
    words: Callable[[Path], list]
    earlier: Callable[[Path], list] | None = None
    free: tuple[int, ...] = FREE


def cases(data: Path, work: Path) -> list[Case]:  # noqa: F811
    """List the commands."""
    archive, best = data.parent / "archive", next(work.glob("best_*.pth"))
    truth = data / "annotations" / "test.json"
    found = work / "test_detections.json"
    tiny = ["--cfg-options", "log_level=WARNING", *options(data)]
    for loader in ("train", "val", "test"):  # workers share memory by files, of limited size too
        tiny += [f"{loader}_dataloader.{word}" for word in ("num_workers=0", NOT_KEPT)]
    infer = [*sorted(archive.rglob("*.tif"))[:2], "--checkpoint", best, "--device", "cpu"]
    infer += ["--threshold", 0.5, "--workers", 0, "--mpp", 0.25]
    workers = ["--workers", 1]

    def prepare(out: Path, *more: object) -> list:
        tiles = ["--write-tiles", "--store", "--stain-fits", "macenko", "--preview", 4]
        return ["tupac16", archive, "--out", out, *tiles, *workers, *more]

    def train(out: Path) -> list:
        return [CONFIG, "--work-dir", out, "--resume", *tiny, "train_cfg.max_iters=6"]

    def score(out: Path) -> list:
        return [truth, found, "--threshold", 0.5, "--out", out / "scores.json"]

    def compare(out: Path) -> list:
        both = ["--detector", "a", found, 0.5, "--detector", "b", found, 0.6]
        return ["--gt", truth, *both, "--out", out / "both.csv"]

    return [
        Case("prepare", lambda out: prepare(out, "--seed", 1), prepare),
        Case("train", train, lambda out: [CONFIG, "--work-dir", out, *tiny], OF_CHECKPOINTS),
        Case("test", lambda out: [CONFIG, best, "--work-dir", out, "--show-dir", out / "p", *tiny]),
        Case(
            "mine_candidates",
            lambda out: [CONFIG, best, "--out", out, "--threshold", 0.01, *tiny],
        ),
        Case(
            "infer",
            lambda out: [*infer, "--out", out],
            lambda out: [*infer, "--out", out, "--picture-side", 50],
        ),
        Case("report", lambda out: [out]),
        Case("score", score, score),
        Case("compare", compare, compare),
    ]


NAMES = ["prepare", "train", "test", "mine_candidates", "infer", "report", "score", "compare"]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk of 96 MB."""
    try:
        with small_disk(tmp_path_factory.mktemp("disk") / "disk") as place:
            yield place
    except PermissionError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def tested(data: Path, work: Path) -> Path:  # noqa: F811
    """The work folder, with the results of a test."""
    words = [CONFIG, work, "--work-dir", work, "--cfg-options", *options(data)]
    ended = run_forked("test", [*words, "--threshold", 0.5])
    assert ended.status == 0, ended.said
    return work


@pytest.fixture
def case(request: pytest.FixtureRequest, data: Path, tested: Path) -> Case:  # noqa: F811
    """A command by its name."""
    return next(one for one in cases(data, tested) if one.name == request.param)


@pytest.mark.parametrize("case", NAMES, indirect=True)
def test_disk_that_fills_up(case: Case, disk: Path, tested: Path, tmp_path: Path) -> None:
    out, kept = disk / "out", tmp_path / "kept"
    start(case, out, tested)
    restore(out, kept)
    tries, lost = 0, []
    for free in case.free:
        restore(kept, out)
        before = snapshot(out)
        filler = fill(disk, free * 1024)
        ended = run_forked(case.name, case.words(out))
        filler.unlink()
        tries += 1
        lost += [f"{free} kB free: {one}" for one in faults(out, before, ended.status)]
        if ended.status == 0:
            break
        lost += [f"{free} kB free: {one}" for one in unclear(ended, SPACE)]
        ended = run_forked(case.name, case.words(out))
        if ended.status:
            lost.append(f"{free} kB free: the run after ends in {ended.said[-500:]}")
    print(f"\n{case.name}: {tries} disks, the last with {free} kB free; lost: {lost or 'nothing'}")
    assert not lost
    assert ended.status == 0


@pytest.mark.parametrize("case", NAMES, indirect=True)
def test_files_that_may_not_grow(case: Case, tested: Path, tmp_path: Path) -> None:
    out, lost = tmp_path / "out", []
    start(case, out, tested)
    before = snapshot(out)
    for size in (300, 20_000):
        ended = run_forked(case.name, case.words(out), lambda: limit_files(size))  # noqa: B023
        lost += faults(out, before, ended.status)
        if ended.status or size == 300:
            lost += unclear(ended, SPACE)
    print(f"\n{case.name}: 2 limits of the size of files; lost: {lost or 'nothing'}")
    assert not lost


@pytest.mark.parametrize("case", NAMES, indirect=True)
def test_folder_that_cannot_be_written_to(case: Case, tested: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    start(case, out, tested)
    before = snapshot(out)
    folders = [out, *(path for path in out.rglob("*") if path.is_dir() and not path.is_symlink())]
    for folder in folders:
        folder.chmod(0o555)
    ended = run_forked(case.name, case.words(out), drop_capabilities)
    for folder in folders:
        folder.chmod(0o755)
    lost = faults(out, before, ended.status) + unclear(ended, "[Pp]ermission")
    if snapshot(out) != before:
        lost.append("something was written")
    print(f"\n{case.name}: a folder that cannot be written to; lost: {lost or 'nothing'}")
    assert not lost


def test_large_slide_in_little_memory(tested: Path, tmp_path: Path) -> None:
    side, room = 40_000, 1024
    slide, out = tmp_path / "slide.tif", tmp_path / "out"
    write_slide(slide, side, 0.0002)
    words = [slide, "--checkpoint", next(tested.glob("best_*.pth")), "--threshold", 0.5]
    words += ["--device", "cpu", "--batch-size", 1, "--workers", 0, "--out", out]
    ended = run_forked("infer", words, lambda: limit_memory(room))
    assert ended.status == 0, ended.said
    before = snapshot(out)
    words += ["--picture-side", 300]
    tries, lost = [8, 32], []
    for less in tries:
        ended = run_forked("infer", words, lambda: limit_memory(less))  # noqa: B023
        lost += [f"{less} MiB: {one}" for one in faults(out, before, ended.status)]
        if ended.status:
            lost += [f"{less} MiB: {one}" for one in unclear(ended, "memory|alloc|thread")]
    print(
        f"\ninfer: {side} x {side} px ({3 * side**2 / 2**20:.0f} MiB) with {room} MiB beside the "
        f"program, and {len(tries)} limits below; lost: {lost or 'nothing'}"
    )
    assert not lost


def start(case: Case, out: Path, tested: Path) -> None:
    """Make what a command finds."""
    restore(tested if case.name == "report" else Path("none"), out)
    out.mkdir(exist_ok=True)
    if case.earlier:
        ended = run_forked(case.name, case.earlier(out))
        assert ended.status == 0, ended.said[-3000:]


def unclear(ended: Ended, words: str) -> list[str]:
    """Tell what is not clear about an end that has to be one sentence with certain words."""
    found = [] if ended.status in (1, 2) else [f"status {ended.status}"]
    if not re.search(words, ended.sentence) or "Traceback" in ended.said:
        found.append(f"it says {ended.said[-1500:]}")
    return found
