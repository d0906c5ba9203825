"""CandidateRefiner: training, predicting, and judging raw crops alike."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch.nn import functional

from tests.make_data import CONFIGS
from tests.models.small import refiner_config

SIZE = 24


def build(**changes):
    torch.manual_seed(0)
    return MODELS.build(refiner_config(**changes))


def crops(n, size=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (n, 3, size, size), np.uint8))


def batch(images, labels):
    """What the loader gives."""
    samples = []
    for number, label in enumerate(labels):
        sample = DetDataSample(metainfo={"id": number, "label": label})
        samples.append(sample)
    return {"inputs": list(images), "data_samples": samples}


@pytest.fixture
def refiner(mmdet_scope):
    return build().eval()


def test_loss_is_the_cross_entropy_of_the_labels(refiner):
    images, labels = crops(5), [0, 1, 1, 0, 1]
    data = refiner.data_preprocessor(batch(images, labels))
    loss = refiner(**data, mode="loss")
    logits = refiner(data["inputs"])
    assert logits.shape == (5, 2) and set(loss) == {"loss_cls"}
    torch.testing.assert_close(
        loss["loss_cls"], functional.cross_entropy(logits, torch.tensor(labels))
    )


def test_a_loss_of_the_config_is_taken(mmdet_scope):
    weighted = build(loss_cls={"type": "CrossEntropyLoss", "class_weight": [1.0, 9.0]}).eval()
    data = weighted.data_preprocessor(batch(crops(2), [1, 1]))
    plain = functional.cross_entropy(weighted(data["inputs"]), torch.tensor([1, 1]))
    torch.testing.assert_close(weighted(**data, mode="loss")["loss_cls"], 9 * plain)


def test_prediction_is_the_probability_of_a_mitosis_and_reads_no_label(refiner):
    images = crops(4)
    with torch.no_grad():
        found = refiner.test_step(batch(images, [0, 1, 0, 1]))
        swapped = refiner.test_step(batch(images, [1, 0, 1, 0]))
        logits = refiner(refiner.data_preprocessor({"inputs": list(images)})["inputs"])
    scores = torch.stack([sample.pred_score for sample in found])
    torch.testing.assert_close(scores, logits.exp()[:, 1] / logits.exp().sum(dim=1))
    assert [sample.id for sample in found] == [0, 1, 2, 3]
    torch.testing.assert_close(scores, torch.stack([sample.pred_score for sample in swapped]))


def test_raw_crops_are_judged_as_the_loader_s_are(refiner):
    images = crops(6)
    with torch.no_grad():
        expected = torch.stack([s.pred_score for s in refiner.test_step(batch(images, [0] * 6))])
        torch.testing.assert_close(refiner.classify(images), expected)
        torch.testing.assert_close(refiner.classify(images.float()), expected)
        # One without the change from BGR to RGB, or normalised already, is judged otherwise.
        assert (refiner.classify(images.flip(1)) - expected).abs().max() > 1e-5
        assert refiner.classify(images[:0]).shape == (0,)


def test_a_preprocessor_of_detectors_does_the_same(refiner):
    other = build()
    other.load_state_dict(refiner.state_dict())
    det = dict(refiner_config().data_preprocessor, type="DetDataPreprocessor")
    other.data_preprocessor = MODELS.build(det)
    images = crops(3)
    with torch.no_grad():
        torch.testing.assert_close(other.eval().classify(images), refiner.classify(images))


def test_crops_are_resized_by_the_model_wherever_they_come_from(refiner):
    large = build(input_size=40).eval()
    images = crops(3)
    seen = []
    large.backbone.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        from_loader = torch.stack(
            [sample.pred_score for sample in large.test_step(batch(images, [0] * 3))]
        )
        torch.testing.assert_close(large.classify(images), from_loader)
        large.classify(crops(2, size=40))
    assert [x.shape[-1] for x in seen] == [40, 40, 40]
    normal = large.data_preprocessor({"inputs": images})["inputs"]
    resized = functional.interpolate(normal, size=40, mode="bilinear", align_corners=False)
    torch.testing.assert_close(seen[0], resized, atol=1e-4, rtol=0)
    # Judging does not depend on what else is in the batch.
    with torch.no_grad():
        alone = torch.cat([large.classify(one[None]) for one in images])
    torch.testing.assert_close(alone, from_loader, atol=1e-5, rtol=1e-4)


def test_it_learns_what_differs_in_the_middle(mmdet_scope):
    refiner = build()
    wrapper = build_optim_wrapper(
        refiner, {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 3e-3}}
    )
    images, labels = crops(24), [number % 2 for number in range(24)]
    images[1::2, :, 8:16, 8:16] //= 4
    losses = [refiner.train_step(batch(images, labels), wrapper)["loss"] for _ in range(25)]
    assert losses[-1] < losses[0] / 3
    fresh = crops(20, seed=9)
    fresh[1::2, :, 8:16, 8:16] //= 4
    with torch.no_grad():
        right = (refiner.eval().classify(fresh) > 0.5) == (torch.arange(20) % 2 == 1)
    assert right.float().mean() >= 0.9


def test_wrong_arguments_are_named(mmdet_scope):
    with pytest.raises(ValueError, match="num_classes must be at least 2, got 1"):
        build(num_classes=1)
    with pytest.raises(ValueError, match="must be at least 1 px, got 24 and 0"):
        build(input_size=0)
    swin = {"type": "SwinTransformer", "embed_dims": 12, "depths": (1, 1, 1, 1)}
    with pytest.raises(ValueError, match=r"in_channels must say .* SwinTransformer"):
        MODELS.build({"type": "CandidateRefiner", "backbone": swin})
    with pytest.raises(ValueError, match="mode must be loss, predict or tensor, got 'guess'"):
        build()(torch.zeros(1, 3, 24, 24), mode="guess")


def test_the_papers_refiner_is_a_resnet_101_of_two_classes(mmdet_scope):
    cfg = Config.fromfile(CONFIGS / "two_stage" / "refiner_r101_tupac.py")
    assert cfg.model.backbone.init_cfg.checkpoint == "torchvision://resnet101"
    refiner = MODELS.build(cfg.model)
    assert (refiner.backbone.depth, refiner.fc.in_features, refiner.fc.out_features) == (
        101,
        2048,
        2,
    )
    assert (refiner.crop_size, refiner.input_size) == (80, 224)
    # The crops that are trained on are those that the joined detector cuts.
    for split in ("train", "val"):
        steps = cfg[f"{split}_dataloader"].dataset.pipeline
        assert steps[0] == {"type": "LoadCandidate", "size": refiner.crop_size}
    assert type(refiner.loss_cls).__name__ == "CrossEntropyLoss"
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("Adam", 1e-4, 1e-2)
    assert (cfg.train_dataloader.batch_size, cfg.train_cfg.max_epochs) == (12, 100)
    assert cfg.train_dataloader.sampler.type == "DrawSampler"
    assert refiner.backbone.frozen_stages == -1 and not refiner.backbone.norm_eval
    (early,) = [hook for hook in cfg.custom_hooks if hook.type == "ResumableEarlyStoppingHook"]
    assert (early.monitor, early.rule) == ("candidate/ap", "greater")
    assert early.min_delta < 0.01 and early.patience > 5
    saving = cfg.default_hooks.checkpoint
    assert (saving.save_best, saving.rule, saving.by_epoch) == ("candidate/ap", "greater", True)
