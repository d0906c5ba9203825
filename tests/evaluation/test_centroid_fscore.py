"""The metric, from a detector's windows to figures."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from mmdet_mitosis.evaluation import CentroidFScore, centroid_fscore
from mmdet_mitosis.evaluation.windows import mask_polygons
from mmdet_mitosis.geometry.windows import field_windows
from tests.evaluation.fields import coco, write

LEFT, RIGHT = (0, 0, 512, 512), (288, 0, 800, 512)
"""Two windows of a field of 800 x 600 px; they share x from 288 to 512."""


def sample(window: tuple, *detections: tuple, image_id: int = 1, labels=None, masks=None):
    """What a detector gives for a window: detections as field x, y and score, 24 px each."""
    rows = torch.tensor(detections, dtype=torch.float32).reshape(-1, 3)
    centers = rows[:, :2] - torch.tensor(window[:2])
    found = InstanceData(
        bboxes=torch.cat([centers - 12, centers + 12], dim=1),
        scores=rows[:, 2],
        labels=torch.zeros(len(rows), dtype=torch.long) if labels is None else labels,
    )
    if masks is not None:
        found.masks = masks
    metainfo = {"img_id": image_id, "window_xyxy": window}
    return DetDataSample(metainfo=metainfo, pred_instances=found)


def build(tmp_path: Path, mitoses: dict | None = None, **kwargs) -> CentroidFScore:
    """Build the metric as a config does."""
    changes = {"mpp": kwargs.pop("mpp")} if "mpp" in kwargs else {}
    path = write(tmp_path / "val.json", coco(mitoses or {1: [(400, 300)]}, **changes))
    return METRICS.build({"type": "CentroidFScore", "ann_file": str(path), **kwargs})


def evaluate(metric: CentroidFScore, *samples: DetDataSample) -> dict[str, float]:
    """Run it as the runner does, one window a batch."""
    evaluator = Evaluator(metric)
    for one in samples:
        evaluator.process([one])
    return {key.removeprefix("mitosis/"): v for key, v in evaluator.evaluate(len(samples)).items()}


def counts(metrics: dict[str, float]) -> tuple[int, int, int]:
    return metrics["tp"], metrics["fp"], metrics["fn"]


def test_a_mitosis_in_two_windows_is_one_hit(tmp_path) -> None:
    metric = build(tmp_path, threshold=0.5)
    metrics = evaluate(metric, sample(LEFT, (402, 300, 0.9)), sample(RIGHT, (398, 301, 0.8)))
    assert counts(metrics) == (1, 0, 0)
    assert (metrics["f_score"], metrics["precision"], metrics["recall"]) == (1, 1, 1)
    assert metric.detections[1].centers_xy.tolist() == [[402, 300]]  # px of the field
    assert metric.detections[1].bboxes_xyxy.tolist() == [[390, 288, 414, 312]]


def test_the_keys_are_those_that_configs_and_hooks_name(tmp_path) -> None:
    metric = build(tmp_path, threshold="choose")
    metric.process({}, [sample(LEFT, (402, 300, 0.9)).to_dict()])
    assert {"mitosis/f_score", "mitosis/threshold", "mitosis/ap"} <= set(metric.evaluate(1))


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_there_is_one_record_a_window_even_without_detections(tmp_path, batch: int) -> None:
    # mmengine cuts the records to one a dataset item: one a detection would lose detections,
    # none for an empty window would hide that the window was seen.
    metric = build(tmp_path, threshold=0.5)
    many = [(40 + 60 * i, 40, 0.9) for i in range(7)]
    windows = [sample(LEFT, *many), sample(RIGHT), sample(LEFT, (402, 300, 0.9))]
    for start in range(0, 3, batch):
        metric.process({}, [one.to_dict() for one in windows[start : start + batch]])
    assert len(metric.results) == 3
    assert counts({k.split("/")[1]: v for k, v in metric.evaluate(3).items()}) == (1, 7, 0)
    assert metric.results == []  # the next validation begins anew


def test_mitoses_of_fields_without_predictions_are_missed(tmp_path, monkeypatch) -> None:
    said = []
    monkeypatch.setattr(centroid_fscore, "print_log", lambda text, *_, **__: said.append(text))
    metric = build(tmp_path, {1: [(400, 300)], 2: [(9, 9), (99, 99)], 3: [(7, 7)]}, threshold=0.5)
    metrics = evaluate(metric, sample(LEFT, (402, 300, 0.9)), sample(LEFT, image_id=2))
    assert counts(metrics) == (1, 0, 3)  # field 2 was seen and is empty, field 3 never came
    assert "1 of 3 fields have no predictions" in said[0]
    assert said[0].endswith(": source/03.tif")


def test_no_window_at_all_misses_everything(tmp_path) -> None:
    metrics = evaluate(build(tmp_path, threshold="choose"))
    assert counts(metrics) == (0, 0, 1)
    assert (metrics["threshold"], metrics["ap"], metrics["f_score"]) == (0.5, 0, 0)


def test_chosen_threshold_is_that_of_the_highest_f_score(tmp_path) -> None:
    seen = sample(LEFT, (402, 300, 0.75), (100, 100, 0.25), (200, 100, 0.9))
    metrics = evaluate(build(tmp_path, threshold="choose"), seen)
    assert metrics["threshold"] == pytest.approx(0.5)
    assert counts(metrics) == (1, 1, 0)
    assert "oracle_f_score" not in metrics  # it would be the same figure again


def test_given_threshold_is_kept_and_the_oracle_stands_beside_it(tmp_path) -> None:
    seen = sample(LEFT, (402, 300, 0.75), (100, 100, 0.25))
    metrics = evaluate(build(tmp_path, threshold=0.8), seen)
    assert (metrics["threshold"], *counts(metrics)) == (0.8, 0, 0, 1)
    assert metrics["oracle_f_score"] == 1
    assert counts(evaluate(build(tmp_path, threshold=0.75), seen)) == (1, 0, 0)  # inclusive
    assert counts(evaluate(build(tmp_path, threshold=0), seen)) == (1, 1, 0)  # 0 is a threshold


def test_no_threshold_says_how_to_give_one(tmp_path) -> None:
    with pytest.raises(ValueError, match="--threshold"):
        evaluate(build(tmp_path), sample(LEFT))


def test_wrong_arguments_are_named(tmp_path) -> None:
    with pytest.raises(ValueError, match="'chose'"):
        build(tmp_path, threshold="chose")
    with pytest.raises(FileNotFoundError, match=r"gone\.json"):
        CentroidFScore(str(tmp_path / "gone.json"))
    with pytest.raises(ValueError, match=r"image 5, which .*val\.json does not have"):
        evaluate(build(tmp_path, threshold=0.5), sample(LEFT, image_id=5))
    with pytest.raises(ValueError, match=r"method must be one of .*, got 'nearest'"):
        build(tmp_path, method="nearest")
    with pytest.raises(ValueError, match="center must be one of box, mask, got 'corner'"):
        build(tmp_path, center="corner")


def test_other_classes_are_not_counted(tmp_path) -> None:
    masks = torch.zeros(3, 512, 512, dtype=torch.bool)
    for i, x in enumerate((100, 402, 200)):
        masks[i, 290:310, x - 10 : x + 10] = True
    detections = [(100, 300, 0.9), (402, 300, 0.8), (200, 300, 0.9)]
    seen = sample(LEFT, *detections, labels=torch.tensor([1, 0, 2]), masks=masks)
    metric = build(tmp_path, threshold=0.5)
    assert counts(evaluate(metric, seen)) == (1, 0, 0)
    # and the mask that stays is that of the box that stays
    (((*flat,),),) = metric.detections[1].polygons
    assert (min(flat[::2]), max(flat[::2])) == (392, 412)


def test_radii_are_micrometres(tmp_path) -> None:
    # 20 px are 5 µm at 0.25 and 10 µm at 0.5 µm/px: a hit, and none
    for mpp, expected in ((0.25, (1, 0, 0)), (0.5, (0, 1, 1))):
        metric = build(tmp_path, threshold=0.5, mpp=mpp)
        assert counts(evaluate(metric, sample(LEFT, (420, 300, 0.9)))) == expected
    # 20 px apart: one object and two
    for mpp, expected in ((0.25, 1), (0.5, 2)):
        metric = build(tmp_path, threshold=0.5, mpp=mpp)
        evaluate(metric, sample(LEFT, (400, 300, 0.9)), sample(RIGHT, (420, 300, 0.8)))
        assert len(metric.detections[1]) == expected


def test_the_papers_rule_is_a_setting(tmp_path) -> None:
    twice = sample(LEFT, (386, 300, 0.9), (414, 300, 0.8))  # 28 px apart, both within 30 px
    assert counts(evaluate(build(tmp_path, threshold=0.5), twice)) == (1, 1, 0)
    assert counts(evaluate(build(tmp_path, threshold=0.5, method="paper"), twice)) == (1, 0, 0)


def test_each_scanner_has_its_f_score(tmp_path) -> None:
    metric = build(tmp_path, {1: [(400, 300)], 2: [], 3: [(400, 300)]}, threshold=0.5)
    one = sample(LEFT, (402, 300, 0.9))
    metrics = evaluate(metric, one, sample(LEFT, image_id=2), sample(LEFT, image_id=3))
    assert metrics["f_score_Aperio_ScanScope_XT"] == 1
    assert metrics["f_score_Leica_SCN400"] == 0
    assert metrics["f_score"] == pytest.approx(2 / 3)
    alone = evaluate(build(tmp_path, threshold=0.5), one)
    assert not [key for key in alone if key.startswith("f_score_")]


def test_masks_become_polygons_of_the_field(tmp_path) -> None:
    masks = torch.zeros(1, 512, 512, dtype=torch.bool)
    masks[0, 290:310, 104:124] = True  # 104 to 124 in the window is 392 to 412 in the field
    out = tmp_path / "out.json"
    metric = build(tmp_path, threshold=0.5, outfile=str(out))
    evaluate(metric, sample(RIGHT, (402, 300, 0.9), masks=masks))
    (record,) = json.loads(out.read_text())
    corners = np.reshape(record["segmentation"][0], (-1, 2))
    # The mask's 20 pixels are 20 px wide: an outline through their centres would be 19.
    assert corners.min(axis=0).tolist() == [392, 290]
    assert corners.max(axis=0).tolist() == [412, 310]
    assert record["point"] == [402, 300]


def test_a_detector_without_masks_has_no_polygons(tmp_path) -> None:
    metric = build(tmp_path, threshold=0.5)
    evaluate(metric, sample(RIGHT, (402, 300, 0.9)))
    assert metric.detections[1].polygons == [[]]


def test_an_empty_mask_has_no_polygon_and_two_parts_have_two() -> None:
    mask = np.zeros((30, 40), bool)
    assert mask_polygons(mask, (5, 7)) == []
    mask[2:5, 3:9] = mask[20, 30] = True
    large, small = (polygon.reshape(-1, 2).tolist() for polygon in mask_polygons(mask, (5, 7)))
    assert sorted(large) == [[8, 9], [8, 12], [14, 9], [14, 12]]
    assert sorted(small) == [[35, 27], [35, 28], [36, 27], [36, 28]]  # a single pixel


def many_windows() -> tuple[dict, list[DetDataSample]]:
    """Three fields and an odd number of windows, with detections that tie and lie close."""
    rng = np.random.default_rng(0)
    mitoses = {i: [tuple(p) for p in rng.uniform(20, 580, (6, 2)).tolist()] for i in (1, 2, 3)}
    samples = []
    for image_id, centroids in mitoses.items():
        for window in field_windows(800, 600, 320, 0.4).tolist():
            low, high = np.array(window[:2]) + 12, np.array(window[2:]) - 12
            points = np.concatenate([centroids, rng.uniform(0, 600, (9, 2))])
            points = points + rng.normal(0, 4, points.shape)
            inside = ((points > low) & (points < high)).all(axis=1)
            scores = rng.integers(1, 20, len(points)) / 20
            rows = np.column_stack([points, scores])[inside]
            samples.append(sample(tuple(window), *rows.tolist(), image_id=image_id))
    return mitoses, samples[:-1]


def run_rank(rank: int, folder: str) -> None:
    """Be one of two processes: score the windows that the sampler gives, write the figures."""
    os.chdir(folder)  # mmengine collects in a folder of the working directory
    store = f"file://{folder}/store"
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    samples = many_windows()[1]
    metric = CentroidFScore(f"{folder}/val.json", threshold="choose")
    indices = list(DefaultSampler(samples, shuffle=False))
    for index in indices:
        metric.process({}, [samples[index].to_dict()])
    metrics = metric.evaluate(len(samples))
    write(Path(folder) / f"rank{rank}.json", {"indices": indices, "metrics": metrics})


def test_two_processes_give_the_figures_of_one_to_the_last_digit(tmp_path) -> None:
    mitoses, samples = many_windows()
    single = build(tmp_path, mitoses, threshold="choose")
    for one in samples:
        single.process({}, [one.to_dict()])
    expected = single.evaluate(len(samples))
    assert 0.2 < expected["mitosis/f_score"] < 0.95
    torch.multiprocessing.spawn(run_rank, (str(tmp_path),), nprocs=2)
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    # An odd number of windows: the sampler has given one of them twice.
    assert len(ranks[0]["indices"]) + len(ranks[1]["indices"]) == len(samples) + 1
    assert ranks[0]["metrics"] == ranks[1]["metrics"] == expected


def test_a_window_seen_twice_changes_nothing(tmp_path) -> None:
    mitoses, samples = many_windows()
    once = evaluate(build(tmp_path, mitoses, threshold="choose"), *samples)
    again = evaluate(build(tmp_path, mitoses, threshold="choose"), *samples, *samples[:5])
    assert again == once


def test_order_of_the_windows_changes_nothing(tmp_path) -> None:
    mitoses, samples = many_windows()
    forwards = evaluate(build(tmp_path, mitoses, threshold="choose"), *samples)
    assert evaluate(build(tmp_path, mitoses, threshold="choose"), *samples[::-1]) == forwards
