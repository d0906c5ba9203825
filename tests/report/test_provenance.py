"""What a result was made with."""

import mmdet
import mmengine
import torch

from mmdet_mitosis.report.provenance import iteration_of, versions


def test_versions_are_those_of_what_runs() -> None:
    found = versions()
    assert list(found) == ["python", "mmdet_mitosis", "torch", "mmdet", "mmengine", "mmcv"]
    assert found["torch"] == torch.__version__
    assert (found["mmdet"], found["mmengine"]) == (mmdet.__version__, mmengine.__version__)
    assert "(mmcv" in found["mmcv"]


def test_iteration_of_a_checkpoint() -> None:
    assert iteration_of("work/best_mitosis_f_score_iter_300.pth") == 300
    assert iteration_of("iter_4.pth") == 4
    assert iteration_of("work/iter_4.pth/weights.pth") is None
    assert iteration_of("epoch_12.pth") is None
