"""What the heads of a detector are trained on, against the pixels of the field."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.runner import Runner
from mmengine.utils import import_modules_from_strings

from tests import make_data
from tests.make_data import disc, expected, locate, mask_bbox, random_mitoses, shown

SIZES = [(800, 717), (600, 530)]


@pytest.fixture
def cfg(tmp_path, mmdet_scope):
    rng = np.random.default_rng(5)
    fields = [random_mitoses(rng, 8, *size) for size in SIZES]
    # Two that the border of the first window cuts: through its own one, and beside another one.
    fields[0][:2] = [disc(508, 200, 14, *SIZES[0]), disc(521, 300, 12, *SIZES[0])]
    make_data.write_data(tmp_path, SIZES, fields)
    cfg = make_data.with_data("maskrcnn_r18_demo.py", tmp_path)
    import_modules_from_strings(**cfg.custom_imports)
    # Without stain normalisation the pixels tell where they are.
    pipeline = cfg.train_dataloader.dataset.pipeline
    cfg.train_dataloader.dataset.pipeline = [t for t in pipeline if t.type != "StainNormalize"]
    cfg.train_dataloader.num_workers = 0
    cfg.train_dataloader.persistent_workers = False
    cfg.train_dataloader.sampler.negative_ratio = 100
    make_data.shrink(cfg.model)
    cfg.fields = fields
    return cfg


def batches(cfg) -> list[dict]:
    torch.manual_seed(0)
    np.random.seed(0)
    return list(Runner.build_dataloader(cfg.train_dataloader, seed=3))


def window_of(image: torch.Tensor) -> tuple[int, tuple[int, ...], bool]:
    """Read the field, the window and whether it is mirrored off the pixels."""
    index, x, y = locate(image.permute(1, 2, 0).numpy()[..., ::-1])
    mirrored = bool(x[0, 0] > x[0, -1])
    return index, (x.min(), y.min(), x.max() + 1, y.max() + 1), mirrored


def wanted_masks(cfg, index, window, mirrored) -> list[np.ndarray]:
    masks, foreign = expected(cfg.fields[index], window, SIZES[index])
    assert not foreign, f"{window} of field {index} shows part of another window's mitosis"
    return [mask[:, ::-1] if mirrored else mask for mask in masks]


def test_every_batch_holds_what_the_field_shows_and_no_window_with_a_foreign_mitosis(cfg):
    windows, flips = [], set()
    for batch in batches(cfg):
        for image, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
            index, window, mirrored = window_of(image)
            assert sample.window_xyxy == window and sample.img_id == index + 1
            masks = wanted_masks(cfg, index, window, mirrored)
            gt = sample.gt_instances
            assert len(gt) == len(masks)
            np.testing.assert_array_equal(gt.masks.masks, np.reshape(masks, gt.masks.masks.shape))
            boxes = np.reshape([mask_bbox(mask) for mask in masks], (-1, 4))
            np.testing.assert_allclose(gt.bboxes.tensor.numpy(), boxes)
            assert gt.labels.tolist() == [0] * len(masks)
            windows.append((index, *window))
            flips.add(mirrored)
    n_windows = 3 * 2 + 2 * 2
    assert len(set(windows)) == len(windows) < n_windows and flips == {True, False}
    left_out = [w for w in grid() if w not in windows]
    assert left_out and all(foreign_in(cfg, w) for w in left_out)


def grid() -> list[tuple[int, ...]]:
    found = []
    for index, (xs, ys) in enumerate([((0, 205, 288), (0, 205)), ((0, 88), (0, 18))]):
        found += [(index, x, y, x + 512, y + 512) for x in xs for y in ys]
    return found


def foreign_in(cfg, window) -> bool:
    return expected(cfg.fields[window[0]], window[1:], SIZES[window[0]])[1]


def spy(owner, name, monkeypatch) -> list[tuple]:
    """Note what a method is called with and gives back."""
    calls, method = [], getattr(owner, name)

    def noting(*args, **kwargs):
        result = method(*args, **kwargs)
        calls.append(((*args, *kwargs.values()), result))
        return result

    monkeypatch.setattr(owner, name, noting)
    return calls


def sample_mask(mask: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """Look up the mask at the centres of a grid of size x size cells over a box."""
    x1, y1, x2, y2 = box
    steps = (np.arange(size) + 0.5) / size
    xs = np.clip((x1 + steps * (x2 - x1)).astype(int), 0, mask.shape[1] - 1)
    ys = np.clip((y1 + steps * (y2 - y1)).astype(int), 0, mask.shape[0] - 1)
    return mask[np.ix_(ys, xs)]


def test_targets_of_the_heads_are_the_pixels_of_the_window(cfg, monkeypatch):
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    rpn = spy(model.rpn_head, "_get_targets_single", monkeypatch)
    roi_boxes = spy(model.roi_head.bbox_head, "get_targets", monkeypatch)
    roi_masks = spy(model.roi_head.mask_head, "get_targets", monkeypatch)
    n_objects = n_cut = 0
    for batch in batches(cfg):
        seen = [window_of(image) for image in batch["inputs"]]
        masks = [wanted_masks(cfg, *window) for window in seen]
        n_cut += sum(is_cut(cfg, *window) for window in seen)
        n_objects += sum(map(len, masks))
        for calls in (rpn, roi_boxes, roi_masks):
            calls.clear()
        losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
        assert all(torch.isfinite(torch.as_tensor(v)).all() for v in flat(losses))
        for (args, result), image_masks in zip(rpn, masks, strict=True):
            check_anchors(model.rpn_head.bbox_coder, args[0], result, image_masks)
        check_proposals(model.roi_head, roi_boxes[0], masks)
        if roi_masks:
            check_mask_targets(roi_masks[0], masks)
        assert bool(roi_masks) == any(masks)
    assert n_objects > 20 and n_cut >= 2


def flat(losses: dict) -> list:
    return [v for value in losses.values() for v in (value if isinstance(value, list) else [value])]


def is_cut(cfg, index, window, _) -> bool:
    """Tell whether an object of the window is cut by its border."""
    for mitosis in cfg.fields[index]:
        (masks, _), n_shown = (
            expected([mitosis], window, SIZES[index]),
            shown(mitosis, window).sum(),
        )
        if masks and n_shown < len(mitosis.pixels_xy):
            return True
    return False


def check_anchors(coder, anchors, result, masks) -> None:
    """Positive anchors lead to the objects' boxes; each object, however small, has one."""
    _, _, bbox_targets, _, positive, _, _ = result
    boxes = {tuple(mask_bbox(mask)) for mask in masks}
    found = coder.decode(anchors[positive], bbox_targets[positive]).round().int().tolist()
    assert set(map(tuple, found)) == boxes


