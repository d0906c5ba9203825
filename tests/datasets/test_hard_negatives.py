"""Hard negatives: windows that show a look-alike, or a point that mining has found."""

import json

import numpy as np
import pytest

from mmdet_mitosis.datasets import MitosisDataset, NegativeRatioSampler
from mmdet_mitosis.datasets.hard_points import read_hard_points, shows_point
from tests import make_data
from tests.make_data import box

SIDE, WINDOW = 240, 40
FALSE_POSITIVES = [(50.0, 50.0), (130.0, 170.0), (210.0, 10.0)]
LOOK_ALIKE = box(82, 122, 92, 132)


def candidate(source, point, image_id=1):
    return {"image_id": image_id, "source": source, "point": list(point), "label": 0, "id": 1}


@pytest.fixture
def mined(tmp_path):
    """A file of candidates: three false positives, and what is not hard."""
    others = [("mitosis", (15, 15)), ("random", (100, 100))]
    candidates = [candidate("false_positive", point) for point in FALSE_POSITIVES]
    candidates += [candidate(*other) for other in others]
    images = make_data.coco([(SIDE, SIDE)], [[]])["images"]
    return make_data.write_json(
        tmp_path / "candidates.json", {"images": images, "candidates": candidates}
    )


@pytest.fixture
def dataset(tmp_path):
    """36 windows; two with a mitosis, one with a look-alike."""
    mitoses = [box(10, 10, 20, 20), box(210, 210, 220, 220), LOOK_ALIKE]
    content = make_data.coco([(SIDE, SIDE)], [mitoses])
    content["categories"] = [*content["categories"], {"id": 2, "name": "look-alike"}]
    content["annotations"][-1]["category_id"] = 2
    make_data.write_json(tmp_path / "train.json", content)

    def made(classes=("mitosis",)):
        return MitosisDataset(
            WINDOW, 0, ann_file=str(tmp_path / "train.json"), metainfo={"classes": classes}
        )

    return made


def windows_with(dataset, points) -> set[int]:
    """Find, one by one, the windows that show a point."""
    boxes = [dataset.get_data_info(i)["window_xyxy"] for i in range(len(dataset))]
    return {
        i
        for i, (x1, y1, x2, y2) in enumerate(boxes)
        if any(x1 <= x < x2 and y1 <= y < y2 for x, y in points)
    }


def negatives(sampler) -> list[int]:
    return [i for i in sampler if i not in set(sampler.positives.tolist())]


def test_mined_windows_get_their_share(dataset, mined):
    windows = dataset()
    hard = windows_with(windows, FALSE_POSITIVES)
    assert len(windows) == 36 and len(hard) == 3
    sampler = NegativeRatioSampler(windows, 3.0, 0.5, mined, seed=0)
    easy_seen = set()
    for epoch in range(200):
        sampler.set_epoch(epoch)
        drawn = negatives(sampler)
        assert len(drawn) == len(set(drawn)) == 6 and len(hard & set(drawn)) == 3
        easy_seen |= set(drawn) - hard
    assert len(easy_seen) == 36 - 2 - 3


@pytest.mark.parametrize(
    ("ratio", "share", "n_hard", "n"), [(1, 1, 2, 2), (5, 1, 3, 10), (2, 0, 0, 4), (100, 0, 3, 34)]
)
def test_the_share_ends_where_there_are_no_more(dataset, mined, ratio, share, n_hard, n):
    windows = dataset()
    hard = windows_with(windows, FALSE_POSITIVES)
    drawn = negatives(NegativeRatioSampler(windows, ratio, share, mined, seed=0))
    assert len(set(drawn)) == n and len(hard & set(drawn)) == n_hard


def test_without_a_share_the_draw_is_what_it_was(dataset):
    windows = dataset()
    sampler = NegativeRatioSampler(windows, 2.0, seed=4)
    rng = np.random.default_rng((4, 0))
    drawn = rng.choice(sampler.negatives, 4, replace=False)
    expected = rng.permutation(np.concatenate([sampler.positives, drawn])).tolist()
    assert list(sampler) == expected


def test_windows_of_look_alikes_alone_are_negative_and_hard(dataset):
    windows = dataset(("mitosis", "look-alike"))
    (alike,) = windows_with(windows, [LOOK_ALIKE.centroid_xy])
    assert [o["bbox_label"] for o in windows.get_data_info(alike)["instances"]] == [1]
    plain = NegativeRatioSampler(windows, 1.0, seed=0)
    assert len(plain.positives) == 2 and alike in plain.negatives
    hard = NegativeRatioSampler(windows, 1.0, 0.5, seed=0)
    for epoch in range(5):
        hard.set_epoch(epoch)
        assert alike in list(hard)


def test_points_belong_to_the_field_of_their_name(mined):
    points = read_hard_points(mined)
    assert list(points) == ["field0.png"] and points["field0.png"].tolist() == [
        list(point) for point in FALSE_POSITIVES
    ]
    window = {"img_path": "data/images/field0.png", "window_xyxy": (40, 40, 50, 51)}
    assert not shows_point(window, points)  # its far edges are not its own
    assert shows_point({**window, "window_xyxy": (50, 50, 51, 51)}, points)
    assert not shows_point({**window, "img_path": "data/images/myfield0.png"}, points)


def test_wrong_input_is_named(dataset, mined, tmp_path):
    windows = dataset()
    with pytest.raises(ValueError, match=r"hard_share must be in \[0, 1\], got 1.5"):
        NegativeRatioSampler(windows, hard_share=1.5)
    with pytest.raises(ValueError, match="no meaning without hard_share"):
        NegativeRatioSampler(windows, hard_file=mined)
    with pytest.raises(ValueError, match="there is none"):
        NegativeRatioSampler(windows, hard_share=0.5)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        NegativeRatioSampler(windows, hard_share=0.5, hard_file=str(tmp_path / "none.json"))
    wrong = make_data.write_json(tmp_path / "wrong.json", {"images": []})
    with pytest.raises(ValueError, match=r"wrong\.json is no json of candidates"):
        NegativeRatioSampler(windows, hard_share=0.5, hard_file=wrong)


def test_a_wrong_candidate_is_named(tmp_path):
    image = {"id": 1, "file_name": "a.png", "width": 50, "height": 40}
    good = {"id": 5, "image_id": 1, "point": [3, 4], "source": "look_alike"}
    for change, said in (
        ({"point": [3, 10**400]}, "the point of candidate 5 must be finite"),
        ({"point": [3, 41]}, "candidate 5 lies outside its image of 50 x 40 px"),
        ({"image_id": 2}, "candidate 5 is of no image: 2"),
        ({"source": 7}, "candidate 5 has the source 7; expected a text"),
    ):
        path = tmp_path / "wrong.json"
        path.write_text(json.dumps({"images": [image], "candidates": [{**good, **change}]}))
        with pytest.raises(ValueError, match=said):
            read_hard_points(path)
