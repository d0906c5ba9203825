"""The joined detector, against its stages run one after the other."""

import numpy as np
import pytest
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData

from mmdet_mitosis.evaluation.windows import merge_field, window_detections
from mmdet_mitosis.models.two_stage_mitosis import crop_windows
from mmdet_mitosis.transforms.crop_candidate import crop_around
from tests.make_data import CONFIGS
from tests.models.small import candidate_config, image, refiner_config, sample

pytestmark = pytest.mark.usefixtures("mmdet_scope")
STAGES = {
    "two_stage/two_stage_tupac": ("two_stage/candidates_fcn_vgg16_tupac", "refiner_r101_tupac"),
    "two_stage/two_stage_demo": ("two_stage/candidates_demo", "refiner_demo"),
    "two_stage/two_stage_mitos12": ("two_stage/candidates_mitos12", "refiner_mitos12"),
    "two_stage/two_stage_efficientnet_lite0_mitos12": (
        "fcn_efficientnet_lite0_mitos12",
        "refiner_efficientnet_lite0_mitos12",
    ),
    "maskrcnn_r101_refined_tupac": ("maskrcnn_r101_tupac", "refiner_r101_tupac"),
    "two_stage/maskrcnn_refined_demo": ("maskrcnn_r18_demo", "refiner_demo"),
    "two_stage/maskrcnn_refined_mitos12": ("maskrcnn_r18_mitos12", "refiner_mitos12"),
}


def build(**changes):
    """An untrained joined detector; its stages find something, and judge it differently."""
    torch.manual_seed(0)
    config = {"type": "TwoStageMitosisDetector", "refiner": refiner_config(), **changes}
    config.setdefault(
        "candidates", candidate_config(score_thr=0.0, min_distance=4, smooth_sigma=1.0)
    )
    model = MODELS.build(config)
    model.init_weights()
    for layer in (model.candidates.head.score_pool3, model.candidates.head.score_fc7):
        torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(model.refiner.fc.weight, std=0.3)
    return model.eval()


def predict(model, images, **meta) -> list:
    """Run it as the runner does."""
    samples = [sample(shape=tuple(i.shape[1:]), **meta) for i in images]
    with torch.no_grad():
        return [
            s.pred_instances for s in model.test_step({"inputs": images, "data_samples": samples})
        ]


@pytest.mark.parametrize("shape", [(40, 60), (9, 50), (1, 5)])
@pytest.mark.parametrize("size", [24, 7, 1])
def test_crops_are_those_of_the_refiners_training(shape: tuple, size: int) -> None:
    window = image(1, shape)
    rng = np.random.default_rng(size)
    centers = rng.uniform((0, 0), (shape[1], shape[0]), (20, 2))
    centers[0], centers[1] = (0, 0), (shape[1] - 0.01, shape[0] - 0.01)
    crops = crop_windows(window, torch.as_tensor(centers), size)
    array = window.permute(1, 2, 0).numpy()
    expected = np.stack([crop_around(array, xy, size) for xy in centers])
    assert crops.shape == (20, 3, size, size)
    np.testing.assert_array_equal(crops.permute(0, 2, 3, 1).numpy(), expected)
    assert crop_windows(window, torch.zeros(0, 2), size).shape == (0, 3, size, size)


