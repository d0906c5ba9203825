"""Checkpoints that are damaged, or hold what no model can have."""

from pathlib import Path

import pytest
import torch

from mmdet_mitosis.engine.checkpoints import read_checkpoint
from mmdet_mitosis.engine.threshold_hook import KEY, choose_threshold
from mmdet_mitosis.engine.weights import find_weights

NAN = float("nan")


def write(path: Path, **content) -> Path:
    torch.save({"state_dict": {"a": torch.ones(10_000)}, **content}, path)
    return path


def test_a_byte_that_is_changed_in_a_weight_is_found(tmp_path) -> None:
    path = write(tmp_path / "a.pth")
    assert read_checkpoint(path)["state_dict"]["a"].sum() == 10_000
    data = bytearray(path.read_bytes())
    data[20_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.pth as a checkpoint: its part .*data/0 is damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([torch.ones(2)], r"the weights of .* are \[tensor"),
        ("none", "the weights of .* are 'none'; expected names"),
        ({1: torch.ones(2)}, "has a weight of the name 1; expected a text"),
        ({"a": "none"}, "the weight 'a' of .* is no tensor: 'none'"),
        ({"a": torch.tensor([1.0, NAN])}, "the weight 'a' of .* is not finite"),
        ({"a": torch.ones(2).to_sparse()}, "the weight 'a' of .* is of float32, sparse_coo"),
        ({"a": torch.ones(2, dtype=torch.complex64)}, "the weight 'a' of .* is of complex64"),
    ],
)
def test_weights_that_no_model_can_have(tmp_path, state: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read_checkpoint(write(tmp_path / "a.pth", state_dict=state))
    assert str(tmp_path / "a.pth") in str(caught.value)


def test_weights_to_start_from_are_looked_at_too() -> None:
    with pytest.raises(ValueError, match=r"the weight .a. of a\.pth is not finite"):
        find_weights({"a": torch.tensor(NAN)}, "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth has a weight of the name 3; expected a text"):
        find_weights({3: torch.ones(1)}, "a.pth")


def test_meta_that_is_none(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"the meta of .*a\.pth is \[1\]; expected a dictionary"):
        read_checkpoint(write(tmp_path / "a.pth", meta=[1]))


@pytest.mark.parametrize(
    "record",
    [
        *(None, 0.5, [], {}, {"threshold": 0.5}, {"chosen_on": "val.json"}),
        *({"threshold": t, "chosen_on": "val.json"} for t in (NAN, "0.5", None, True, 10**400)),
        {"threshold": 0.5, "chosen_on": 3},
    ],
)
def test_thresholds_that_are_none(record: object) -> None:
    with pytest.raises(ValueError, match=r"a\.pth stores the threshold .*; expected a finite"):
        choose_threshold({KEY: record}, "a.pth", None)


def test_the_threshold_for_few_windows_is_taken_where_it_is_stored() -> None:
    record = {"threshold": 0.5, "chosen_on": "val.json"}
    origin = "val.json (validation)"
    assert choose_threshold({KEY: record}, "a.pth", None, once=True) == (0.5, origin)
    both = {KEY: record | {"threshold_once": 0.4}}
    assert choose_threshold(both, "a.pth", None, once=True) == (0.4, origin)
    assert choose_threshold(both, "a.pth", None) == (0.5, origin)
    assert choose_threshold(both, "a.pth", 0.3, once=True) == (0.3, "--threshold")
    for wrong in (NAN, "0.5", None):
        stored = {KEY: record | {"threshold_once": wrong}}
        with pytest.raises(ValueError, match=r"a\.pth stores the threshold_once .* finite number"):
            choose_threshold(stored, "a.pth", None, once=True)
