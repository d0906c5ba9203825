"""The benchmarks of inference: what they count, and the slide that they paint."""

import numpy as np
import pytest

from benchmarks import inference, slide_memory
from benchmarks.painted_slide import write_slide
from mmdet_mitosis.evaluation.truth import load_fields
from mmdet_mitosis.inference.detector import MitosisDetector
from mmdet_mitosis.inference.slides import open_slide
from tests.evaluation.fields import found, truth


def test_the_table_tells_each_way_and_what_it_found(trained, capsys) -> None:
    root, checkpoint, _ = trained
    words = [checkpoint, root / "annotations" / "test.json", root / "images", "--device", "cpu"]
    inference.main([*map(str, words), "--repeats", "1"])
    lines = capsys.readouterr().out.splitlines()
    own, bare = (next(x for x in lines if f"| {n} " in x) for n in (inference.OWN, inference.BARE))
    detector = MitosisDetector(checkpoint, device="cpu")
    n_found = sum(
        len(detector(root / "images" / t.file_name, t.mpp).found)
        for t in load_fields(root / "annotations" / "test.json")
    )
    assert [x.strip() for x in own.split("|")[5:8]] == ["0 of 0", str(n_found), "0"]
    assert [x.strip() for x in bare.split("|")[5:8]] == ["", "", ""]
    assert any(x.startswith("2 fields, 2 windows of 512 px") for x in lines)
    assert "of the speed of the bare network (0.9)" in lines[-1]


def test_duplicates_are_further_detections_of_the_same_mitosis() -> None:
    field = truth(1, (100, 100), (300, 300), (500, 500))
    near = [(100, 110, 0.9), (100, 124, 0.8), (100, 126, 0.8), (110, 100, 0.3)]  # 25 px is within
    detections = {1: found(*near, (300, 300, 0.7), (700, 700, 0.9), (701, 700, 0.9))}
    assert inference.n_duplicates([field], detections, 0.5) == 1
    assert inference.n_duplicates([field], detections, 0.2) == 2
    assert inference.n_duplicates([field], {1: found()}, 0.2) == 0


def test_the_painted_slide_is_a_disc_of_tissue_on_glass(tmp_path) -> None:
    write_slide(tmp_path / "a.tif", 10_000, 0.2)
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.level_sizes == ((10_000, 10_000), (2500, 2500), (625, 625))
        assert slide.mpp == 0.25
        for mpp in (0.25, 1, 4):  # all levels show the same
            middle, side = int(1250 / mpp), int(2500 / mpp)
            assert slide.read(10, 10, 50, 50, mpp).min() >= 235
            assert slide.read(middle, middle, 50, 50, mpp).mean() < 210
            row = slide.read(0, middle, side, 1, mpp)[0].min(axis=1) < 220
            reach = np.flatnonzero(row)[[0, -1]] * mpp
            assert reach == pytest.approx([1250 - 630.8, 1250 + 630.8], abs=8)
    everything, tissue = (slide_memory.plan(tmp_path / "a.tif", a) for a in (True, False))
    assert len(everything) == 24**2
    assert 0.2 < len(tissue) / len(everything) < 0.35


def test_made_up_detections_lie_in_their_windows_and_are_as_many_as_said() -> None:
    windows = [(x, y, x + 512, y + 512) for x in range(0, 8000, 400) for y in range(0, 8000, 400)]
    all_found = [slide_memory.made_up(window, 2.5) for window in windows]
    assert sum(len(one.scores) for one in all_found) == pytest.approx(1000, rel=0.1)
    for window, one in zip(windows, all_found, strict=True):
        assert (one.centers_xy >= window[:2]).all() and (one.centers_xy < window[2:]).all()
        assert len(one.polygons) == len(one.scores)
        again = slide_memory.made_up(window, 2.5)
        assert again.centers_xy.tolist() == one.centers_xy.tolist()


@pytest.mark.parametrize(
    ("main", "words", "message"),
    [
        (inference.main, ["a", "b", "c", "--repeats", "0"], "--repeats must be at least 1, got 0"),
        (slide_memory.main, ["a", "--side", "100"], "--side must be at least 512"),
        (slide_memory.main, ["a", "--tissue", "0.1", "0.9"], "--tissue over 0 and at most 0.7"),
    ],
)
def test_wrong_options_are_named(main, words, message, capsys) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert message in capsys.readouterr().err
