"""Configs that checkpoints carry are read and never run."""

import pytest
from mmengine.config import Config

from mmdet_mitosis.engine.embedded_config import (
    MAX_CHARS,
    config_of_checkpoint,
    parse_assignments,
    settings_of,
)
from tests.make_data import CONFIGS


def carried(text) -> dict:
    return {"meta": {"cfg": text}, "state_dict": {}}


@pytest.mark.parametrize(
    "name", ["maskrcnn_r18_mitos12.py", "dino_r50_tupac.py", "fcos_r50_tupac.py"]
)
def test_configs_of_the_tree_come_back_as_they_were(name) -> None:
    cfg = Config.fromfile(CONFIGS / name)
    found = config_of_checkpoint(carried(cfg.pretty_text), "a.pth")
    assert found.to_dict() == Config.fromstring(cfg.pretty_text, ".py").to_dict()
    assert found.model.type == cfg.model.type
    assert found.test_dataloader.dataset.window_size == 512


def test_every_kind_of_literal_is_read() -> None:
    text = "a = -1.5\nb = [None, True, ('x', 2)]\nc = dict(d={'e f': -3}, g=())\nh = inf"
    expected = {"a": -1.5, "b": [None, True, ("x", 2)], "c": {"d": {"e f": -3}, "g": ()}}
    assert parse_assignments(text) == expected | {"h": float("inf")}


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "a = 1\nopen('/tmp/x', 'w')",
        "a = __import__('os').system('true')",
        "a = dict(b=print(1))",
        "a = [x for x in (1, 2)]",
        "a = (lambda: 1)()",
        "a = dict(**{'b': 1})",
        "a = {**{}}",
        "a = dict([('b', 1)])",
        "a.b = 1",
        "a, b = 1, 2",
        "a = b",
        "a = f'{1}'",
        "a = 1 +",
        "a = " + "[" * 500 + "]" * 500,
        "a = 10**10**10",
        "a = 'x' * 10**9",
        "a = " + "-" * 100_000 + "1",
        "a = " + "1 + " * 100_000 + "1",
        "a = b" + ".c" * 100_000,
        "a = lambda: 0",
        "(a := 1)",
        "class a: pass",
        "a = 1; import os",
        "a = {[1]: 2}",
        "a = {[1]}",
        "filename = 'one of the names that Config has for itself'",
        "a = '" + "x" * MAX_CHARS + "'",
    ],
    ids=lambda text: text[:30],
)
def test_whatever_would_run_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"a\.pth cannot be read without running it .*--config"):
        config_of_checkpoint(carried(text), "a.pth")


@pytest.mark.parametrize("checkpoint", [{}, {"meta": {}}, carried(None), carried(3)])
def test_a_checkpoint_without_a_config_says_how_to_name_one(checkpoint) -> None:
    with pytest.raises(ValueError, match=r"a\.pth carries no config: name it with --config"):
        config_of_checkpoint(checkpoint, "a.pth")


def test_one_setting_of_a_dumped_config() -> None:
    text = "a = 1\nrandomness = dict(seed=3, nested=dict(x=-1))\n"
    assert settings_of(text, "randomness") == {"seed": 3, "nested": {"x": -1}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "randomness = 3",
        "randomness = dict(",
        "other = dict(seed=1)",
        "\0",
        "(" * 5000,
        "randomness = dict(seed=open('x'))",
        "randomness = {[]: 1}",
    ],
)
def test_what_is_not_of_that_form_has_no_settings(text: str) -> None:
    assert settings_of(text, "randomness") == {}
