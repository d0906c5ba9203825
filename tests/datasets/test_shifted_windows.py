"""Windows that are moved each time that training draws them."""

import numpy as np
import pytest

from mmdet_mitosis.datasets.draws import Draw
from mmdet_mitosis.datasets.mitosis_dataset import MitosisDataset
from tests import make_data
from tests.make_data import disc, expected, mask_bbox, random_mitoses, write_json

SIZE = (400, 300)
MITOSES = random_mitoses(np.random.default_rng(4), 8, *SIZE)


def build(tmp_path, mitoses=MITOSES, size=SIZE, **kwargs) -> MitosisDataset:
    path = write_json(tmp_path / "train.json", make_data.coco([size], [mitoses]))
    settings = {"window_size": 100, "max_shift": 25, "pipeline": [lambda record: record]}
    return MitosisDataset(ann_file=path, **(settings | kwargs))


def drawn(dataset: MitosisDataset, index: int, seed: int) -> dict:
    return dataset[Draw(index, (seed, 0, index))]


def test_objects_of_a_moved_window_are_those_of_the_pixels(tmp_path) -> None:
    dataset = build(tmp_path)
    n_moved = 0
    for index in range(len(dataset)):
        record = dataset.get_data_info(index)
        found = drawn(dataset, index, 1)
        window = found["window_xyxy"]
        shift = np.subtract(window, record["window_xyxy"])
        n_moved += bool(shift.any())
        assert np.abs(shift).max() <= 25
        assert shift[0] == shift[2] and shift[1] == shift[3]
        assert min(window) >= 0 and window[2] <= SIZE[0] and window[3] <= SIZE[1]
        masks, foreign = expected(MITOSES, window, SIZE)
        assert not foreign
        assert [obj["bbox"] for obj in found["instances"]] == [mask_bbox(mask) for mask in masks]
        assert bool(found["instances"]) == bool(record["instances"])
        unmoved = {"img_id", "img_path", "field_shape", "mpp", "height", "width", "sample_idx"}
        assert {key: found[key] for key in unmoved} == {key: record[key] for key in unmoved}
    assert n_moved > 0.9 * len(dataset)


def test_another_draw_is_another_place_and_the_same_one_the_same(tmp_path) -> None:
    dataset = build(tmp_path)
    places = {drawn(dataset, 7, seed)["window_xyxy"] for seed in range(30)}
    assert len(places) > 20
    assert drawn(dataset, 7, 3) == drawn(build(tmp_path), 7, 3)


def test_without_a_shift_and_in_tests_windows_stay(tmp_path) -> None:
    for settings in ({"max_shift": 0}, {"test_mode": True}):
        dataset = build(tmp_path, **settings)
        for index in range(len(dataset)):
            found = drawn(dataset, index, 1)["window_xyxy"]
            assert found == dataset.get_data_info(index)["window_xyxy"]


def test_a_window_that_cannot_be_moved_stays(tmp_path) -> None:
    dataset = build(tmp_path, [disc(45, 35, 12, 90, 70)], (90, 70))
    assert drawn(dataset, 0, 1)["window_xyxy"] == (0, 0, 90, 70)
    # Nearly every place of this one would show part of a mitosis that is centred outside.
    ring = [disc(x, 150, 12, *SIZE) for x in (100, 200)]
    dataset = build(tmp_path, ring, max_shift=300)
    for index in range(len(dataset)):
        found = drawn(dataset, index, 2)
        assert not expected(ring, found["window_xyxy"], SIZE)[1]


def test_a_negative_shift_is_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="max_shift must not be negative, got -1 px"):
        build(tmp_path, max_shift=-1)
