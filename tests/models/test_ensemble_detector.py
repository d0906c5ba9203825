"""An ensemble, against its detectors run one by one on windows that NumPy has turned."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper

from mmdet_mitosis.evaluation.windows import window_detections
from mmdet_mitosis.models.views import VIEW_SETS
from tests import make_data
from tests.installed import needs_torchvision_operators
from tests.make_data import CONFIGS
from tests.models.small import candidate_config, image, sample
from tests.models.test_consensus import slow

pytestmark = pytest.mark.usefixtures("mmdet_scope")
RADIUS = 12.0
TURNS = {  # how a window (H, W, C) is turned, and how a point of it comes back
    "identity": (lambda a: a, lambda x, y, w, h: (x, y)),
    "flip_left_right": (np.fliplr, lambda x, y, w, h: (w - x, y)),
    "flip_top_bottom": (np.flipud, lambda x, y, w, h: (x, h - y)),
    "rotate_180": (lambda a: np.rot90(a, 2), lambda x, y, w, h: (w - x, h - y)),
    "rotate_90": (np.rot90, lambda x, y, w, h: (w - y, x)),
    "rotate_270": (lambda a: np.rot90(a, 3), lambda x, y, w, h: (y, h - x)),
    "transpose": (lambda a: np.swapaxes(a, 0, 1), lambda x, y, w, h: (y, x)),
    "transverse": (lambda a: np.rot90(np.flipud(a)), lambda x, y, w, h: (w - y, h - x)),
}
UPRIGHT = VIEW_SETS["flips"]


def mask_rcnn() -> dict:
    """A Mask R-CNN of a few channels that finds something, whatever it is shown."""
    model = Config.fromfile(CONFIGS / "maskrcnn_r18_demo.py").model
    make_data.shrink(model)
    model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=8)
    return model


def build(*detectors: dict, **changes) -> torch.nn.Module:
    """An untrained ensemble."""
    torch.manual_seed(0)
    config = {"type": "EnsembleDetector", "detectors": detectors, "merge_radius": RADIUS}
    model = MODELS.build({**config, **changes})
    for name, weight in model.named_parameters():
        if "score_" in name:  # zero at the start of training
            torch.nn.init.normal_(weight)
    return model.eval()


def predict(model, images, scale=(1.0, 1.0)) -> list:
    """Run it as the runner does, on windows that the pipeline has scaled (x, y)."""
    samples = []
    for one in images:
        height, width = one.shape[1:]
        original = (round(height / scale[1]), round(width / scale[0]))
        samples.append(sample(shape=(height, width), ori_shape=original, scale_factor=scale))
    with torch.no_grad():
        found = model.test_step({"inputs": images, "data_samples": samples})
    return [one.pred_instances for one in found]


def turned_by_hand(window: torch.Tensor, view: str) -> torch.Tensor:
    """Turn a window, (3, H, W)."""
    array = TURNS[view][0](window.permute(1, 2, 0).numpy())
    return torch.from_numpy(array.copy()).permute(2, 0, 1)


def seen(detector, images, view: str, scale=(1.0, 1.0)) -> list[dict]:
    """What a detector finds in turned windows, taken back corner by corner and pixel by pixel."""
    turn, back = TURNS[view]
    turned_scale = scale if view in UPRIGHT else scale[::-1]
    windows = [turned_by_hand(one, view) for one in images]
    results = []
    for one, found in zip(images, predict(detector, windows, turned_scale), strict=True):
        height, width = (round(n / s) for n, s in zip(one.shape[1:], scale[::-1], strict=True))
        boxes, masks = [], []
        for i in range(len(found)):
            x1, y1, x2, y2 = found.bboxes[i].tolist()
            corners = [back(*xy, width, height) for xy in ((x1, y1), (x2, y2))]
            boxes.append([*np.min(corners, axis=0), *np.max(corners, axis=0)])
            if "masks" in found:
                pixel = turn(np.arange(height * width).reshape(height, width))
                mask = np.zeros(height * width, bool)
                mask[pixel[found.masks[i].numpy()]] = True
                masks.append(mask.reshape(height, width))
        boxes = np.array(boxes).reshape(-1, 4)
        scores, labels = found.scores.numpy().astype(float), found.labels.numpy()
        results.append({"boxes": boxes, "masks": masks, "scores": scores, "labels": labels})
    return results


def merged_by_hand(sights: list[dict]) -> list[tuple]:
    """Score, box and mask of each object of one label, of what all views show of one window."""
    boxes = np.concatenate([one["boxes"] for one in sights])
    scores = np.concatenate([one["scores"] for one in sights])
    masks = [mask for one in sights for mask in one["masks"]] or [None] * len(boxes)
    views = np.repeat(np.arange(len(sights)), [len(one["boxes"]) for one in sights])
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    objects = []
    for mean, *surest in slow(centers, scores, views, len(sights), RADIUS):
        (i,) = np.flatnonzero((np.column_stack([scores, centers]) == surest).all(axis=1))
        objects.append((mean, boxes[i], masks[i]))
    return objects


def assert_same(found, objects: list[tuple]) -> None:
    """Compare a prediction with what was merged by hand."""
    assert len(found) == len(objects) > 1
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    for score, box, mask in objects:
        near = np.abs(found.bboxes.numpy() - box).max(axis=1) < 1e-3
        (i,) = np.flatnonzero(near)
        assert float(found.scores[i]) == pytest.approx(score, abs=1e-5)
        if mask is not None:
            np.testing.assert_array_equal(found.masks[i].numpy(), mask)


@pytest.mark.parametrize(
    ("views", "shapes", "scale"),
    [
        ("flips", [(64, 64)], (1.0, 1.0)),
        ("all", [(64, 96), (40, 64)], (1.0, 1.0)),
        (["transverse", "rotate_90"], [(64, 96)], (2.0, 0.5)),
    ],
)
def test_it_is_what_its_detectors_find_in_turned_windows_merged_by_hand(
    views, shapes, scale
) -> None:
    model = build(mask_rcnn(), mask_rcnn(), views=views)
    images = [image(i, shape) for i, shape in enumerate(shapes)]
    names = VIEW_SETS[views] if isinstance(views, str) else views
    sights = [seen(one, images, view, scale) for one in model.detectors for view in names]
    results = predict(model, images, scale)
    for found, of_window in zip(results, zip(*sights, strict=True), strict=True):
        objects = merged_by_hand(of_window)
        assert len(objects) < sum(len(one["scores"]) for one in of_window)  # some were merged
        assert_same(found, objects)
        assert len(found) > 10 and sum(mask.any() for *_, mask in objects) > 10


def test_one_detector_and_one_view_are_the_detector() -> None:
    model = build(mask_rcnn())
    images = [image(0, (64, 96)), image(1, (96, 64))]
    for found, alone in zip(
        predict(model, images), predict(model.detectors[0], images), strict=True
    ):
        for name in ("bboxes", "scores", "labels", "masks"):
            assert torch.equal(found[name], alone[name])


@pytest.mark.parametrize("view", ["flip_left_right", "rotate_90", "transverse"])
def test_with_all_views_a_turned_window_gives_the_turned_prediction(view) -> None:
    model, images = build(mask_rcnn(), views="all"), [image(3, (64, 96))]
    (found,) = predict(model, images)
    (turned,) = seen(model, images, view)
    objects = zip(turned["scores"], turned["boxes"], turned["masks"], strict=True)
    assert_same(found, list(objects))


def test_what_it_finds_goes_the_way_of_any_detections() -> None:
    (found,) = predict(build(mask_rcnn(), views="all"), [image(0)])
    window = window_detections(found, 1, (100, 200, 164, 264), center="mask")
    assert len(window.scores) == len(window.polygons) == len(found) and all(window.polygons)
    assert (window.bboxes_xyxy[:, 0] >= 100).all()


def test_labels_are_merged_apart_and_masks_need_all_detectors() -> None:
    stage = candidate_config(score_thr=0.0, min_distance=4, smooth_sigma=1.0, max_per_img=9)
    stage.head.num_classes = 2
    model, images = build(stage, mask_rcnn(), views="flips"), [image(0)]
    (found,) = predict(model, images)
    assert "masks" not in found
    sights = [seen(one, images, view)[0] for one in model.detectors for view in UPRIGHT]
    assert set(found.labels.tolist()) == {0, 1}
    for label in (0, 1):
        of_label = [
            {"boxes": s["boxes"][s["labels"] == label], "scores": s["scores"][s["labels"] == label]}
            for s in sights
        ]
        objects = merged_by_hand([{**one, "masks": []} for one in of_label])
        assert_same(found[found.labels == label], objects)


def test_nothing_found_is_an_empty_prediction() -> None:
    silent = mask_rcnn()
    silent.test_cfg.rcnn.score_thr = 1.0
    for found in predict(build(silent, views="all"), [image(0, (64, 96)), image(1)]):
        assert found.bboxes.shape == (0, 4) and len(found.scores) == len(found.labels) == 0
        assert len(found.masks) == 0


@needs_torchvision_operators  # compiled mmcv has no bfloat16 on CPUs
def test_lower_precision_keeps_the_digits_of_places() -> None:
    model, images = build(mask_rcnn(), views="all"), [image(0, (64, 96))]
    with torch.autocast("cpu", torch.bfloat16):
        (found,) = predict(model, images)
    assert found.bboxes.dtype == found.scores.dtype == torch.float32
    assert len(found) > 10 and len(window_detections(found, 1, (0, 0, 96, 64)).scores) == len(found)


def test_it_is_not_trained_as_a_whole() -> None:
    model = build(candidate_config())
    optim_wrapper = build_optim_wrapper(model, {"optimizer": {"type": "SGD", "lr": 0.1}})
    batch = {"inputs": [image(0)], "data_samples": [sample()]}
    with pytest.raises(NotImplementedError, match=r"by their own configs.*ensemble\.py"):
        model.train_step(batch, optim_wrapper)


def test_tensor_mode_gives_what_each_network_gives() -> None:
    model, windows = build(candidate_config(), candidate_config()), torch.stack([image(0)])
    with torch.no_grad():
        outputs, features = model(windows.float()), model.extract_feat(windows.float())
        for detector, output, levels in zip(model.detectors, outputs, features, strict=True):
            data = detector.data_preprocessor({"inputs": list(windows)})
            torch.testing.assert_close(output, detector(data["inputs"]))
            torch.testing.assert_close(levels, detector.extract_feat(data["inputs"]))
    assert not torch.equal(*outputs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detectors": []}, "at least one detector"),
        ({"views": "some"}, "views must be one, flips, all or a list, got 'some'"),
        ({"views": ["rotate_45"]}, "unknown view 'rotate_45'; choose of identity, flip_left"),
        ({"views": []}, "at least one view"),
        ({"views": ["identity", "identity"]}, "each once"),
        ({"merge_radius": -1}, "merge_radius must not be negative, got -1"),
    ],
)
def test_impossible_ensembles_are_refused(changes, message) -> None:
    with pytest.raises(ValueError, match=message):
        build(candidate_config(), **changes)
