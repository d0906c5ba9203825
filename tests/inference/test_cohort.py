"""Many slides: each done once, whatever happens on the way."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from mmdet_mitosis.inference import cohort as cohort_module
from mmdet_mitosis.inference.cohort import Cohort, Options, with_file
from mmdet_mitosis.inference.exports import write_csv
from mmdet_mitosis.inference.inputs import find_inputs
from mmdet_mitosis.inference.summary import summarize_slide
from tests.inference.spots import SpotDetector, paint, random_spots, save


def write(folder, result, slide) -> dict:
    write_csv(folder / "detections.csv", result)
    return summarize_slide(result)


@pytest.fixture
def slides(tmp_path) -> Path:
    folder = tmp_path / "slides"
    for number in range(5):
        spots = random_spots(4 + number, 500, 300, seed=number)
        save(folder / f"{number}.png", paint(spots, 500, 300))
    return folder


def build(slides, out, detector=None, **options) -> Cohort:
    detector = detector or SpotDetector(128)
    return Cohort(detector, find_inputs([slides]), out, Options(mpp=0.25, **options), write)


def content(out: Path) -> dict[str, bytes]:
    """All files that are output; what took how long is not compared."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and cohort_module.HIDDEN not in path.parts:
            data = path.read_bytes()
            if path.name == "summary.json":
                data = json.dumps(json.loads(data) | {"seconds": 0}).encode()
            found[path.relative_to(out).as_posix()] = data
    return found


def test_each_slide_has_a_folder_and_a_summary(tmp_path, slides) -> None:
    cohort = build(slides, tmp_path / "out")
    cohort.run()
    assert [s["slide"] for s in cohort.summaries()] == ["0", "1", "2", "3", "4"]
    assert [s["n_mitoses"] for s in cohort.summaries()] == [4, 5, 6, 7, 8]
    assert not cohort.failures() and not cohort.unfinished()
    assert {p.name for p in (tmp_path / "out").iterdir()} == {*"01234", cohort_module.HIDDEN}


def test_a_second_run_does_nothing_and_a_changed_slide_is_done_again(tmp_path, slides) -> None:
    out = tmp_path / "out"
    build(slides, out).run()
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.csv")}
    idle = SpotDetector(128)
    build(slides, out, idle).run()
    assert idle.n_seen == 0
    save(slides / "3.png", paint(random_spots(11, 500, 300, seed=9), 500, 300))
    cohort = build(slides, out)
    cohort.run()
    assert cohort.summaries()[3]["n_mitoses"] == 11
    after = {p: p.stat().st_mtime_ns for p in out.rglob("*.csv")}
    assert {p.parent.name for p in before if before[p] != after[p]} == {"3"}


def test_other_settings_are_other_results(tmp_path, slides) -> None:
    out = tmp_path / "out"
    build(slides, out).run()
    other = SpotDetector(128)
    other.threshold = 0.99
    build(slides, out, other).run()
    assert other.n_seen > 0
    again = SpotDetector(128)
    again.threshold = 0.99
    build(slides, out, again, extra=("csv",)).run()
    assert again.n_seen == other.n_seen


def test_one_bad_slide_stops_no_other(tmp_path, slides) -> None:
    (slides / "2.png").write_bytes((slides / "2.png").read_bytes()[:300])
    (slides / "empty.svs").touch()
    cohort = build(slides, tmp_path / "out")
    cohort.run()
    assert [s["slide"] for s in cohort.summaries()] == ["0", "1", "3", "4"]
    assert {Path(name).name for name in cohort.failures()} == {"2.png", "empty.svs"}
    assert "2.png" in cohort.failures()[str(slides / "2.png")]
    save(slides / "2.png", paint([(100, 100)], 500, 300))
    again = build(slides, tmp_path / "out")
    again.run()
    assert again.summaries()[2]["n_mitoses"] == 1
    assert {Path(name).name for name in again.failures()} == {"empty.svs"}


def test_an_interrupt_ends_the_run_and_the_next_one_goes_on(tmp_path, slides) -> None:
    build(slides, tmp_path / "whole").run()
    out = tmp_path / "out"
    for stop_after in (3, 11, 0, 17):
        with pytest.raises(KeyboardInterrupt):
            build(slides, out, SpotDetector(128, stop_after=stop_after)).run()
    build(slides, out).run()
    assert content(out) == content(tmp_path / "whole")


def test_output_is_whole_or_not_there(tmp_path, slides, monkeypatch) -> None:
    out = tmp_path / "out"

    def failing(folder, result, slide) -> dict:
        write_csv(folder / "detections.csv", result)
        raise OSError(28, "No space left on device")

    cohort = Cohort(SpotDetector(128), find_inputs([slides]), out, Options(mpp=0.25), failing)
    cohort.run()
    assert not [p for p in out.iterdir() if p.name != cohort_module.HIDDEN]
    assert len(cohort.failures()) == 5
    build(slides, out).run()
    first = content(out)
    Cohort(SpotDetector(64), find_inputs([slides]), out, Options(mpp=0.25), failing).run()
    assert content(out) == first  # earlier output stays


