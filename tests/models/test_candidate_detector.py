"""Stage 1: what it learns from, and what it makes of a map of probabilities."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.optim import build_optim_wrapper
from torch import Tensor

from tests.models.small import candidate_config, image, sample, square

pytestmark = pytest.mark.usefixtures("mmdet_scope")


def build(**changes):
    torch.manual_seed(0)
    model = MODELS.build(candidate_config(**changes))
    model.init_weights()
    return model


def with_logits(model, logits: Tensor):
    """Let the network give these logits, (B, classes, H, W), whatever it sees."""
    model._forward = lambda batch_inputs, batch_data_samples=None: logits
    return model


def blobs(height: int, width: int, *places, floor: float = -9.0) -> Tensor:
    """Logits with round hills: x, y and height of each."""
    yy, xx = np.mgrid[:height, :width] + 0.5
    logits = np.full((height, width), floor)
    for x, y, top in places:
        hill = floor + (top - floor) * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * 6**2))
        logits = np.maximum(logits, hill)
    return torch.as_tensor(logits, dtype=torch.float32)[None, None]


def centers(found) -> list:
    return ((found.bboxes[:, :2] + found.bboxes[:, 2:]) / 2).tolist()


def test_losses_are_those_of_the_union_of_the_masks() -> None:
    logits = torch.randn(2, 1, 40, 48)
    model = with_logits(build(), logits)
    first = [square(3, 4, 10, 40, 48), square(8, 9, 10, 40, 48)]
    samples = [sample(first, (40, 48)), sample([], (40, 48))]
    losses = model.loss(torch.zeros(2, 3, 40, 48), samples)
    target = torch.zeros(2, 40, 48)
    target[0, 4:14, 3:13] = 1
    target[0, 9:19, 8:18] = 1
    assert target.sum() == 175  # they overlap
    expected = F.binary_cross_entropy_with_logits(
        logits[:, 0], target, pos_weight=torch.tensor(5.0)
    )
    torch.testing.assert_close(losses["loss_pixel"], expected)
    probability = logits[:, 0].sigmoid()
    both = (probability * target).sum()
    dice = 1 - (2 * both + 1e-3) / (probability.sum() + target.sum() + 1e-3)
    torch.testing.assert_close(losses["loss_region"], dice)
    assert set(losses) == {"loss_pixel", "loss_region"}


def test_polygons_serve_as_bitmaps_do() -> None:
    logits = torch.randn(1, 1, 32, 32)
    model = with_logits(build(), logits)
    outline = np.array([5, 6, 15, 6, 15, 16, 5, 16], float)
    painted = sample([outline], (32, 32), polygons=True)
    masks = painted.gt_instances.masks.to_ndarray()
    assert 80 < masks.sum() < 130
    images = torch.zeros(1, 3, 32, 32)
    assert model.loss(images, [painted]) == model.loss(images, [sample(masks, (32, 32))])


def test_what_fills_a_batch_up_is_background() -> None:
    logits = torch.randn(2, 1, 50, 40)
    model = with_logits(build(), logits)
    small = sample([square(2, 3, 6, 30, 20)], (30, 20))
    whole = sample([square(2, 3, 6, 50, 40)], (50, 40))
    other = sample([], (50, 40))
    images = torch.zeros(2, 3, 50, 40)
    assert model.loss(images, [small, other]) == model.loss(images, [whole, other])


def test_each_class_has_its_own_map() -> None:
    config = candidate_config()
    config.head.num_classes = 2
    config.loss_pixel.class_weight = [1.0, 1.0]
    config.loss_region = None
    logits = torch.full((1, 2, 20, 20), -20.0)
    logits[0, 1, 4:9, 3:8] = 20
    model = with_logits(MODELS.build(config), logits)
    images, masks = torch.zeros(1, 3, 20, 20), [square(3, 4, 5, 20, 20)]
    losses = [
        float(model.loss(images, [sample(masks, (20, 20), torch.tensor([c]))])["loss_pixel"])
        for c in (0, 1)
    ]
    assert losses[1] < 1e-6 < 0.5 < losses[0]
    (found,) = model.predict(images, [sample(shape=(20, 20))])
    assert found.pred_instances.labels.tolist() == [1]


def test_candidates_are_boxes_around_the_peaks_by_descending_score() -> None:
    logits = blobs(96, 128, (30, 40, 1.0), (90, 60, 4.0), (100, 20, -2.0))
    model = with_logits(build(box_size=20), logits)
    (found,) = model.predict(torch.zeros(1, 3, 96, 128), [sample(shape=(96, 128))])
    found = found.pred_instances
    np.testing.assert_allclose(centers(found), [(90, 60), (30, 40), (100, 20)], atol=0.6)
    assert (found.bboxes[:, 2:] - found.bboxes[:, :2] == 20).all()
    assert found.labels.tolist() == [0, 0, 0]
    scores = found.scores.tolist()
    assert scores == sorted(scores, reverse=True) and 0 < scores[2] < scores[0] < 1
    assert "masks" not in found


def test_boxes_at_the_border_keep_their_middle() -> None:
    logits = blobs(64, 64, (2, 3, 3.0))
    model = with_logits(build(box_size=32), logits)
    (found,) = model.predict(torch.zeros(1, 3, 64, 64), [sample()])
    ((x1, y1, x2, y2),) = found.pred_instances.bboxes.tolist()
    assert (x2 - x1, y2 - y1) == (32, 32) and x1 < 0 and y1 < 0


@pytest.mark.parametrize(
    ("changes", "n"),
    [({}, 3), ({"score_thr": 0.3}, 2), ({"max_per_img": 1}, 1), ({"min_distance": 32}, 2)],
)
def test_settings_limit_the_candidates(changes: dict, n: int) -> None:
    logits = blobs(64, 96, (20, 20, 4.0), (50, 20, 1.0), (90, 40, -2.0))
    model = with_logits(build(smooth_sigma=1.0, **{"score_thr": 0.01, **changes}), logits)
    (found,) = model.predict(torch.zeros(1, 3, 64, 96), [sample(shape=(64, 96))])
    assert len(found.pred_instances) == n


def test_nothing_found_is_an_empty_prediction() -> None:
    model = with_logits(build(score_thr=0.5), blobs(64, 64))
    (found,) = model.predict(torch.zeros(1, 3, 64, 64), [sample()])
    found = found.pred_instances
    assert (found.bboxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))
    assert found.labels.dtype == torch.long


def test_what_fills_a_batch_up_holds_no_candidate() -> None:
    logits = blobs(64, 96, (20, 20, 2.0), (80, 30, 4.0), (30, 60, 4.0)).repeat(2, 1, 1, 1)
    model = with_logits(build(smooth_sigma=1.0), logits)
    first, second = model.predict(
        torch.zeros(2, 3, 64, 96), [sample(shape=(50, 60)), sample(shape=(64, 96))]
    )
    kept = [c for c in centers(first.pred_instances) if c[0] < 59 and c[1] < 49]
    np.testing.assert_allclose(kept, [(20, 20)], atol=0.6)
    assert all(c[0] < 60 and c[1] < 50 for c in centers(first.pred_instances))
    assert len(second.pred_instances) == 3


def test_boxes_are_in_px_of_the_image_before_it_was_resized() -> None:
    model = with_logits(build(box_size=20), blobs(64, 64, (20, 40, 2.0)))
    resized = sample(scale_factor=(0.5, 2.0))
    (found,) = model.predict(torch.zeros(1, 3, 64, 64), [resized])
    np.testing.assert_allclose(found.pred_instances.bboxes, [[20, 15, 60, 25]], atol=1)
    (found,) = model.predict(torch.zeros(1, 3, 64, 64), [resized], rescale=False)
    np.testing.assert_allclose(found.pred_instances.bboxes, [[10, 30, 30, 50]], atol=1)


def paint(seed: int) -> tuple[Tensor, DetDataSample]:
    """A pale window of 64 px with a dark square, and its mask."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(180, 220, (3, 64, 64)).astype(np.uint8)
    x, y = rng.integers(8, 40, 2)
    pixels[:, y : y + 14, x : x + 14] = 40
    return torch.as_tensor(pixels), sample([square(x, y, 14, 64, 64)], middle=(x + 7, y + 7))


def test_it_learns_to_find_dark_squares() -> None:
    model = build()
    optimizer = {"type": "AdamW", "lr": 5e-3}
    optim_wrapper = build_optim_wrapper(model, {"optimizer": optimizer})
    for step in range(30):
        windows = [paint(4 * step + i) for i in range(4)]
        batch = {"inputs": [w for w, _ in windows], "data_samples": [s for _, s in windows]}
        model.train_step(batch, optim_wrapper)
    model.eval()
    windows = [paint(1000 + i) for i in range(6)]
    with torch.no_grad():
        found = model.test_step(
            {"inputs": [w for w, _ in windows], "data_samples": [s for _, s in windows]}
        )
    for one in found:
        best = centers(one.pred_instances)[0]
        assert np.hypot(*np.subtract(best, one.middle)) < 5


def test_windows_of_several_sizes_make_one_batch() -> None:
    model = build(score_thr=0.0).eval()
    batch = {
        "inputs": [image(0, (64, 64)), image(1, (50, 70))],
        "data_samples": [sample(), sample(shape=(50, 70))],
    }
    with torch.no_grad():
        found = model.test_step(batch)
    assert all(len(one.pred_instances) for one in found)
