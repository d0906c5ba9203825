"""mmcv's non-maximum suppression against a slow one, written from the definition."""

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms, nms

from tests.installed import needs_torchvision_operators

pytestmark = needs_torchvision_operators


def slow_nms(boxes, scores, threshold: float, offset: int) -> list[int]:
    """Take boxes surest first; each drops those that overlap it by more than the threshold."""

    def area(x1, y1, x2, y2) -> float:
        return (x2 - x1 + offset) * (y2 - y1 + offset)

    left = sorted(range(len(boxes)), key=lambda i: -scores[i])
    kept = []
    while left:
        best = left.pop(0)
        kept.append(best)
        others, left = left, []
        for other in others:
            (a, b, c, d), (e, f, g, h) = boxes[best], boxes[other]
            width = max(0.0, min(c, g) - max(a, e) + offset)
            height = max(0.0, min(d, h) - max(b, f) + offset)
            union = area(a, b, c, d) + area(e, f, g, h) - width * height
            if union == 0 or width * height / union <= threshold:
                left.append(other)
    return kept


def random_boxes(seed: int, count: int) -> torch.Tensor:
    """Draw boxes that crowd about the origin, some of no area."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-8, 8, (count, 2))
    size = rng.uniform(4, 20, (count, 2))
    size[::7, 0] = 0
    size[::11] = 0
    return torch.from_numpy(np.hstack([corner, corner + size]))


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nms_is_the_slow_one(seed: int, threshold: float, offset: int) -> None:
    boxes = random_boxes(seed, 60)
    scores = torch.from_numpy(np.random.default_rng(seed + 100).permutation(60) / 60)
    dets, kept = nms(boxes, scores, threshold, offset)
    expected = slow_nms(boxes.tolist(), scores.tolist(), threshold, offset)
    assert kept.tolist() == expected
    assert 0 < len(expected) < 60
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[expected])


def test_nms_offset_counts_the_last_pixel() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 4]])
    scores = torch.tensor([0.9, 0.8])
    # Without it the overlap is 36 / 81, with it 50 / 100.
    assert nms(boxes, scores, 0.47, offset=0)[1].tolist() == [0, 1]
    assert nms(boxes, scores, 0.47, offset=1)[1].tolist() == [0]


def test_nms_keeps_an_overlap_of_just_the_threshold() -> None:
    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 4]])
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.5)[1].tolist() == [0, 1]


def test_nms_of_ties_keeps_one_of_each_place() -> None:
    boxes = torch.tensor([[0.0, 0, 8, 8], [20, 20, 28, 28], [0, 0, 8, 8], [20, 20, 28, 28]])
    kept = nms(boxes, torch.full((4,), 0.5), 0.5)[1].tolist()
    assert sorted(index % 2 for index in kept) == [0, 1]


def test_nms_of_boxes_without_area_keeps_them() -> None:
    boxes = torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5], [5, 5, 5, 9]])
    assert nms(boxes, torch.tensor([0.1, 0.3, 0.2]), 0.5)[1].tolist() == [1, 2, 0]


def test_nms_of_nothing_is_nothing() -> None:
    dets, kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)
    assert kept.dtype == torch.long


def test_nms_score_threshold_and_maximum_name_the_given_boxes() -> None:
    boxes = torch.tensor([[0.0, 0, 8, 8], [10, 0, 18, 8], [20, 0, 28, 8], [30, 0, 38, 8]])
    scores = torch.tensor([0.1, 0.6, 0.9, 0.7])
    assert nms(boxes, scores, 0.5, score_threshold=0.2, max_num=2)[1].tolist() == [2, 3]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_nms_in_low_precision(dtype: torch.dtype) -> None:
    boxes = torch.tensor([[0.0, 0, 8, 8], [0, 0, 8, 6], [32, 32, 40, 40]], dtype=dtype)
    for scores in (torch.tensor([0.25, 0.75, 0.5]), torch.tensor([0.25, 0.75, 0.5], dtype=dtype)):
        assert nms(boxes, scores, 0.7)[1].tolist() == [1, 2]


def test_batched_nms_compares_within_a_class() -> None:
    boxes, scores = random_boxes(5, 40), torch.linspace(0.1, 0.9, 40, dtype=torch.float64)
    classes = torch.arange(40) % 3
    dets, kept = batched_nms(boxes, scores, classes, {"type": "nms", "iou_threshold": 0.3})
    expected = []
    for label in range(3):
        members = [i for i in range(40) if i % 3 == label]
        chosen = slow_nms(boxes[members].tolist(), scores[members].tolist(), 0.3, 0)
        expected += [members[i] for i in chosen]
    assert kept.tolist() == sorted(expected, key=lambda i: -scores[i])
    assert torch.equal(dets[:, :4], boxes[kept])