@pytest.mark.parametrize("shapes", [[(64, 64)], [(64, 64), (64, 64)], [(64, 80), (50, 64)]])
def test_it_gives_what_the_stages_give_one_after_the_other(shapes: list) -> None:
    model = build(refine_batch_size=3)
    images = [image(i, shape) for i, shape in enumerate(shapes)]
    stage1 = predict(model.candidates, images)
    threshold = float(torch.cat([found.scores for found in stage1]).median())
    model.candidate_threshold.fill_(threshold)
    results = predict(model, images)
    for pixels, found, candidates in zip(images, results, stage1, strict=True):
        kept = candidates[candidates.scores >= threshold]
        assert 2 < len(kept) < len(candidates)
        array = pixels.permute(1, 2, 0).numpy()
        expected = []
        for (x1, y1, x2, y2), score in zip(kept.bboxes.tolist(), kept.scores, strict=True):
            crop = crop_around(array, ((x1 + x2) / 2, (y1 + y2) / 2), 24)
            with torch.no_grad():
                (judged,) = model.refiner.classify(torch.as_tensor(crop).permute(2, 0, 1)[None])
            expected.append((float(judged), float(score), [x1, y1, x2, y2]))
        expected.sort(key=lambda row: -row[0])
        scores, candidate_scores, boxes = zip(*expected, strict=True)
        np.testing.assert_allclose(found.scores, scores, rtol=1e-5)
        np.testing.assert_allclose(found.candidate_scores, candidate_scores, rtol=1e-4)
        np.testing.assert_allclose(found.bboxes, boxes)
        assert found.labels.tolist() == [0] * len(kept)
        assert np.ptp(scores) > 1e-3
        assert np.argsort(scores).tolist() != np.argsort(candidate_scores).tolist()


def test_crops_are_refined_in_batches_of_a_size_that_changes_nothing(monkeypatch) -> None:
    model = build(refine_batch_size=1000)
    images = [image(0), image(1)]
    whole = predict(model, images)
    sizes = []
    classify = model.refiner.classify
    monkeypatch.setattr(
        model.refiner, "classify", lambda crops: sizes.append(len(crops)) or classify(crops)
    )
    model.refine_batch_size = 4
    for one, other in zip(predict(model, images), whole, strict=True):
        torch.testing.assert_close(one.bboxes, other.bboxes)
        torch.testing.assert_close(one.scores, other.scores)
    assert sum(sizes) == sum(map(len, whole)) > 8
    assert set(sizes[:-1]) == {4} and 0 < sizes[-1] <= 4


def test_no_candidates_are_an_empty_prediction() -> None:
    model = build(candidate_threshold=1.1)
    for found in predict(model, [image(0), image(1, (40, 50))]):
        assert (found.bboxes.shape, found.scores.shape) == ((0, 4), (0,))
        assert (found.labels.shape, found.candidate_scores.shape) == ((0,), (0,))
    model.candidate_threshold.fill_(0)
    assert all(len(found) for found in predict(model, [image(0)]))


def test_one_window_without_candidates_takes_none_of_its_neighbours() -> None:
    model = build()
    images = [image(seed) for seed in range(5)]
    highest = [float(predict(model, [one])[0].candidate_scores.max()) for one in images]
    middle, first, third = np.argsort(highest)[[0, -2, -1]]
    images = [images[first], images[middle], images[third]]
    lone = [predict(model, [one])[0] for one in images]
    limit = (highest[middle] + highest[first]) / 2
    model.candidate_threshold.fill_(limit)
    first, second, third = predict(model, images)
    assert len(second) == 0 and len(first) and len(third)
    for found, alone in ((first, lone[0]), (third, lone[2])):
        alone = alone[alone.candidate_scores >= limit]
        torch.testing.assert_close(found.bboxes, alone.bboxes)
        torch.testing.assert_close(found.scores, alone.scores, rtol=1e-4, atol=1e-5)


def test_only_candidates_of_mitoses_are_refined() -> None:
    config = candidate_config(score_thr=0.0, min_distance=4, smooth_sigma=1.0)
    config.head.num_classes = 2
    model = build(candidates=config)
    images = [image(0)]
    (stage1,), (found,) = predict(model.candidates, images), predict(model, images)
    assert set(stage1.labels.tolist()) == {0, 1}
    assert len(found) == int((stage1.labels == 0).sum())


