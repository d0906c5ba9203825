"""The benchmark of what the configs' detectors cost."""

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config

from benchmarks import configs


def test_figures_of_a_small_detector(capsys, mmdet_scope) -> None:
    name = "two_stage/candidates_demo.py"
    figures = configs.measure(configs.CONFIGS / name, steps=1)
    cfg = Config.fromfile(configs.CONFIGS / name)
    model = MODELS.build(cfg.model)
    assert figures["n_parameters"] == sum(p.numel() for p in model.parameters())
    # The first convolution alone, 3 to 8 channels of 3 x 3 px at 512 x 512 px, is a lower bound.
    assert 512 * 512 * 3 * 8 * 9 < figures["macs"] < 100e9
    assert (figures["batch_size"], figures["train_window"]) == (8, 256)
    assert figures["step_s"] > 0 and figures["peak_bytes"] > 2**28
    assert configs.row(name, figures)[3] == "8 x 256 px"


def test_refined_detectors_are_not_measured_as_if_they_were_trained() -> None:
    names = configs.detectors()
    assert "maskrcnn_r101_tupac.py" in names and "two_stage/candidates_demo.py" in names
    assert not [name for name in names if "refined" in name or "refiner" in name]


def test_wrong_options_are_named(capsys) -> None:
    for words, said in ((["none.py"], "no such config"), (["--json"], "--json takes one config")):
        with pytest.raises(SystemExit):
            configs.parse_args(words)
        assert said in capsys.readouterr().err