def one_rank(rank: int, world_size: int, slides: Path, out: Path, pause: float) -> None:
    """Be a process of several; pause in every slide."""

    class Slow(SpotDetector):
        def detect(self, prepared, windows):
            time.sleep(pause)
            return super().detect(prepared, windows)

    with (out.parent / f"log{rank}.txt").open("a") as log:

        def note(folder, result, slide) -> dict:
            log.write(f"{result.name}\n")
            log.flush()
            return write(folder, result, slide)

        options = Options(mpp=0.25)
        Cohort(Slow(128), find_inputs([slides]), out, options, note).run(rank, world_size)


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_the_slides_and_a_dead_ones_are_done_by_a_restart(
    tmp_path, slides, world_size
) -> None:
    out = tmp_path / "out"
    context = multiprocessing.get_context("fork")
    words = [(rank, world_size, slides, out, 0.05) for rank in range(world_size)]
    processes = [context.Process(target=one_rank, args=w) for w in words]
    for process in processes:
        process.start()
    time.sleep(0.15)
    os.kill(processes[0].pid, signal.SIGKILL)
    for process in processes:
        process.join(60)
    done = build(slides, out)
    assert done.unfinished() and not done.failures()
    again = [context.Process(target=one_rank, args=(*w[:4], 0)) for w in words]
    for process in again:
        process.start()
    for process in again:
        process.join(60)
    assert not done.unfinished()
    logs = [name for log in tmp_path.glob("log*.txt") for name in log.read_text().split()]
    assert sorted(logs) == [*"01234"]  # nothing lost, nothing twice
    build(slides, tmp_path / "whole").run()
    assert content(out) == content(tmp_path / "whole")


def test_what_other_settings_have_left_is_not_this_run_s(tmp_path, slides) -> None:
    out = tmp_path / "out"
    build(slides, out).run()
    (slides / "2.png").write_bytes(b"no image any more")
    other = SpotDetector(128)
    other.threshold = 0.99
    cohort = build(slides, out, other)
    assert len(cohort.unfinished()) == 5
    cohort.run()
    assert [s["slide"] for s in cohort.summaries()] == ["0", "1", "3", "4"]
    assert [Path(name).name for name in cohort.failures()] == ["2.png"]
    assert (out / "2" / "summary.json").is_file()  # of the first run
    (slides / "3.png").unlink()
    assert [s["slide"] for s in cohort.summaries()] == ["0", "1", "4"]


def test_another_config_is_another_result(tmp_path, slides) -> None:
    out = tmp_path / "out"
    build(slides, out).run()
    other = SpotDetector(128)
    other.record["config_sha256"] = "1" * 64  # of the same name
    build(slides, out, other).run()
    assert other.n_seen > 0


@pytest.mark.parametrize(
    "said", ["CUDA error: an illegal memory access", "CUBLAS_STATUS_ALLOC_FAILED"]
)
def test_a_gpu_that_fails_ends_the_run(tmp_path, slides, said) -> None:
    class Failing(SpotDetector):
        def detect(self, prepared, windows):
            if self.n_seen > 3:
                raise RuntimeError(f"{said}\nCompile with TORCH_USE_CUDA_DSA")
            return super().detect(prepared, windows)

    cohort = build(slides, tmp_path / "out", Failing(128))
    with pytest.raises(OSError, match=rf"\.png: the GPU has failed: {said}.*goes on from here"):
        cohort.run()
    assert not cohort.failures()
    cohort = build(slides, tmp_path / "out")
    cohort.run()
    assert not cohort.unfinished()


def test_a_slide_that_another_process_is_at_is_left_to_it(tmp_path, slides, capsys) -> None:
    out = tmp_path / "out"
    cohort = build(slides, out)
    lock = cohort._hidden("locks", cohort.inputs[1])
    with cohort_module._locked(lock, wait=False) as mine:
        assert mine
        cohort.run()
    assert [given.name for given in cohort.unfinished()] == ["1"]
    assert not cohort.failures()


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("slides/a.tif is cut off", "slides/a.tif is cut off"), ("no mpp", "slides/a.tif: no mpp")],
)
def test_a_file_that_failed_is_named_once(reason, expected) -> None:
    assert with_file("slides/a.tif", reason) == expected


def test_what_a_run_left_that_was_killed_at_the_end_of_a_slide_is_removed(tmp_path, slides) -> None:
    out = tmp_path / "out"
    cohort = build(slides, out)
    cohort.run()
    hidden = out / cohort_module.HIDDEN
    given = cohort.inputs[0]
    key = json.loads((out / given.name / "summary.json").read_text())["run"]
    left = (f"parts/0/{key}/0.npz", "replaced/0/summary.json", "staged/0/summary.json")
    left += ("failed/.0.123.tmp", "../.summary.csv.123.tmp")
    for name in (*left, "parts/0/ofother/0.npz", "parts/1/ofother/0.npz"):
        (hidden / name).parent.mkdir(parents=True, exist_ok=True)
        (hidden / name).write_text("")
    cohort.run()
    with cohort.alone():
        assert [name for name in left if (hidden / name).exists()] == []
    assert (hidden / "parts/0/ofother/0.npz").exists()  # another threshold goes on from there


def test_a_run_of_the_same_settings_leaves_no_parts(tmp_path, slides) -> None:
    build(slides, tmp_path / "out").run()
    assert not list((tmp_path / "out" / cohort_module.HIDDEN).glob("parts/*"))
