"""CopyPasteMitoses: whole mitoses of the split, on tissue, on no other object."""

import re

import numpy as np
import pytest
import torch
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.runner import Runner

from mmdet_mitosis.transforms import CopyPasteMitoses
from mmdet_mitosis.transforms.copy_paste_mitoses import Patch, blend, orient
from tests import make_data
from tests.make_data import box, disc, mask_bbox
from tests.transforms.tissue import save

SIZE = (200, 160)
SOURCES = [disc(60, 50, 10, *SIZE), box(120, 40, 131, 64)]
LEFT_OUT = [disc(4, 100, 9, *SIZE), box(60, 120, 70, 130), box(72, 120, 80, 130)]
"""At the border; neighbours."""
SHADES = [(10, 60, 30), (90, 20, 120)]
"""RGB of the sources' pixels."""
AROUND, UNDER = (200, 0, 0), 100
SIDE = 128


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two fields: sources in one colour each, and what is no source."""
    root = tmp_path_factory.mktemp("paste")
    make_data.write_data(root, [SIZE, SIZE], [SOURCES, LEFT_OUT])
    for index, objects in enumerate([SOURCES, LEFT_OUT]):
        rgb = np.full((SIZE[1], SIZE[0], 3), AROUND, np.uint8)
        for mitosis, shade in zip(objects, [*SHADES, (1, 2, 3)], strict=False):
            rgb[mitosis.pixels_xy[:, 1], mitosis.pixels_xy[:, 0]] = shade
        save(root / "images" / f"field{index}.png", rgb)
    return root


@pytest.fixture
def paste(root):
    def made(**arguments):
        ann_file = str(root / "annotations" / "train.json")
        return CopyPasteMitoses(ann_file, str(root / "images"), **{"prob": 1.0, **arguments})

    return made


def window(boxes=(), polygons=False, shade=UNDER):
    """A window of one shade of grey, with objects of their boxes' size."""
    bitmaps = np.zeros((len(boxes), SIDE, SIDE), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(bitmaps, boxes, strict=True):
        mask[y1:y2, x1:x2] = 1
    rings = [[np.array([x1, y1, x2, y1, x2, y2, x1, y2], float)] for x1, y1, x2, y2 in boxes]
    return {
        "img": np.full((SIDE, SIDE, 3), shade, np.uint8),
        "gt_bboxes": HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
        "gt_bboxes_labels": np.ones(len(boxes), np.int64),
        "gt_ignore_flags": np.zeros(len(boxes), bool),
        "gt_masks": PolygonMasks(rings, SIDE, SIDE)
        if polygons
        else BitmapMasks(bitmaps, SIDE, SIDE),
    }


def pasted(results, n_before):
    """Give the masks of what was pasted, and see that boxes, labels and flags belong to them."""
    masks = results["gt_masks"].to_ndarray().astype(bool)
    boxes = results["gt_bboxes"].tensor
    lengths = (len(boxes), len(results["gt_bboxes_labels"]), len(results["gt_ignore_flags"]))
    assert set(lengths) == {len(masks)} and boxes.dtype == torch.float32
    assert results["gt_bboxes_labels"][n_before:].tolist() == [0] * (len(masks) - n_before)
    assert not results["gt_ignore_flags"].any()
    new = masks[n_before:]
    assert boxes[n_before:].round().tolist() == [mask_bbox(mask) for mask in new]
    return new


@pytest.mark.parametrize("polygons", [False, True])
def test_what_is_pasted_is_a_source_and_its_annotation_covers_it(paste, polygons):
    transform = paste(max_objects=1)
    sizes = {tuple(shade[::-1]): len(s.pixels_xy) for s, shade in zip(SOURCES, SHADES, strict=True)}
    np.random.seed(0)
    seen, shapes = set(), set()
    for _ in range(60):
        results = transform(window(polygons=polygons))
        (mask,) = pasted(results, 0)
        (shade,) = {tuple(pixel) for pixel in results["img"][mask].tolist()}
        # The disc's outline has half pixels, and a rectangle's none.
        assert np.count_nonzero(mask) == pytest.approx(sizes[shade], rel=0.02)
        seen.add(shade)
        x1, y1, x2, y2 = mask_bbox(mask)
        shapes.add((x2 - x1, y2 - y1))
    assert seen == set(sizes)
    assert {(11, 24), (24, 11)} < shapes


def test_around_it_the_source_fades_out_within_the_edge(paste):
    transform = paste(max_objects=1, feather=5)
    np.random.seed(1)
    results = transform(window())
    (mask,) = pasted(results, 0)
    y, x = np.nonzero(mask)
    distance = np.min(
        [
            np.hypot(np.arange(SIDE)[None, :] - a, np.arange(SIDE)[:, None] - b)
            for a, b in zip(x, y, strict=True)
        ],
        axis=0,
    )
    red = results["img"][..., 2].astype(int)
    assert (results["img"][distance >= 5.2] == UNDER).all()
    edge = (distance > 0) & (distance < 4)
    assert (red[edge] > UNDER).all() and (red[edge] < AROUND[0]).any()
    # The further out, the less of it.
    rings = [red[(distance > k) & (distance <= k + 1)].mean() for k in range(4)]
    assert rings == sorted(rings, reverse=True) and rings[0] > 180


def test_nothing_is_pasted_onto_an_object_nor_are_objects_changed(paste):
    boxes = [(10, 10, 50, 60), (70, 64, 128, 90), (0, 100, 60, 128)]
    transform = paste(max_objects=4)
    np.random.seed(0)
    n_pasted = 0
    for _ in range(40):
        before = window(boxes)
        results = transform(before)
        assert results["gt_bboxes"].tensor[:3].tolist() == [list(map(float, b)) for b in boxes]
        assert results["gt_bboxes_labels"][:3].tolist() == [1, 1, 1]
        for x1, y1, x2, y2 in boxes:
            assert (results["img"][y1:y2, x1:x2] == UNDER).all()
        new = pasted(results, 3)
        assert results["gt_masks"].masks.sum(axis=0).max() == 1, "two objects share a pixel"
        n_pasted += len(new)
    assert n_pasted > 20


def test_glass_gets_none(paste):
    transform = paste()
    np.random.seed(0)
    assert not len(pasted(transform(window(shade=240)), 0))
    half = window(shade=240)
    half["img"][:, 64:] = 150
    corners = []
    for _ in range(30):
        record = {**half, "img": half["img"].copy()}
        corners += [mask_bbox(mask)[0] for mask in pasted(transform(record), 0)]
    assert len(corners) > 10 and min(corners) >= 64


def test_the_number_is_drawn_and_so_is_whether_there_is_any(paste):
    np.random.seed(0)
    counts = [len(pasted(paste(max_objects=2)(window()), 0)) for _ in range(60)]
    assert set(counts) == {1, 2} and 15 < counts.count(1) < 45
    some = paste(prob=0.3)
    with_any = sum(len(some(window())["gt_bboxes"]) > 0 for _ in range(100))
    assert 18 < with_any < 43
    untouched = window()
    assert paste(prob=0)(untouched)["img"] is untouched["img"]


def test_a_seed_gives_the_same_and_pixels_have_no_say_in_what_is_drawn(paste):
    transform, images, states = paste(), [], []
    for shade in (UNDER, UNDER, 240):
        np.random.seed(5)
        images.append(transform(window(shade=shade))["img"])
        states.append(np.random.random())
    np.testing.assert_array_equal(images[0], images[1])
    assert len(set(states)) == 1
    np.random.seed(6)
    assert (transform(window())["img"] != images[0]).any()


def test_sources_go_through_the_steps_that_the_window_has_gone_through(root, mmdet_scope):
    darker = {"type": "PhotoMetricDistortion", "brightness_delta": 0, "hue_delta": 0}
    darker |= {"contrast_range": (0.5, 0.5), "saturation_range": (1, 1)}
    transform = TRANSFORMS.build(
        {
            "type": "CopyPasteMitoses",
            "ann_file": str(root / "annotations" / "train.json"),
            "img_prefix": str(root / "images"),
            "steps": [darker],
            "prob": 1.0,
            "max_objects": 1,
        }
    )
    np.random.seed(0)
    values = set()
    for _ in range(20):
        results = transform(window())
        (mask,) = pasted(results, 0)
        values.add(results["img"][mask].max().item())
    assert values <= {60, 30, 120} and values & {30}
    assert repr(transform).endswith("2 sources, prob=1.0, max_objects=1, feather=6)")


def test_workers_draw_the_same_again(root, mmdet_scope):
    steps = [
        {"type": "LoadWindow"},
        {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True},
        {
            "type": "CopyPasteMitoses",
            "ann_file": str(root / "annotations" / "train.json"),
            "img_prefix": str(root / "images"),
            "prob": 1.0,
        },
        {"type": "PackDetInputs", "meta_keys": ()},
    ]

    def batches():
        loader = Runner.build_dataloader(
            {
                "batch_size": 1,
                "num_workers": 2,
                "sampler": {"type": "DefaultSampler", "shuffle": False},
                "dataset": {
                    "type": "MitosisDataset",
                    "data_root": str(root),
                    "ann_file": "annotations/train.json",
                    "data_prefix": {"img": "images/"},
                    "window_size": 128,
                    "overlap": 0,
                    "pipeline": steps,
                },
            },
            seed=0,
        )
        return list(loader)

    first, again = batches(), batches()
    assert len(first) > 2
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a["inputs"][0], b["inputs"][0])
    n_objects = sum(len(batch["data_samples"][0].gt_instances) for batch in first)
    assert n_objects > len(SOURCES) + len(LEFT_OUT)


