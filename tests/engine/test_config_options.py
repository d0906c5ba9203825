"""Settings on the command line keep their spaces."""

import argparse

import pytest

from mmdet_mitosis.engine.config_options import ConfigOptions


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("/data/my fields (new)/é/", "/data/my fields (new)/é/"),
        ('"a b"', "a b"),
        ("3", 3),
        ("1e-3", 0.001),
        ("true", True),
        ("None", None),
        ("[1,2,3]", [1, 2, 3]),
        ("(0.9, 0.999)", (0.9, 0.999)),
        ("a,b", ["a", "b"]),
        ("[(1,2),[a,b]]", [(1, 2), ["a", "b"]]),
        ("key=value", "key=value"),
    ],
)
def test_value(word: str, value: object) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=ConfigOptions)
    options = parser.parse_args(["--cfg-options", f"a.b={word}", "c=1"]).cfg_options
    assert options == {"a.b": value, "c": 1}
