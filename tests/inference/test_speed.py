"""Running a network faster: it finds the same."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from mmdet_mitosis.inference.detector import MitosisDetector
from mmdet_mitosis.inference.speed import Speed
from tests.transforms.tissue import tissue

IMAGE = np.tile(tissue(0, 160), (1, 4, 1))


@pytest.fixture(scope="module")
def plain(trained):
    return look(trained, Speed())


def look(trained, speed, window_size=160, **options):
    detector = MitosisDetector(trained[1], device="cpu", speed=speed, **options)
    detector.window_size = window_size
    return detector, detector(IMAGE, mpp=0.25).detections


def share_found(expected, found, within_px: float, within_score: float) -> float:
    """Share of detections that the others have too."""
    gaps = np.hypot(*(expected.centers_xy[:, None] - found.centers_xy[None]).T).T
    differences = np.abs(expected.scores[:, None] - found.scores[None])
    return ((gaps <= within_px) & (differences <= within_score)).any(axis=1).mean()


def test_channels_last_is_the_same_but_for_rounding(trained, plain) -> None:
    detector, found = look(trained, Speed(channels_last=True))
    weight = detector.model.backbone.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    assert len(found) == len(plain[1]) > 10
    assert share_found(plain[1], found, 0.01, 1e-4) == 1


def test_mixed_precision_keeps_what_is_found(trained, plain) -> None:
    detector, found = look(trained, Speed(amp=True))
    kinds = {}
    for name in ("backbone.conv1", "roi_head.bbox_head.fc_cls", "roi_head.mask_head"):
        part = detector.model.get_submodule(name)
        part.register_forward_hook(lambda *args, name=name: kinds.update({name: args[2].dtype}))
    detector(IMAGE, mpp=0.25)
    assert list(kinds.values()) == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert detector.record["precision"] == "bfloat16" and plain[0].record["precision"] == "float32"
    # A network that has learned nothing is sure of nothing: some change places.
    assert share_found(plain[1], found, 1, 0.01) > 0.85
    assert share_found(found, plain[1], 1, 0.01) > 0.85


def test_parts_of_a_network_are_found_by_their_names() -> None:
    model = nn.ModuleDict({"backbone": nn.Conv2d(3, 4, 1), "roi_head": nn.ModuleDict()})
    model.roi_head["bbox_head"] = nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2)])
    Speed(amp=True).apply(model, "cpu")
    assert model.backbone(torch.zeros(1, 3, 2, 2)).dtype == torch.float32
    lowered = {name for name, part in model.named_modules() if "forward" in vars(part)}
    assert lowered == {"backbone", "roi_head", "roi_head.bbox_head.0", "roi_head.bbox_head.1"}
    with pytest.raises(ValueError, match="Linear has no backbone, neck or head"):
        Speed(compiled=True).apply(nn.Linear(2, 2), "cpu")


def test_compiled_is_the_same(trained, plain, monkeypatch) -> None:
    # What inductor makes of it takes a minute: here its place is taken by the plain operations.
    traced = []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> Callable:
        traced.append(sum(node.op == "call_function" for node in graph.graph.nodes))
        return graph.forward

    compiler = functools.partial(torch.compile, backend=backend)
    monkeypatch.setattr(torch, "compile", compiler)
    detector, found = look(trained, Speed(compiled=True))
    assert sum(traced) > 40  # the convolutions, and what follows them
    assert len(found) == len(plain[1])
    assert share_found(plain[1], found, 0.01, 1e-4) == 1
    assert detector.model.state_dict().keys() == plain[0].model.state_dict().keys()


def test_what_hinders_compiling_is_one_sentence(trained, monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise RuntimeError("no\nC++ compiler")

    monkeypatch.setattr(torch, "compile", lambda *args, **kwargs: fail)
    with pytest.raises(ValueError, match=r"torch\.compile does not work here: no C\+\+ compiler"):
        MitosisDetector(trained[1], device="cpu", speed=Speed(compiled=True))


def test_side_by_side_on_the_cpu_is_the_same(trained, plain) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        detector, found = look(trained, Speed(), batch_size=4)
        assert detector.parallel == 2
        assert MitosisDetector(trained[1], device="cpu", workers=0).parallel == 1
        assert MitosisDetector(trained[1], device="cpu", batch_size=1).parallel == 1
    finally:
        torch.set_num_threads(before)
    assert len(found) == len(plain[1])
    assert share_found(plain[1], found, 0.01, 1e-4) == 1