class Masked(BaseDetector):
    """A stage 1 with masks: squares at two places, the surer one first."""

    def predict(self, batch_inputs, batch_data_samples, rescale=True):
        results = []
        for pixels in batch_inputs:
            masks = torch.zeros(2, *pixels.shape[1:], dtype=torch.bool)
            masks[0, 10:20, 5:15] = masks[1, 40:50, 30:40] = True
            boxes = torch.tensor([[5.0, 10, 15, 20], [30, 40, 40, 50]])
            results.append(
                InstanceData(
                    bboxes=boxes,
                    scores=torch.tensor([0.9, 0.6]),
                    labels=boxes[:, 0].long() * 0,
                    masks=masks,
                )
            )
        return self.add_pred_to_datasample(batch_data_samples, results)

    def extract_feat(self, batch_inputs):
        return ()

    def loss(self, batch_inputs, batch_data_samples):
        return {}

    def _forward(self, batch_inputs, batch_data_samples=None):
        return batch_inputs


def test_masks_of_another_detector_stay_with_their_boxes(monkeypatch) -> None:
    model = build()
    model.candidates = Masked(model.candidates.data_preprocessor)
    monkeypatch.setattr(model.refiner, "classify", lambda crops: torch.tensor([0.2, 0.7]))
    (found,) = predict(model, [image(0)])
    assert found.scores.tolist() == pytest.approx([0.7, 0.2])
    assert found.candidate_scores.tolist() == pytest.approx([0.6, 0.9])
    assert found.bboxes[:, 0].tolist() == [30, 5]
    for mask, (x1, y1, x2, y2) in zip(found.masks, found.bboxes.int().tolist(), strict=True):
        assert mask[y1:y2, x1:x2].all() and mask.sum() == 100
    placed = window_detections(found, 7, (100, 200, 164, 264))
    assert placed.candidate_scores.tolist() == pytest.approx([0.6, 0.9])
    merged = merge_field([placed], 25)
    assert merged.candidate_scores.tolist() == pytest.approx([0.6, 0.9])
    assert merged.above(0.5).candidate_scores.tolist() == pytest.approx([0.6])


def test_boxes_are_in_px_of_the_image_before_it_was_resized() -> None:
    model = build()
    (plain,) = predict(model, [image(0)])
    (found,) = predict(model, [image(0)], scale_factor=(0.5, 2.0))
    torch.testing.assert_close(found.bboxes, plain.bboxes / torch.tensor([0.5, 2.0, 0.5, 2.0]))
    torch.testing.assert_close(found.scores, plain.scores)


def test_a_checkpoint_brings_the_threshold_of_stage_1() -> None:
    model = build()
    model.candidate_threshold.fill_(0.123456789012345)
    other = build(candidate_threshold=0.9)
    other.load_state_dict(model.state_dict())
    assert other.candidate_threshold.item() == 0.123456789012345
    (one,), (two,) = predict(model, [image(3)]), predict(other, [image(3)])
    torch.testing.assert_close(one.scores, two.scores)


def test_it_is_not_trained_as_a_whole() -> None:
    model = build()
    optim_wrapper = build_optim_wrapper(model, {"optimizer": {"type": "SGD", "lr": 0.1}})
    batch = {"inputs": [image(0)], "data_samples": [sample()]}
    with pytest.raises(NotImplementedError, match=r"by their own configs.*join_stages\.py"):
        model.train_step(batch, optim_wrapper)


def test_impossible_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="refine_batch_size must be at least 1, got 0"):
        build(refine_batch_size=0)


def test_tensor_mode_gives_the_logits_of_stage_1() -> None:
    model = build()
    with torch.no_grad():
        logits = model(torch.stack([image(0), image(1)]).float())
        data = model.candidates.data_preprocessor({"inputs": [image(0), image(1)]})
        torch.testing.assert_close(logits, model.candidates(data["inputs"]))
    assert logits.shape == (2, 1, 64, 64)


@pytest.mark.parametrize("joined", STAGES)
def test_a_joined_config_has_the_models_that_its_stages_train(joined: str) -> None:
    first, second = STAGES[joined]
    model = Config.fromfile(CONFIGS / f"{joined}.py").model
    assert model.candidates == Config.fromfile(CONFIGS / f"{first}.py").model
    assert model.refiner == Config.fromfile(CONFIGS / f"two_stage/{second}.py").model
