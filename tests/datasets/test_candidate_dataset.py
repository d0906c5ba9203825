"""CandidateDataset: mined json in, crops out."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate

from mmdet_mitosis.datasets import CandidateDataset, NegativeRatioSampler
from tests import make_data
from tests.make_data import CONFIGS, locate, write_json

SIZE = (120, 100)


def content(points=((30, 40, 1), (60, 50, 0), (119, 99, 0), (10.5, 20.25, 0)), found=1):
    """Candidates of two fields, as mining writes them; labels are the third value."""
    images = make_data.coco([SIZE, SIZE], [[], []])["images"]
    candidates = [
        {
            "id": number,
            "image_id": 1 + number % 2,
            "point": [x, y],
            "label": label,
            "source": "mitosis" if label else "random",
            "score": None,
        }
        for number, (x, y, label) in enumerate(points, start=1)
    ]
    info = {"n_mitoses": 5, "n_mitoses_found": found}
    return {"info": info, "images": images, "candidates": candidates}


def build(tmp_path, value=None, **kwargs):
    make_data.write_data(tmp_path, [SIZE, SIZE], [[], []])
    write_json(tmp_path / "candidates" / "train.json", content() if value is None else value)
    return CandidateDataset(
        data_root=str(tmp_path),
        ann_file="candidates/train.json",
        data_prefix={"img": "images/"},
        serialize_data=False,
        **kwargs,
    )


def test_a_record_tells_the_field_the_point_and_the_label(tmp_path):
    dataset = build(tmp_path)
    assert len(dataset) == 4
    record = dataset.get_data_info(0)
    assert Path(record["img_path"]) == tmp_path / "images" / "field1.png"
    assert record["field_shape"] == (100, 120)
    assert (record["id"], record["img_id"], record["label"]) == (1, 2, 1)
    assert (record["case"], record["scanner"], record["mpp"]) == ("01", "scanner", 0.25)
    assert dataset.get_data_info(3)["point"] == (10.5, 20.25)
    assert [dataset.get_data_info(i)["label"] for i in range(4)] == [1, 0, 0, 0]


def test_what_stage_1_missed_is_no_record_but_counted(tmp_path):
    assert build(tmp_path, content(found=1)).metainfo["n_missed"] == 4
    assert build(tmp_path, content(found=5)).metainfo["n_missed"] == 0
    assert "n_missed" not in CandidateDataset.METAINFO


def test_an_epoch_can_be_balanced(tmp_path):
    points = [(30, 40, 1)] * 3 + [(60, 50, 0)] * 40
    dataset = build(tmp_path, content(points))
    sampler = NegativeRatioSampler(dataset, negative_ratio=2.0, seed=0)
    draws = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        indices = list(sampler)
        labels = [dataset.get_data_info(i)["label"] for i in indices]
        assert (sum(labels), len(labels)) == (3, 9)
        draws.append({i for i in indices if i >= 3})
    assert draws[0] != draws[1]


def pipeline(name, split):
    """The pipeline of a config; these fields tell by their colours where they are."""
    from mmengine.config import Config

    steps = Config.fromfile(CONFIGS / "two_stage" / name)[f"{split}_dataloader"].dataset.pipeline
    return [step for step in steps if step.type not in ("StainNormalize", "StainAugment")]


NAMES = [path.name for path in sorted((CONFIGS / "two_stage").glob("refiner_*.py"))]


@pytest.mark.parametrize("name", NAMES)
def test_validation_shows_the_crop_around_the_point(tmp_path, name, mmdet_scope):
    dataset = build(tmp_path, pipeline=pipeline(name, "val"), test_mode=True)
    sample = dataset[0]
    side = sample["inputs"].shape[-1]
    index, xs, ys = locate(sample["inputs"].numpy().transpose(1, 2, 0)[..., ::-1])
    assert (index, xs[side // 2, side // 2], ys[side // 2, side // 2]) == (1, 30, 40)
    assert sample["data_samples"].metainfo.items() >= {"id": 1, "label": 1, "img_id": 2}.items()
    assert len(sample["data_samples"].gt_instances) == 0


@pytest.mark.parametrize("name", NAMES)
def test_training_turns_and_flips_about_the_point(tmp_path, name, mmdet_scope):
    np.random.seed(0)
    points = [(60, 50, 1)] * 2
    dataset = build(tmp_path, content(points), pipeline=pipeline(name, "train"))
    batch = pseudo_collate([dataset[0] for _ in range(40)])
    side = batch["inputs"][0].shape[-1]
    assert {tuple(image.shape) for image in batch["inputs"]} == {(3, side, side)}
    corners = {image[:, 0, 0].numpy().tobytes() for image in batch["inputs"]}
    assert len(corners) >= 4
    for image in batch["inputs"]:
        _, green, red = image.numpy().astype(int)
        middle = slice(side // 2 - 1, side // 2 + 1)
        assert abs(red[middle, middle].mean() - 60) <= 1
        assert abs(green[middle, middle].mean() - 50) <= 1


def test_an_absolute_path_is_taken_as_it_is(tmp_path):
    make_data.write_data(tmp_path / "data", [SIZE, SIZE], [[], []])
    path = write_json(tmp_path / "mined" / "candidates" / "val.json", content())
    dataset = CandidateDataset(
        data_root=str(tmp_path / "data"), ann_file=path, data_prefix={"img": "images"}
    )
    assert Path(dataset.get_data_info(0)["img_path"]).is_file()


def test_registry_builds_it(tmp_path, mmdet_scope):
    path = write_json(tmp_path / "a.json", content())
    built = DATASETS.build({"type": "CandidateDataset", "ann_file": path})
    assert isinstance(built, CandidateDataset)
    assert Path(built.get_data_info(0)["img_path"]) == Path("field1.png")


def spoil(**changes):
    """Change the second candidate."""
    value = content()
    value["candidates"][1] |= changes
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1], "no json of candidates"),
        ({}, "no json of candidates: it lacks 'images'"),
        ({**content(), "info": 3}, "its info is 3; expected an object"),
        ({**content(), "images": [{}]}, "image number 1 lacks 'id'"),
        (
            {**content(), "info": {"n_mitoses": 3}},
            "no json of candidates: its info lacks 'n_mitoses_found'",
        ),
        (
            {**content(), "info": {"n_mitoses": float("inf"), "n_mitoses_found": 1}},
            "its info has n_mitoses inf and n_mitoses_found 1; expected whole numbers",
        ),
        ({**content(), "candidates": []}, "holds no candidate"),
        (spoil(point=[1]), "no json of candidates"),
        (spoil(point=[1, float("nan")]), "the point of candidate 2 must be finite"),
        (spoil(point=[10**400, 1]), r"the point of candidate 2 must be finite, got \[1000"),
        (spoil(point=[121, 1]), r"point \[121, 1\] of candidate 2 lies outside its image of 120 x"),
        (spoil(id=1), "two candidates have the same id, 1"),
        (spoil(label=2), "the label of candidate 2 must be 0 or 1, got 2"),
        (spoil(label=None), "the label of candidate 2 must be 0 or 1, got None"),
        (spoil(image_id=7), "candidate 2 is of no image: 7"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, value, said):
    with pytest.raises(ValueError, match=said) as caught:
        build(tmp_path, value)
    assert str(tmp_path / "candidates" / "train.json") in str(caught.value)


def test_no_json_and_no_file_are_named_too(tmp_path):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(content())[:-3])
    with pytest.raises(ValueError, match=r"broken\.json is no json of candidates"):
        CandidateDataset(ann_file=str(path))
    with pytest.raises(FileNotFoundError, match=r"none\.json .*mine_candidates\.py"):
        CandidateDataset(data_root=str(tmp_path), ann_file="none.json")


@pytest.mark.parametrize(("label", "warned"), [(0, True), (1, True), (None, False)])
def test_candidates_of_one_class_alone_are_warned_of(tmp_path, monkeypatch, label, warned):
    from mmdet_mitosis.datasets import candidate_dataset as module

    logged = []
    monkeypatch.setattr(module, "print_log", lambda text, *_, **__: logged.append(text))
    build(tmp_path, None if label is None else content([(30, 40, label), (60, 50, label)]))
    assert any("one class alone" in text for text in logged) == warned
