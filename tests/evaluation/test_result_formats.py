"""Every format of results gives the same detections and counts."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdet_mitosis.evaluation.functional import Counts
from mmdet_mitosis.evaluation.results import load_target, own_threshold, read_results
from mmdet_mitosis.evaluation.scoring import score_fields, total
from tests.evaluation.fields import coco, write
from tests.evaluation.result_files import (
    COUNTS,
    MITOSES,
    POINTS,
    WRITERS,
    as_multiple_points,
    as_records,
    ground_truth,
    write_coco,
    write_jobs,
    write_midog,
    write_tupac,
)


@pytest.fixture
def target(tmp_path: Path):
    return load_target(ground_truth(tmp_path))


def counted(target, results, threshold: float) -> tuple[int, int, int]:
    counts = total(score_fields(target.fields, results.detections, threshold))
    return counts.tp, counts.fp, counts.fn


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_a_format_holds_the_detections(tmp_path, target, writer: Callable) -> None:
    results = read_results(writer(tmp_path), target)
    assert results.has_scores
    assert results.notes == ()
    for image_id, expected in POINTS.items():
        found = results.detections[image_id]
        rows = np.column_stack([found.centers_xy, found.scores])
        np.testing.assert_allclose(rows, expected, atol=1e-9)
    for threshold, expected in COUNTS.items():
        assert counted(target, results, threshold) == expected


def test_detections_are_in_order_of_their_score(tmp_path, target) -> None:
    records = [
        {"image_id": 1, "category_id": 1, "score": s, "bbox": [x, 20, 10, 30]}
        for x, s in ((10, 0.2), (40, 0.9), (70, 0.5))
    ]
    found = read_results(write(tmp_path / "found.json", records), target).detections[1]
    assert found.scores.tolist() == [0.9, 0.5, 0.2]
    assert found.bboxes_xyxy.tolist() == [[40, 20, 50, 50], [70, 20, 80, 50], [10, 20, 20, 50]]
    assert found.centers_xy.tolist() == [[45, 35], [75, 35], [15, 35]]


def test_millimetres_are_those_of_each_image(tmp_path) -> None:
    value = coco({1: [(400, 200)], 2: [(400, 200)]})
    value["images"][1]["mpp"] = 0.5
    target = load_target(write(tmp_path / "test.json", value))
    points = {
        "01": as_multiple_points([(400, 200, 0.9)]),
        "02": as_multiple_points([(400, 200, 1)]),
    }
    results = read_results(write(tmp_path / "map.json", points), target)
    np.testing.assert_allclose(results.detections[1].centers_xy, [[400, 200]])
    np.testing.assert_allclose(results.detections[2].centers_xy, [[200, 100]])


def test_other_categories_are_left_out_and_counted(tmp_path, target) -> None:
    records = [*as_records(), *({**one, "category_id": 2} for one in as_records()[:3])]
    results = read_results(write(tmp_path / "found.json", records), target)
    assert counted(target, results, 0.5) == COUNTS[0.5]
    assert results.n_left_out == 3
    assert results.notes == ("3 detections of other categories are left out",)


def test_the_category_is_that_of_mitoses_in_the_ground_truth(tmp_path) -> None:
    value = coco(MITOSES)
    value["categories"] = [{"id": 0, "name": "hard negative"}, {"id": 7, "name": "mitotic figure"}]
    for ann in value["annotations"]:
        ann["category_id"] = 7
    target = load_target(write(tmp_path / "test.json", value))
    with pytest.raises(ValueError, match=r"its categories are 1, that of mitoses in .* is 7$"):
        read_results(write_coco(tmp_path), target)
    records = [{**one, "category_id": 7} for one in as_records()]
    results = read_results(write(tmp_path / "found.json", records), target)
    assert counted(target, results, 0.5) == COUNTS[0.5]


def test_images_without_detections_are_missed_and_counted(tmp_path, target) -> None:
    some = {1: POINTS[1], 3: []}
    for writer in (write_coco, write_midog, write_tupac):
        results = read_results(writer(tmp_path, some), target)
        assert counted(target, results, 0.5) == (1, 1, 2)
        assert results.n_without == 2
        assert results.notes == (
            "2 of 3 images have no detection; their 1 mitoses count as missed",
        )
    results = read_results(write(tmp_path / "none.json", []), target)
    assert counted(target, results, 0.5) == (0, 0, 3)
    assert results.notes[0].startswith("3 of 3 images have no detection")


def test_what_lies_outside_its_image_is_told(tmp_path, target) -> None:
    # Row and column swapped: (600, 400) lies outside 800 x 600 px the other way round.
    swapped = {i: [(y, x + 150, s) for x, y, s in found] for i, found in POINTS.items()}
    results = read_results(write_tupac(tmp_path, swapped), target)
    assert results.notes == ("1 detections lie outside their image",)


def test_images_that_nobody_has_labelled_are_left_out(tmp_path) -> None:
    value = coco(MITOSES)
    for image, labelled in zip(value["images"], (True, True, False), strict=True):
        image["labelled"] = labelled
    target = load_target(write(tmp_path / "test.json", value))
    for writer in WRITERS.values():
        results = read_results(writer(tmp_path), target)
        assert counted(target, results, 0.5) == (1, 1, 2)
        assert results.n_left_out == 1
        note = "1 detections in images that nobody has labelled are left out"
        assert results.notes == (note,)


def test_without_scores_every_detection_counts(tmp_path, target) -> None:
    for path in (write_tupac(tmp_path, scores=False), write_midog(tmp_path, decided_at=None)):
        results = read_results(path, target)
        assert not results.has_scores
        own = own_threshold(results)
        assert own.origin.startswith("the submission itself, which has no ")
        assert counted(target, results, own.value) == (2, 2, 1)


def test_names_without_probabilities_decide(tmp_path, target) -> None:
    value = as_multiple_points(POINTS[1])
    for point in value["points"]:
        del point["probability"]
    value["points"].append({"name": "non-mitotic figure", "point": [0.01, 0.01, 0]})
    results = read_results(write(tmp_path / "01.json", value), target)
    assert not results.has_scores
    assert results.n_left_out == 1
    assert results.detections[1].centers_xy.tolist() == [[110, 100], [600, 400]]


def test_midogs_names_are_the_submissions_own_threshold(tmp_path, target) -> None:
    results = read_results(write_midog(tmp_path, decided_at=0.65), target)
    own = own_threshold(results)
    assert (own.value, own.origin, own.oracle) == (0.7, "the names in the submission", False)
    assert counted(target, results, own.value) == COUNTS[0.65]
    assert sum(map(len, results.detections.values())) == 4  # the others stay, for the curve
    nothing = read_results(write_midog(tmp_path, decided_at=2.0), target)
    assert counted(target, nothing, own_threshold(nothing).value) == (0, 0, 3)


def test_names_that_agree_with_no_threshold_decide_nothing(tmp_path, target) -> None:
    folder = write_midog(tmp_path)
    write(folder / "source/02.json", as_multiple_points([(205, 200, 0.95)], decided_at=1.0))
    results = read_results(folder, target)
    assert own_threshold(results) is None
    (note,) = results.notes
    assert "a non-mitotic figure has probability 0.95, a mitotic figure 0.6" in note


@pytest.mark.parametrize(
    "name", ["01", "01.tif", "source/01", "source/01.tif", "all/source/01.tif", "source\\01.tif"]
)
def test_an_image_is_found_by_the_end_of_its_path(tmp_path, target, name: str) -> None:
    path = write(tmp_path / "map.json", {name: as_multiple_points(POINTS[1])})
    assert list(read_results(path, target).detections) == [1]


def test_the_whole_name_stands_over_an_ending(tmp_path) -> None:
    value = coco({1: [(100, 100)], 2: []})
    value["images"][1]["file_name"] = "01.tif"  # beside source/01.tif
    target = load_target(write(tmp_path / "test.json", value))
    for name, image_id in (("01", 2), ("source/01", 1)):
        path = write(tmp_path / "map.json", {name: as_multiple_points([(100, 100, 0.9)])})
        assert list(read_results(path, target).detections) == [image_id]


def test_hidden_files_and_blank_lines_are_no_matter(tmp_path, target) -> None:
    folder = write_tupac(tmp_path)
    (folder / "__MACOSX").mkdir()
    for name in ("source/._01.csv", "__MACOSX/01.csv", ".DS_Store"):
        (folder / name).write_bytes(b"\0\5\x16")
    (folder / "source/01.csv").write_bytes(b"\xef\xbb\xbf100, 110 ,0.9,\r\n\r\n400,600,7e-1\r\n")
    assert counted(target, read_results(folder, target), 0.5) == COUNTS[0.5]


def test_jobs_may_be_named_by_their_file(tmp_path, target) -> None:
    folder = write_jobs(tmp_path)
    by_folder = read_results(folder, target)
    by_file = read_results(folder / "predictions.json", target)
    assert total(score_fields(target.fields, by_file.detections, 0.5)) == Counts(1, 2, 2)
    assert list(by_file.detections) == list(by_folder.detections)
    shutil.rmtree(folder / "job-2")
    with pytest.raises(
        FileNotFoundError, match=r"no such file: .*job-2/output/mitotic-figures.json"
    ):
        read_results(folder, target)
