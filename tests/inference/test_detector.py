"""MitosisDetector: what a checkpoint finds here is what tools/test.py finds with it."""

import numpy as np
import pytest
import torch

from mmdet_mitosis.engine.checkpoints import read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY
from mmdet_mitosis.inference.detector import MitosisDetector
from tests.inference.conftest import SIZE
from tests.transforms.tissue import tissue


@pytest.fixture(scope="module")
def detector(trained):
    return MitosisDetector(trained[1], device="cpu", workers=1)


@pytest.mark.parametrize("index", [0, 1])
def test_it_finds_what_testing_finds(trained, detector, index) -> None:
    root, _, found = trained
    result = detector(root / "images" / f"field{index}.png", mpp=0.25)
    mine = [record for record in found if record["image_id"] == index + 1]
    assert len(mine) == len(result.detections) > 3
    order = np.lexsort(result.detections.centers_xy.T)
    expected = np.array([record["point"] for record in mine])
    expected_order = np.lexsort(expected.T)
    assert result.detections.centers_xy[order] == pytest.approx(expected[expected_order], abs=0.02)
    scores = np.array([record["score"] for record in mine])[expected_order]
    assert result.detections.scores[order] == pytest.approx(scores, abs=1e-4)
    assert any(result.detections.polygons)


def test_an_array_is_as_its_file(trained, detector) -> None:
    root, _, _ = trained
    by_file = detector(root / "images" / "field0.png", mpp=0.25)
    by_array = detector(tissue(0, SIZE), mpp=0.25)
    assert by_array.detections.centers_xy.tolist() == by_file.detections.centers_xy.tolist()
    with pytest.raises(ValueError, match="no resolution"):
        detector(tissue(0, SIZE))
    with pytest.raises(ValueError, match=r"\(160, 160\) float64"):
        detector(np.zeros((SIZE, SIZE)), mpp=0.25)


def test_it_says_what_it_is(trained, detector) -> None:
    assert detector.threshold_from == "val.json (validation)"
    assert (detector.window_size, detector.mpp) == (512, 0.25)
    assert detector.record["checkpoint"] == "best_x.pth"
    assert len(detector.record["checkpoint_sha256"]) == 64
    result = detector(tissue(0, SIZE), mpp=0.25)
    assert (result.found.scores >= detector.threshold).all()
    assert 0 < len(result.found) < len(result.detections)


def test_a_threshold_that_is_given_stands(trained) -> None:
    detector = MitosisDetector(trained[1], threshold=0.6, device="cpu")
    assert (detector.threshold, detector.threshold_from) == (0.6, "--threshold")


def test_the_threshold_is_that_for_windows_that_overlap_little(trained, tmp_path) -> None:
    stored = read_checkpoint(trained[1])
    stored[KEY]["threshold_once"] = stored[KEY]["threshold"] / 2
    torch.save(stored, tmp_path / "best_x.pth")
    own = MitosisDetector(tmp_path / "best_x.pth", device="cpu")
    assert own.threshold == stored[KEY]["threshold"] / 2
    assert own.note is None
    assert "tools/choose_threshold.py" in MitosisDetector(trained[1], device="cpu").note
    assert MitosisDetector(trained[1], threshold=0.6, device="cpu").note is None


def test_checkpoints_that_cannot_serve_are_refused(trained, tmp_path) -> None:
    stored = read_checkpoint(trained[1])
    unknown = stored["meta"]["cfg"] + "\nmodel = dict(type='NoSuchDetector')"
    for change, message in (
        ({KEY: None}, "stores no threshold"),
        ({"meta": {}}, "carries no config: name it with --config"),
        ({"meta": {"cfg": "import os"}}, "cannot be read without running it"),
        ({"meta": {"cfg": "a = 1\n"}}, "is no detector's: it has no 'model'"),
        ({"meta": {"cfg": unknown}}, "cannot be built"),
        ({"state_dict": {}}, "is of another model"),
    ):
        path = tmp_path / "bad.pth"
        changed = {key: v for key, v in (stored | change).items() if v is not None}
        torch.save(changed, path)
        with pytest.raises(ValueError, match=message):
            MitosisDetector(path, device="cpu")


def test_places_and_merging_are_those_that_the_threshold_was_chosen_for(trained, tmp_path) -> None:
    stored = read_checkpoint(trained[1])
    rule = "\ntest_evaluator = dict(type='CentroidFScore', ann_file='x', {})"
    for words, expected in (
        ("center='mask', merge_radius_um=3.0", ("mask", 3.0)),
        ("threshold=0.1", ("box", 6.25)),
    ):
        changed = stored["meta"] | {"cfg": stored["meta"]["cfg"] + rule.format(words)}
        torch.save({**stored, "meta": changed}, tmp_path / "best_x.pth")
        one = MitosisDetector(tmp_path / "best_x.pth", device="cpu", workers=0)
        assert (one.center, one.merge_radius_um) == expected
    wrong = stored["meta"] | {"cfg": stored["meta"]["cfg"] + rule.format("center='heart'")}
    torch.save({**stored, "meta": wrong}, tmp_path / "best_x.pth")
    with pytest.raises(
        ValueError, match=r"the center 'heart'.* in test_evaluator; expected box or"
    ):
        MitosisDetector(tmp_path / "best_x.pth", device="cpu", workers=0)


def test_another_config_of_the_same_name_is_another_detector(trained, tmp_path) -> None:
    text = read_checkpoint(trained[1])["meta"]["cfg"]
    digests = []
    for more in (
        "",
        "\nmodel['test_cfg'] = dict(model['test_cfg'], score_thr=0.3)",
        "\nmax_iters = 7",
    ):
        path = tmp_path / f"{len(digests)}" / "my.py"
        path.parent.mkdir()
        path.write_text(text + more)
        record = MitosisDetector(trained[1], path, device="cpu", workers=0).record
        assert record["config"] == "my.py"
        digests.append(record["config_sha256"])
    assert digests[0] == digests[2] != digests[1]