def test_orientations_turn_pixels_and_polygons_alike():
    mask = np.zeros((12, 20), np.uint8)
    mask[2:7, 3:15] = 1
    ring = np.array([3, 2, 15, 2, 15, 7, 3, 7], float)
    patch = Patch(np.repeat(mask[..., None], 3, axis=2), [ring])
    seen = set()
    for quarters in range(4):
        for mirrored in (False, True):
            found = orient(patch, quarters, mirrored)
            np.testing.assert_array_equal(found.mask, found.image[..., 0])
            seen.add((found.image.shape, found.image.tobytes()))
    assert len(seen) == 8


def test_a_blend_keeps_the_mitosis_and_what_is_far():
    patch = Patch(
        np.full((40, 40, 3), 50, np.uint8), [np.array([15, 15, 25, 15, 25, 25, 15, 25.0])]
    )
    found = blend(patch, np.full((40, 40, 3), 250, np.uint8), 6)
    assert (found[15:25, 15:25] == 50).all() and (found[:9] == 250).all()
    assert (np.diff(found[20, 24:32, 0].astype(int)) >= 0).all()


def test_what_is_wrong_is_named(root, tmp_path):
    for wrong in ({"prob": 1.5}, {"max_objects": 0}, {"feather": 0}):
        with pytest.raises(ValueError, match=re.escape(str(*wrong.values()))):
            CopyPasteMitoses(str(root / "annotations" / "train.json"), "images", **wrong)
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        CopyPasteMitoses(str(tmp_path / "none.json"), "images")
    empty = make_data.coco([SIZE], [LEFT_OUT])
    path = make_data.write_json(tmp_path / "empty.json", empty)
    with pytest.raises(ValueError, match=r"empty\.json has no mitosis that can be pasted"):
        CopyPasteMitoses(path, "images")