def check_proposals(roi_head, call, masks) -> None:
    """The box head learns 'mitosis' where a proposal lies over an object, and its box."""
    args, (labels, _, bbox_targets, _) = call
    start = 0
    for sampled, image_masks in zip(args[0], masks, strict=True):
        n_positive = len(sampled.pos_priors)
        end = start + n_positive + len(sampled.neg_priors)
        assert end - start <= 78
        assert labels[start:end].tolist() == [0] * n_positive + [1] * (end - start - n_positive)
        targets = bbox_targets[start : start + n_positive]
        found = roi_head.bbox_head.bbox_coder.decode(sampled.pos_priors, targets)
        boxes = {tuple(mask_bbox(mask)) for mask in image_masks}
        assert set(map(tuple, found.round().int().tolist())) == boxes
        start = end
    assert start == len(labels)


def check_mask_targets(call, masks) -> None:
    """The mask head learns the object's pixels below its proposal."""
    args, targets = call
    start = 0
    for sampled, image_masks in zip(args[0], masks, strict=True):
        for prior, which in zip(sampled.pos_priors, sampled.pos_assigned_gt_inds, strict=True):
            wanted = sample_mask(image_masks[which], prior.detach().numpy(), targets.shape[-1])
            assert (targets[start].numpy() == wanted).mean() > 0.9
            start += 1
    assert start == len(targets)
