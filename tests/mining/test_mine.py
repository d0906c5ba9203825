"""Mining a split with a stand-in for stage 1 that finds what it is told."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from mmdet_mitosis.datasets import CandidateDataset
from mmdet_mitosis.evaluation.detections import FieldDetections
from mmdet_mitosis.evaluation.scoring import score_fields, total
from mmdet_mitosis.evaluation.truth import load_fields
from mmdet_mitosis.mining.detector import split_dataset, split_metric
from mmdet_mitosis.mining.mine import Stage1, describe, mine_split
from tests import make_data
from tests.make_data import CONFIGS, disc, write_json
from tests.mining.test_nuclei import paint

SIDE = 200
"""Fields of 50 µm; they are read in four windows of 128 px."""
MITOSES = [[(40, 40), (150, 160)], [(100, 100)], []]
NUCLEI_UM = [(10.0, 10.0), (37.5, 40.0), (25.0, 25.0), (42.0, 8.0), (8.0, 42.0), (24.0, 6.0)]


class Finder:
    """Gives, in every window that holds their centre, the detections of each field."""

    def __init__(self, found, stop_after=None):
        self.found, self.stop_after, self.seen = found, stop_after, []

    def test_step(self, batch):
        if self.stop_after is not None and len(self.seen) >= self.stop_after:
            raise KeyboardInterrupt
        samples = batch["data_samples"]
        self.seen += [sample.img_id for sample in samples]
        assert len({sample.img_id for sample in samples}) == 1
        for sample in samples:
            x1, y1, x2, y2 = sample.window_xyxy
            rows = np.array(self.found.get(sample.img_id, []), float).reshape(-1, 3)
            inside = (rows[:, :2] >= (x1, y1)).all(axis=1) & (rows[:, :2] < (x2, y2)).all(axis=1)
            centers = rows[inside, :2] - (x1, y1)
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor(np.hstack([centers - 8, centers + 8])),
                scores=torch.tensor(rows[inside, 2]),
                labels=torch.zeros(inside.sum(), dtype=torch.long),
            )
        return samples


FOUND = {
    1: [(44, 42, 0.9), (150, 100, 0.8), (40, 68, 0.7), (100, 60, 0.2), (20, 180, 0.6)],
    2: [(30, 30, 0.95), (110, 104, 0.4)],
    3: [(100, 100, 0.5), (180, 180, 0.65)],
}
"""Of field 1 a hit, a false positive, a second hit, one below the threshold, a false positive."""


def write_fields(root, split="train", mitoses=MITOSES, change=None):
    sizes = [(SIDE, SIDE)] * len(mitoses)
    objects = [[disc(x, y, 9, SIDE, SIDE) for x, y in points] for points in mitoses]
    make_data.write_data(root, sizes, objects, split)
    for index in range(len(mitoses)):
        rgb = paint(NUCLEI_UM, 0.25, size_um=SIDE / 4, seed=index)
        cv2.imwrite(str(root / "images" / f"field{index}.png"), rgb[..., ::-1])
    if change:
        path = root / "annotations" / f"{split}.json"
        content = json.loads(path.read_text())
        change(content)
        write_json(path, content)


def config(root):
    cfg = Config.fromfile(CONFIGS / "maskrcnn_r18_demo.py")
    for split in ("train", "val"):
        loader = cfg[f"{split}_dataloader"]
        loader.num_workers, loader.batch_size = 0, 3
        loader.dataset.update(data_root=f"{root}/", window_size=128, serialize_data=False)
    steps = cfg.val_dataloader.dataset.pipeline
    cfg.val_dataloader.dataset.pipeline = [s for s in steps if s.type != "StainNormalize"]
    return cfg


@pytest.fixture
def mine(tmp_path, mmdet_scope):
    """Mine a split of the fields below ``tmp_path``; give the json and what was detected."""
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"weights")

    def run(split="train", found=FOUND, ratio=16, seed=0, threshold=0.3, stop=None, out="out"):
        model = Finder(found, stop)
        stage1 = Stage1(config(tmp_path), weights, threshold, "--threshold", model)
        info = mine_split(stage1, split, tmp_path / out, ratio, seed)
        text = (tmp_path / out / "candidates" / f"{split}.json").read_text()
        content = json.loads(text)
        assert content["info"] == info
        return content, model, text

    return run


def by_source(content):
    found = {}
    for candidate in content["candidates"]:
        found.setdefault(candidate["source"], []).append(
            (candidate["image_id"], *candidate["point"])
        )
    return found


def test_training_gets_every_mitosis_and_negatives_in_their_order(tmp_path, mine):
    write_fields(tmp_path)
    content, _, _ = mine(ratio=3)
    found, info = by_source(content), content["info"]
    # The second mitosis of field 1 was not found: it is at its centroid.
    assert found["mitosis"] == [(1, 44, 42), (1, 150, 160), (2, 110, 104)]
    assert found["false_positive"] == [
        (1, 20, 180),
        (1, 150, 100),
        (2, 30, 30),
        (3, 100, 100),
        (3, 180, 180),
    ]
    assert len(found["random"]) == 4
    assert (info["n_mitoses"], info["n_mitoses_found"], info["n_second_hits"]) == (3, 2, 1)
    assert info["counts"] == {"mitosis": 3, "false_positive": 5, "look_alike": 0, "random": 4}
    assert (info["ratio_asked"], info["ratio_reached"]) == (3, 3.0)
    assert (info["threshold"], info["threshold_from"]) == (0.3, "--threshold")
    ids = [candidate["id"] for candidate in content["candidates"]]
    assert ids == list(range(1, 13))
    assert "1 second hits on a mitosis left out" in describe(info)
    assert "ratio 1:3.00 (asked 1:3)" in describe(info)


def test_false_positives_of_the_highest_scores_come_first(tmp_path, mine):
    write_fields(tmp_path)
    found = by_source(mine(ratio=1)[0])
    assert found["false_positive"] == [(1, 150, 100), (2, 30, 30), (3, 180, 180)]
    assert "random" not in found
    assert "false_positive" not in by_source(mine(ratio=0)[0])


def test_look_alikes_come_before_random_nuclei(tmp_path, mine):
    def add(content):
        content["categories"].append({"id": 2, "name": "look-alike"})
        look_alike = content["annotations"][0]
        for image_id, centroid in [(1, [40, 164]), (2, [100, 60]), (2, [29, 35]), (3, [60, 20])]:
            new = {**look_alike, "id": len(content["annotations"]) + 1, "image_id": image_id}
            content["annotations"].append({**new, "centroid": centroid, "category_id": 2})

    write_fields(tmp_path, change=add)
    content = mine(ratio=3)[0]
    found = by_source(content)
    # The first is near a false positive; that of (29, 35) is one; the rest are free.
    assert found["look_alike"] == [(2, 100, 60), (3, 60, 20)]
    assert len(found["false_positive"]) == 5 and len(found["random"]) == 2
    found = by_source(mine(ratio=2)[0])
    assert len(found["look_alike"]) == 1 and "random" not in found


def test_no_negative_lies_near_a_mitosis_and_random_ones_near_nothing(tmp_path, mine):
    write_fields(tmp_path)
    content = mine(ratio=16)[0]
    points = {source: np.array(rows) for source, rows in by_source(content).items()}
    labelled = np.array([(k + 1, *p) for k, field in enumerate(MITOSES) for p in field])

    def least(rows, others, same=False):
        distances = np.linalg.norm(rows[:, None, 1:] - others[None, :, 1:], axis=2)
        apart = rows[:, None, 0] != others[None, :, 0]
        if same:
            apart |= np.eye(len(rows), dtype=bool)
        return np.where(apart, np.inf, distances).min()

    negatives = np.concatenate([points["false_positive"], points["random"]])
    assert least(negatives, labelled) > 30
    detections = np.array([(k, x, y) for k, rows in FOUND.items() for x, y, s in rows if s > 0.3])
    assert least(points["random"], detections) > 30
    assert least(points["random"], points["random"], same=True) > 30
    # Six nuclei a field, of which some are excluded: the ratio cannot be reached, and is told.
    info = content["info"]
    assert info["ratio_reached"] == round(len(negatives) / 3, 3) < 16
    assert f"ratio 1:{info['ratio_reached']:.2f} (asked 1:16)" in describe(info)


def test_validation_gets_what_stage_1_finds_as_it_is_scored(tmp_path, mine):
    write_fields(tmp_path)
    write_fields(tmp_path, "val")
    content = mine("val")[0]
    info, labels = content["info"], {}
    for candidate in content["candidates"]:
        place = (candidate["image_id"], *candidate["point"])
        labels[place] = candidate["label"]
        assert (candidate["source"] == "mitosis") == bool(candidate["label"])
    above = {(k, x, y) for k, rows in FOUND.items() for x, y, score in rows if score >= 0.3}
    assert set(labels) == above
    fields = load_fields(tmp_path / "annotations" / "val.json")
    detections = {
        k: FieldDetections(
            np.array(rows)[:, :2], np.array(rows)[:, 2], np.zeros((len(rows), 4)), [[]] * len(rows)
        )
        for k, rows in FOUND.items()
    }
    counts = total(score_fields(fields, detections, 0.3))
    assert counts.tp == sum(labels.values()) == info["n_mitoses_found"]
    assert counts.fp == len(labels) - counts.tp == info["counts"]["false_positive"]
    dataset = CandidateDataset(
        ann_file=str(tmp_path / "out" / "candidates" / "val.json"), serialize_data=False
    )
    assert dataset.metainfo["n_missed"] == counts.fn == 1
    assert info["ratio_asked"] is None
    assert "1 second hits on a mitosis among the false positives" in describe(info)


def test_a_validation_without_negatives_is_told(tmp_path, mine):
    write_fields(tmp_path, "val")
    info = mine("val", found={2: [(100, 100, 0.9)]})[0]["info"]
    assert "no refiner can be told from another: lower --threshold" in describe(info)
    assert "told from another" not in describe(mine("val", out="other")[0]["info"])


def test_windows_of_a_field_are_merged(tmp_path, mine):
    # In the middle four windows see it; each is to give one candidate.
    write_fields(tmp_path)
    found = {2: [(100, 100, 0.9)], 3: [(100, 100, 0.9), (104, 100, 0.5)]}
    counts = by_source(mine(found=found, ratio=1)[0])
    assert counts["mitosis"][-1] == (2, 100, 100)
    assert counts["false_positive"] == [(3, 100, 100)]


def test_a_field_that_is_not_labelled_is_neither_read_nor_written(tmp_path, mine):
    write_fields(tmp_path, change=lambda content: content["images"][2].update(labelled=False))
    content, model, _ = mine()
    assert set(model.seen) == {1, 2}
    assert [image["id"] for image in content["images"]] == [1, 2]
    assert content["info"]["n_fields_unlabelled"] == 1
    assert "1 fields left out that nobody has labelled" in describe(content["info"])


def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_bytes(tmp_path, mine):
    write_fields(tmp_path)
    _, whole, expected = mine(out="whole")
    assert sorted(set(whole.seen)) == [1, 2, 3] and len(whole.seen) == 12
    with pytest.raises(KeyboardInterrupt):
        mine(stop=5)
    assert not (tmp_path / "out" / "candidates").exists()
    _, model, text = mine()
    # Field 1 was finished, field 2 was not.
    assert set(model.seen) == {2, 3} and len(model.seen) == 8
    assert text == expected
    _, model, text = mine()
    assert model.seen == [] and text == expected


@pytest.mark.parametrize("what", ["threshold", "weights", "annotations", "image", "model"])
def test_what_was_found_otherwise_is_not_used_again(tmp_path, mine, what, monkeypatch):
    write_fields(tmp_path)
    mine()
    (before,) = (tmp_path / "out" / ".mining").glob("train-*")
    threshold = 0.3
    if what == "threshold":
        threshold = 0.55
    elif what == "weights":
        (tmp_path / "weights.pth").write_bytes(b"others")
    elif what == "annotations":
        write_fields(tmp_path, mitoses=[MITOSES[0], [(100, 101)], []])
    elif what == "image":
        (tmp_path / "images" / "field1.png").touch()
    else:
        plain = config
        changed = Config.fromfile(CONFIGS / "maskrcnn_r18_demo.py").model
        changed.test_cfg.rcnn.score_thr = 0.2
        monkeypatch.setitem(globals(), "config", lambda root: _with_model(plain(root), changed))
    _, model, _ = mine(threshold=threshold)
    assert set(model.seen) == {1, 2, 3}
    (after,) = (tmp_path / "out" / ".mining").glob("train-*")
    assert after != before


def _with_model(cfg, model):
    cfg.model = model
    return cfg


def test_another_ratio_or_seed_asks_no_detector(tmp_path, mine):
    write_fields(tmp_path)
    first = by_source(mine(ratio=3)[0])["random"]
    content, model, _ = mine(ratio=3, seed=1)
    assert model.seen == [] and by_source(content)["random"] != first
    assert content["info"]["seed"] == 1
    assert mine(ratio=2)[1].seen == []


def test_a_detector_that_finds_nothing_is_no_reason_to_stop(tmp_path, mine):
    write_fields(tmp_path)
    content = mine(found={}, ratio=2)[0]
    assert content["info"]["n_mitoses_found"] == 0
    assert content["info"]["counts"]["mitosis"] == 3 and len(by_source(content)["random"]) == 6


def test_without_a_mitosis_there_is_nothing_to_mine(tmp_path, mine):
    write_fields(tmp_path, mitoses=[[], []])
    with pytest.raises(ValueError, match=r"train\.json has no labelled mitosis"):
        mine()


def test_missing_files_are_named(tmp_path, mine):
    with pytest.raises(FileNotFoundError, match=r"annotation file: .*train\.json"):
        mine()
    write_fields(tmp_path)
    (tmp_path / "images" / "field2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no such image: .*field2\.png"):
        mine()


def test_a_split_is_read_as_validation_reads_it(tmp_path, mmdet_scope):
    cfg = config(tmp_path)
    inner = cfg.train_dataloader.dataset
    cfg.train_dataloader.dataset = {"type": "RepeatDataset", "times": 3, "dataset": inner}
    cfg.train_dataloader.dataset.dataset.window_size = 64
    dataset = split_dataset(cfg, "train")
    assert (dataset.ann_file, dataset.test_mode) == ("annotations/train.json", True)
    assert dataset.window_size == 128 and dataset.overlap == cfg.val_dataloader.dataset.overlap
    assert dataset.pipeline == cfg.val_dataloader.dataset.pipeline
    assert cfg.train_dataloader.dataset.dataset.window_size == 64
    cfg.train_dataloader.dataset = {"type": "ConcatDataset", "datasets": []}
    with pytest.raises(ValueError, match=r"train_dataloader\.dataset names no ann_file"):
        split_dataset(cfg, "train")


def test_the_metric_of_validation_is_taken(tmp_path, mmdet_scope):
    write_fields(tmp_path)
    ann_file = str(tmp_path / "annotations" / "train.json")
    cfg = config(tmp_path)
    cfg.val_evaluator = [{"type": "CocoMetric"}, dict(cfg.val_evaluator, merge_radius_um=3.0)]
    metric = split_metric(cfg, ann_file, 0.25)
    assert (metric.ann_file, metric.threshold, metric.merge_radius_um) == (ann_file, 0.25, 3.0)
    cfg.val_evaluator = {"type": "CocoMetric"}
    with pytest.raises(ValueError, match="val_evaluator has no CentroidFScore"):
        split_metric(cfg, ann_file, 0.25)
