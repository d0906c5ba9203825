"""Settings are read from a config's text, and nothing of it runs."""

import pytest

from mmdet_mitosis.report.config_text import settings_of

TEXT = """
a = 1
randomness = dict(seed=3, deterministic=False)
train_cfg = dict(
    max_iters=300, nested=dict(x=1), type='IterBasedTrainLoop', val_interval=-75 + 1)
def f():
    randomness = dict(seed=9)
"""


def test_plain_values_of_the_setting_at_the_top() -> None:
    assert settings_of(TEXT, "randomness") == {"seed": 3, "deterministic": False}
    assert settings_of(TEXT, "train_cfg") == {"max_iters": 300, "type": "IterBasedTrainLoop"}


@pytest.mark.parametrize(
    "text",
    ["", "randomness = 3", "randomness = dict(", "other = dict(seed=1)", "\0", "(" * 5000],
)
def test_what_is_not_of_that_form_has_no_settings(text: str) -> None:
    assert settings_of(text, "randomness") == {}


def test_nothing_runs(tmp_path) -> None:
    mark = tmp_path / "ran"
    settings_of(f"open({str(mark)!r}, 'w')\nrandomness = dict(seed=open({str(mark)!r}, 'w'))", "a")
    assert not mark.exists()
